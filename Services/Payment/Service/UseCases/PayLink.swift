import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
import PaymentDomain
package import PaymentLinks
import PaymentRecords
import Postgres
import Telemetry

/// Pays a link, from its page.
///
/// Everything about one link happens under its row's lock, and a use of it and that use's payment are one transaction: a link
/// for one payment has one, whatever is pressed twice, reloaded or opened on two devices. A crash before COMMIT leaves
/// nothing; after it the payment goes its way without the page, and the page finds it again.
package struct PayLink: Sendable {
    let pool: PostgresPool
    let attach: AttachPaymentMethod
    let limits: VisitLimits

    /// Keeps a card for the link's customer, bound to this visit. It does not become the customer's default.
    /// - Throws: ``Problem``; nothing is stored then.
    package func keep(_ call: Call, _ input: LinkCardInput) async throws -> Reply<LinkCardResource> {
        let code: LinkCode = try begin(call)
        do {
            return try await News.patiently(News.patience, until: { $0 is AttachPaymentMethod.Failure }) {
                try await pool.transactionRetrying(deadline: call.deadline) { db in
                    let standing: LinkStanding = try lock(code, call, in: db)
                    try Self.require(standing, .card, at: call.now)
                    guard try LinkUseStore.recentCards(of: standing.link.id, in: db) < LinkUseStore.cardsPerHour else {
                        throw VisitLimits.tooMany
                    }
                    let method: PaymentMethodRecord = try attach.method(
                        input.card, of: standing.link.customerID, isDefault: false, at: call.now)
                    try AttachPaymentMethod.insert(method, attach.tokens(of: input.card), in: db)
                    try LinkUseStore.bind(method.id, to: standing.link.id, session: input.session, in: db)
                    return Reply(status: 201, LinkCardResource(method: method))
                }
            }
        } catch AttachPaymentMethod.Failure.unknownCustomer { throw Problem.linkState(.deactivated) }
    }

    /// Begins the payment of this use, or another attempt at it with another card. Asking again with the same card shows
    /// where the payment stands and begins nothing.
    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: PayLinkInput) async throws -> Reply<LinkStatusResource> {
        let code: LinkCode = try begin(call)
        return try await pool.transactionRetrying(deadline: call.deadline) { db in
            let standing: LinkStanding = try lock(code, call, in: db)
            let link: LinkRecord = standing.link
            let isBound: Bool = try LinkUseStore.isBound(
                input.paymentMethodID, to: link.id, session: input.session, in: db)
            guard isBound else {
                throw Problem.invalid(
                    "payment_method_id", code: "unknown_payment_method", "no such card was given on this page")
            }
            let slot: String = link.slot(of: input.session)
            let current: PaymentRecord? = try LinkUseStore.payment(of: link.id, slot: slot, in: db).flatMap { use in
                try PaymentStore.lock(use.paymentID, in: db)
            }
            switch current?.status {
            case nil, .canceled:
                try Self.requireRoom(standing, slot, at: call.now, in: db)
                try Self.first(link, input, call, in: db)
            case .failed where current?.paymentMethodID != input.paymentMethodID:
                try Self.requireRoom(standing, slot, at: call.now, in: db)
                if let current { try Self.again(current, input.paymentMethodID, at: call.now, in: db) }
            default: break
            }
            return try Self.answer(code, input.session, call, in: db)
        }
    }

    /// Tells how the sandbox's challenge ended. No other provider takes the page's word for it.
    /// - Throws: ``Problem``; nothing is stored then.
    package func confirm(_ call: Call, _ input: ConfirmLinkInput) async throws -> Reply<LinkStatusResource> {
        let code: LinkCode = try begin(call)
        return try await pool.transactionRetrying(deadline: call.deadline) { db in
            let link: LinkRecord = try lock(code, call, in: db).link
            guard let use = try LinkUseStore.payment(of: link.id, slot: link.slot(of: input.session), in: db),
                let payment: PaymentRecord = try PaymentStore.lock(use.paymentID, in: db)
            else { throw Problem.notFound("payment") }
            guard payment.status == .requiresAction, payment.provider == "sandbox" else {
                throw ContinuePayment.Failure.notWaiting(payment.status).problem
            }
            _ = try ContinuePayment.confirm(payment.id, passed: input.challenge == .passed, at: call.now, in: db)
            return try Self.answer(code, input.session, call, in: db)
        }
    }

    private func begin(_ call: Call) throws -> LinkCode {
        try limits.act(call)
        return try limits.code(call)
    }

    private func lock(_ code: LinkCode, _ call: Call, in db: borrowing PostgresTransaction) throws -> LinkStanding {
        guard let standing: LinkStanding = try LinkStore.lock(code, in: db) else { throw limits.missed(call) }
        return standing
    }

    private static func require(_ standing: LinkStanding, _ method: LinkMethod, at now: Instant) throws {
        let status: LinkStatus = standing.status(at: now)
        guard status == .active else { throw Problem.linkState(status) }
        guard standing.link.methods.contains(method) else {
            throw Problem.refused("unsupported_method", "This link cannot be paid in this way.")
        }
    }

    /// A new attempt needs an active link with room for one more success.
    private static func requireRoom(
        _ standing: LinkStanding, _ slot: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try require(standing, .card, at: now)
        guard let maxUses: Int = standing.link.maxUses else { return }
        let others: Int = try LinkUseStore.othersAlive(than: slot, of: standing.link.id, in: db)
        guard others < maxUses else { throw Problem.linkState(.completed) }
    }

    private static func first(
        _ link: LinkRecord, _ input: PayLinkInput, _ call: Call, in db: borrowing PostgresTransaction
    ) throws {
        let order = PaymentOrder(
            id: PaymentID.new(at: call.now), customerID: link.customerID, paymentMethodID: input.paymentMethodID,
            page: nil, amount: link.amount, captureMethod: .automatic, description: link.description,
            metadata: Metadata.encode(
                Metadata.decode(link.metadata).merging(["payment_link_id": link.id.rawValue]) { $1 }),
            claim: nil, traceparent: call.trace.traceparent, now: call.now)
        let resolved: [ResolvedMethod] = try PaymentMethodStore.resolve(
            [(order.customerID, order.paymentMethodID)], in: db)
        try RecordPayments.insert(resolved.map { (order, $0) }, in: db)
        try LinkUseStore.use(
            link.id, slot: link.slot(of: input.session), session: input.session, payment: order.id, in: db)
    }

    private static func again(
        _ payment: PaymentRecord, _ method: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let found: PaymentMethodRecord? = try PaymentMethodStore.find(method, in: db)
        guard let found else { throw Problem.notFound("payment method", method.rawValue) }
        let next = NextAttempt(
            payment: payment, attemptID: AttemptID.new(at: now),
            method: ChargeableMethod(
                id: found.id, type: found.type, fingerprint: found.fingerprint, provider: found.provider),
            authenticated: false, offSession: false)
        try PaymentStore.beginAttempts([next], at: now, in: db)
        try Outbox.append([PaymentEvents.created(next, at: now)], in: db)
    }

    private static func answer(
        _ code: LinkCode, _ session: LinkSession, _ call: Call, in db: borrowing PostgresTransaction
    ) throws -> Reply<LinkStatusResource> {
        guard let standing: LinkStanding = try LinkStore.find(code, in: db) else {
            throw Problem.notFound("payment link")
        }
        return .accepted(try LinkStatusResource(standing, session: session, at: call.now, in: db))
    }
}
