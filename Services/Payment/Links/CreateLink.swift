import BillingCore
package import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
package import Postgres

/// Makes a payment link.
package struct CreateLink: Sendable {
    enum Failure: Error, Equatable {
        case unknownCustomer
        case unknownInvoice
        /// It is paid, or withdrawn.
        case notOpen(isWithdrawn: Bool)
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
            return try await News.patiently(News.patience, until: { Self.isUnknown($0) }) {
                try await pool.transactionRetrying { db in
                    if let claim = call.claim() {
                        let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
                        if case .replay(let stored) = result { return Reply(replaying: stored) }
                        guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
                    }
                    guard faults.isEmpty else { throw Problem.invalid(faults) }
                    let (link, payments): (LinkRecord, [PaymentID]) = try store(input, at: call.now, in: db)
                    let resource = LinkResource(
                        LinkStanding(link: link, uses: 0), payments: payments, at: call.now, base: base)
                    let reply: Reply<LinkResource> = .created(
                        resource, location: "/v1/payment_links/\(link.id.rawValue)")
                    if let claim = call.claim() { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
                    return reply
                }
            }
        } catch Failure.unknownCustomer {
            throw Problem.invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        } catch Failure.unknownInvoice {
            throw Problem.invalid("invoice_id", code: "unknown_invoice", "there is no invoice with this id to be paid")
        } catch Failure.notOpen(let isWithdrawn) {
            throw Problem.conflict(
                "invoice_state",
                isWithdrawn ? "The invoice was withdrawn: nobody owes it any more." : "The invoice is paid.")
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
        if case .amount(let amount, _) = input.subject,
            settings.offers(of: Self.allowed(input), amount, country: nil).isEmpty
        {
            faults.append(Self.unpayable)
        }
        return faults
    }

    /// News of a customer or an invoice that was made a moment ago may still be on its way.
    private static func isUnknown(_ error: any Error) -> Bool {
        guard let failure = error as? Failure else { return false }
        return failure == .unknownCustomer || failure == .unknownInvoice
    }

    private static let unpayable = Fault(
        param: "methods", code: "unsupported_method", message: "none of these can be paid with here")

    private static func allowed(_ input: CreateLinkInput) -> [LinkMethod] {
        input.methods.isEmpty ? LinkMethod.byDefault : input.methods
    }

    private func store(
        _ input: CreateLinkInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> (link: LinkRecord, payments: [PaymentID]) {
        let invoiced: PaymentRecord? = try invoiced(input, in: db)
        let (amount, customer): (Money, CustomerID)
        switch input.subject {
        case .amount(let asked, let payer): (amount, customer) = (asked, payer)
        case .invoice:
            guard let invoiced else { throw Failure.unknownInvoice }
            (amount, customer) = (invoiced.amount, invoiced.customerID)
        }
        guard try LinkStore.knows(customer, in: db) else { throw Failure.unknownCustomer }
        let methods: [LinkMethod] = Self.allowed(input)
        let country: String? = try LinkStore.country(of: customer, in: db)
        guard !settings.offers(of: methods, amount, country: country).isEmpty else { throw Failure.unpayable }
        var code: LinkCode = .new()
        while try LinkStore.find(code, in: db) != nil { code = .new() }
        let link = LinkRecord(
            id: PaymentLinkID.new(at: now), code: code, customerID: customer, amount: amount,
            invoiceID: invoiced?.invoiceID, description: input.description ?? invoiced?.description, methods: methods,
            brand: input.brand, language: input.language,
            successURL: input.successURL, cancelURL: input.cancelURL, maxUses: input.maxUses,
            keepMethod: try input.keepMethod ?? Self.keeping(of: customer, invoiced, in: db),
            metadata: input.metadataJSON, expiresAt: input.expiresAt, deactivatedAt: nil, createdAt: now)
        try LinkStore.insert(link, in: db)
        if let invoiced { try LinkUseStore.share(link.id, invoiced.id, in: db) }
        return (link, invoiced.map { [$0.id] } ?? [])
    }

    /// Whoever pays an invoice without a method for the next ones has it kept by paying.
    private static func keeping(
        of customer: CustomerID, _ invoiced: PaymentRecord?, in db: borrowing PostgresTransaction
    ) throws -> LinkKeeping {
        guard invoiced?.subscriptionID != nil else { return .never }
        return try LinkStore.hasDefaultMethod(customer, in: db) ? .offered : .always
    }

    /// The payment of the invoice that is to be paid, its row locked; `nil` where an amount is.
    private func invoiced(
        _ input: CreateLinkInput, in db: borrowing PostgresTransaction
    ) throws -> PaymentRecord? {
        guard case .invoice(let id) = input.subject else { return nil }
        guard let payment: PaymentRecord = try PaymentStore.lock(invoices: [id], in: db)[id] else {
            throw Failure.unknownInvoice
        }
        guard try PaymentStore.isOwed(payment, in: db), payment.status != .canceled else {
            throw Failure.notOpen(isWithdrawn: true)
        }
        guard payment.status != .succeeded else { throw Failure.notOpen(isWithdrawn: false) }
        return payment
    }
}
