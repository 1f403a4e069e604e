import BillingCore
package import HTTPKit
import JSON
import PaymentRecords
package import Postgres

/// Makes a payment link.
package struct CreateLink: Sendable {
    enum Failure: Error, Equatable {
        case unknownCustomer
        /// No way to pay is left for the customer's country.
        case unpayable
    }

    let pool: PostgresPool
    let settings: LinkSettings

    package init(pool: PostgresPool, settings: LinkSettings) {
        self.pool = pool
        self.settings = settings
    }

    /// What is at fault counts for the first request under a key alone: a repeat is given its answer, whatever the time is.
    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: CreateLinkInput) async throws -> Reply<LinkResource> {
        let faults: [Fault] = faults(of: input, at: call.now)
        let base: String = settings.publicURL
        do {
            return try await News.patiently(News.patience, until: { $0 as? Failure == .unknownCustomer }) {
                try await pool.transactionRetrying { db in
                    if let claim = call.claim() {
                        let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
                        if case .replay(let stored) = result { return Reply(replaying: stored) }
                        guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
                    }
                    guard faults.isEmpty else { throw Problem.invalid(faults) }
                    let link: LinkRecord = try store(input, at: call.now, in: db)
                    let resource = LinkResource(
                        LinkStanding(link: link, uses: 0), payments: [], at: call.now, base: base)
                    let reply: Reply<LinkResource> = .created(
                        resource, location: "/v1/payment_links/\(link.id.rawValue)")
                    if let claim = call.claim() { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
                    return reply
                }
            }
        } catch Failure.unknownCustomer {
            throw Problem.invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        } catch Failure.unpayable {
            throw Problem.invalid([Self.unpayable])
        }
    }

    private func faults(of input: CreateLinkInput, at now: Instant) -> [Fault] {
        var faults: [Fault] = []
        if let end: Instant = input.expiresAt, end <= now {
            faults.append(Fault(param: "expires_at", code: "in_the_past", message: "must be in the future"))
        }
        let addresses: [(String, String?)] = [("success_url", input.successURL), ("cancel_url", input.cancelURL)]
        for (name, url) in addresses where !settings.isSandbox {
            guard let url, WebAddress(url)?.isLoopback ?? true else { continue }
            faults.append(Fault(param: name, code: "invalid_url", message: "must be an https address"))
        }
        if settings.offers(of: Self.allowed(input), input.amount, country: nil).isEmpty {
            faults.append(Self.unpayable)
        }
        return faults
    }

    private static let unpayable = Fault(
        param: "methods", code: "unsupported_method", message: "none of these can be paid with here")

    private static func allowed(_ input: CreateLinkInput) -> [LinkMethod] {
        input.methods.isEmpty ? LinkMethod.byDefault : input.methods
    }

    private func store(
        _ input: CreateLinkInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> LinkRecord {
        guard try LinkStore.knows(input.customerID, in: db) else { throw Failure.unknownCustomer }
        let methods: [LinkMethod] = Self.allowed(input)
        let country: String? = try LinkStore.country(of: input.customerID, in: db)
        guard !settings.offers(of: methods, input.amount, country: country).isEmpty else { throw Failure.unpayable }
        var code: LinkCode = .new()
        while try LinkStore.find(code, in: db) != nil { code = .new() }
        let link = LinkRecord(
            id: PaymentLinkID.new(at: now), code: code, customerID: input.customerID, amount: input.amount,
            description: input.description, methods: methods, brand: input.brand, language: input.language,
            successURL: input.successURL, cancelURL: input.cancelURL, maxUses: input.maxUses,
            metadata: input.metadataJSON, expiresAt: input.expiresAt, deactivatedAt: nil, createdAt: now)
        try LinkStore.insert(link, in: db)
        return link
    }
}
