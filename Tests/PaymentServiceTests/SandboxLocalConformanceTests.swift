import BillingCore
import ConnectorConformance
import PaymentContract
import PaymentDomain
import PaymentSandbox
import Postgres
import Synchronization
import TestKit
import Testing

/// A provider on a line that loses requests or answers when it is told to.
private final class LossyProvider: PaymentProvider {
    let local: SandboxLocalProvider
    private let disturbance = Mutex<Disturbance?>(nil)

    init(_ local: SandboxLocalProvider) { self.local = local }

    var name: String { local.name }
    var capabilities: ProviderCapabilities { local.capabilities }

    func turn(_ new: Disturbance?) { disturbance.withLock { $0 = new } }

    private func over<Answer>(_ ask: () async throws(ProviderFault) -> Answer) async throws(ProviderFault) -> Answer {
        if disturbance.withLock({ $0 }) == .lostRequest { throw .timedOut }
        let answer: Answer = try await ask()
        if disturbance.withLock({ $0 }) == .lostAnswer { throw .timedOut }
        return answer
    }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await over { () throws(ProviderFault) in try await local.charge(request) }
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await over { () throws(ProviderFault) in try await local.outcome(of: request) }
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try await over { () throws(ProviderFault) in try await local.capture(request) }
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await over { () throws(ProviderFault) in try await local.release(request) }
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await over { () throws(ProviderFault) in try await local.refund(request) }
    }

    func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        try await over { () throws(ProviderFault) in try await local.refund(named: reference) }
    }
}

/// The sandbox's methods beside cards, on the bench of the conformance suite.
private struct SandboxLocalBench: ConnectorBench {
    let world: PaymentWorld
    let lossy: LossyProvider

    let amounts: [Money] = [("EUR", 60_00), ("JPY", 5_000)].compactMap { code, minor in
        Currency(code).map { Money(minor: minor, currency: $0) }
    }
    let disturbances: Set<Disturbance> = [.lostRequest, .lostAnswer]

    var provider: any PaymentProvider { lossy }
    var now: Instant { world.clock.now }

    func source(_ kind: SourceKind) async throws -> ChargeSource? {
        switch kind {
        case .good, .wantsCustomer: .redirect(method: "paypal", returnURL: "https://shop.test/back")
        case .refused: .stored(token: "pm_failed_de", providerCustomer: nil)
        case .agreed: .stored(token: "pm_success_de", providerCustomer: nil)
        }
    }

    func finish(_ answer: ChargeAnswer, of request: ChargeRequest) async throws {
        switch answer {
        case .actionRequired(let reference, _): try await lossy.local.choose(reference, authorized: true)
        case .pending: world.clock.advance(by: .seconds(14 * 86_400))
        case .captured, .authorized, .declined: return
        }
    }

    func settle() async throws {}
    func disturb(_ how: Disturbance) async throws { lossy.turn(how) }
    func calm() async throws { lossy.turn(nil) }

    func books(of request: ChargeRequest) async throws -> ProviderBooks {
        try await world.sandboxBooks(of: request.idempotencyKey)
    }

    func complaints() async throws -> [String] { [] }
}

@Suite("Conformance of the sandbox's methods beside cards") struct SandboxLocalConformanceTests {
    private static let notOfTheSandbox: Set<ConnectorRule> = [
        .unreadableAnswerIsNoAnswer, .throttledChargeIsKnownInTheEnd,
    ]

    @Test("keeps the rules of the provider contract", arguments: ConnectorRule.allCases)
    func rule(_ rule: ConnectorRule) async throws {
        try await withLocalMethods { world, local in
            let bench = SandboxLocalBench(world: world, lossy: LossyProvider(local))
            let applies: Bool = try await rule.isKept(by: bench)
            #expect(applies != Self.notOfTheSandbox.contains(rule))
        }
    }
}
