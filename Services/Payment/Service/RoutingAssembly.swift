import BillingCore
import HTTPKit
import Logging
import PaymentContract
package import PaymentDomain
import PaymentRouting
import PaymentSandbox
import ServiceKit

/// Builds routing out of the configuration: every provider with its alarm and behind its guard, the rules, and how the
/// providers are.
struct RoutingAssembly: Sendable {
    /// The providers, each with its alarm, and behind its circuit breaker, bulkhead and time limit.
    let providers: PaymentProviders
    /// Sandbox acquirers beside `sandbox`.
    let acquirers: [String]
    /// The sandbox's methods beside cards that no configured provider offers; `nil` in live mode.
    let local: SandboxLocalProvider?
    /// Decides where an approved attempt goes.
    let route: RoutePayment
    /// Tries the next provider after a soft decline or a certain outage.
    let cascade: CascadePayment
    let endpoints: [Endpoint]
    let looks: [Look]
    let loops: [BackgroundLoop]

    /// - Parameter further: Providers beside the sandbox's.
    /// - Throws: `ServiceConfiguration.Invalid`.
    init(_ parts: ServiceParts, further: [any PaymentProvider] = []) throws {
        let configuration = RoutingConfiguration(tunables: parts.configuration.tunables)
        let isSandbox: Bool = parts.configuration.mode == .sandbox
        let local: SandboxLocalProvider? = isSandbox ? Self.local(parts, behind: further) : nil
        self.local = local
        let last: [any PaymentProvider] = local.map { [$0] } ?? []
        let unguarded: [any PaymentProvider]
        let catalogue: ProviderCatalogue
        do throws(RoutingConfiguration.Invalid) {
            acquirers = isSandbox ? try configuration.sandboxAcquirers(beside: SandboxLocalProvider.name) : []
            unguarded =
                try Self.sandboxes(isSandbox ? ["sandbox"] + acquirers : [], configuration, parts) + further + last
            var profiles: [ProviderProfile] = []
            for provider in unguarded {
                profiles.append(try configuration.profile(provider.name, provider.capabilities))
            }
            catalogue = ProviderCatalogue(profiles)
        } catch {
            throw ServiceConfiguration.Invalid(faults: [error.description])
        }
        let health = ProviderHealth(
            catalogue, redis: parts.redis, instance: parts.configuration.instance, logger: parts.logger)
        let book = RoutingBook(catalogue: catalogue, health: health, logger: parts.logger)
        providers = PaymentProviders(
            guarding: unguarded, as: catalogue, health: health, isTakenOut: { book.isTakenOut($0) })
        route = RoutePayment(book: book)
        cascade = CascadePayment(book: book)
        let evaluate = EvaluateRouting(book: book, pool: parts.pool)
        endpoints =
            RoutingRoutes(book: book, evaluate: evaluate).endpoints + ProviderRoutes(book: book).endpoints
            + CustomerGroupRoutes().endpoints
        looks = [book.look(parts.pool)]
        loops = [health.loop]
    }

    private static func local(
        _ parts: ServiceParts, behind further: [any PaymentProvider]
    ) -> SandboxLocalProvider {
        SandboxLocalProvider(
            pool: parts.pool, clock: parts.clock, publicURL: parts.configuration.publicURL,
            disputesAfter: disputesAfter(parts), except: Set(further.flatMap { $0.capabilities.methods.map(\.type) }))
    }

    private static func disputesAfter(_ parts: ServiceParts) -> Duration {
        .seconds(parts.configuration.int("payment.sandbox_dispute_after_seconds", default: 86_400))
    }

    private static func sandboxes(
        _ names: [String], _ configuration: RoutingConfiguration, _ parts: ServiceParts
    ) throws(RoutingConfiguration.Invalid) -> [any PaymentProvider] {
        var sandboxes: [any PaymentProvider] = []
        for name in names {
            let acquirer = SandboxAcquirer(
                name, fault: try configuration.sandboxWord("fault", of: name, as: SandboxAcquirer.Fault.self),
                successPercent: try configuration.sandboxPercent("success_percent", of: name))
            sandboxes.append(
                SandboxProvider(
                    pool: parts.pool, clock: parts.clock, acquirer: acquirer, disputesAfter: disputesAfter(parts)))
        }
        return sandboxes
    }
}

extension RiskPolicy {
    /// `payment.fraud_thresholds.review`, `.step_up`, `.block`; `payment.fraud_high_risk`; `payment.fraud_review`;
    /// `payment.fraud_unheld`.
    /// - Throws: `ServiceConfiguration.Invalid` naming every fault.
    package init(tunables: [String: String]) throws {
        var faults: [String] = []
        func threshold(_ name: String, _ standard: ExactDecimal) -> ExactDecimal {
            let path = "payment.fraud_thresholds.\(name)"
            guard let text: String = tunables[path] else { return standard }
            if let decimal = ExactDecimal(text) { return decimal }
            faults.append("\(path) must be a decimal such as 0.75")
            return standard
        }
        func word<Word: CaseIterable & RawRepresentable>(
            _ path: String, _ standard: Word
        ) -> Word where Word.RawValue == String {
            guard let text: String = tunables[path] else { return standard }
            if let word = Word(rawValue: text) { return word }
            faults.append("\(path) must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
            return standard
        }
        let standard: RiskPolicy = .standard
        let (review, stepUp, block) = (
            threshold("review", standard.reviewFrom), threshold("step_up", standard.stepUpFrom),
            threshold("block", standard.blockFrom)
        )
        let highRisk: HighRisk = word("payment.fraud_high_risk", standard.highRisk)
        let treatment: Review = word("payment.fraud_review", standard.review)
        let unheld: Unheld = word("payment.fraud_unheld", standard.unheld)
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        do {
            try self.init(
                reviewFrom: review, stepUpFrom: stepUp, blockFrom: block, highRisk: highRisk, review: treatment,
                unheld: unheld)
        } catch {
            throw ServiceConfiguration.Invalid(faults: [error.description])
        }
    }
}
