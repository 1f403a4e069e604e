import PaymentAuthentication
package import PaymentRecords
import PaymentSandbox
package import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
package import PaymentDomain
package import Postgres

/// What a customer does with a payment that waits: pass or fail the challenge, or come back to try again.
package enum ContinuePayment {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(String)
        case notWaiting(PaymentStatus)
        /// The customer finishes on the provider's page; only the provider knows how it ended.
        case elsewhere
        /// The method was taken off the customer, or was good for one charge.
        case methodGone
        /// It collects an invoice, which goes by the customer's default method.
        case ofInvoice
        /// It collects an instalment, which goes by the customer's default method.
        case ofInstalment
    }

    /// What an issuer's authentication of the customer leads to.
    package enum Word: Sendable, Equatable {
        /// The charge goes on, authenticated.
        case authenticated
        /// Nobody could be asked; the charge goes on at the merchant's risk.
        case unavailable
        /// The charge does not go on.
        case refused
    }

    /// The customer came back. `passed`: from the challenge that the sandbox serves itself, after which a new,
    /// authenticated attempt begins. Without it, after a charge that failed for want of authentication, or, where it is owed,
    /// for want of something else that the customer has done since: a new attempt begins with the customer there.
    /// - Parameter asksIssuers: Whether 3-D Secure runs here. Then there is no challenge of the sandbox's: only the issuer's
    ///   word counts, by ``decide(_:_:at:in:)``.
    /// - Throws: ``Failure``; nothing is stored then.
    package static func confirm(
        _ id: PaymentID, passed: Bool?, asksIssuers: Bool, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentRecord {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else {
            throw Failure.notFound(id.rawValue)
        }
        if payment.status == .requiresAction, payment.isHeldAtProvider { throw Failure.elsewhere }
        if passed != nil, try asksIssuers || AuthenticationStore.has(payment.attemptID, in: db) {
            throw Failure.elsewhere
        }
        let isOurs: Bool =
            payment.status == .requiresAction || (payment.wantsCustomer && SandboxProvider.owns(payment.provider))
        guard try passed == nil ? payment.wantsCustomer || isLifted(payment, in: db) : isOurs,
            let method: ChargeableMethod = try method(of: payment, in: db)
        else { throw Failure.notWaiting(payment.status) }
        // One that waits for its customer goes on with the method that it has begun with.
        if payment.status == .failed, try !PaymentMethodStore.canChargeAgain(method.id, in: db) {
            throw Failure.methodGone
        }
        switch passed {
        case nil:
            // A bank that asked for the customer, or has not recognized them, is not answered with another exemption.
            try begin(
                NextAttempt(
                    payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: false,
                    offSession: false, stepUp: .due), at: now, in: db)
        case true?:
            let next = NextAttempt(
                payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: true,
                offSession: payment.offSession, stepUp: .spent)
            try begin(next, at: now, in: db)
            try AuthenticationStore.notePassed(on: next.attemptID, of: id, in: db)
        case false?: try refuse(payment, at: now, in: db)
        }
        return try reread(id, in: db)
    }

    /// The issuer's word, or its silence, on a payment that waits for it; its row is locked.
    /// - Throws: ``Failure``; nothing is stored then.
    package static func decide(
        _ payment: PaymentRecord, _ word: Word, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard word != .refused else { return try refuse(payment, at: now, in: db) }
        guard payment.status == .requiresAction, let method: ChargeableMethod = try method(of: payment, in: db) else {
            throw Failure.notWaiting(payment.status)
        }
        try begin(
            NextAttempt(
                payment: payment, attemptID: AttemptID.new(at: now), method: method,
                authenticated: word == .authenticated, offSession: payment.offSession, stepUp: .spent), at: now, in: db)
    }

    /// Whether what it collects is still to be paid, and what stopped it was for its customer to do away with: they have left
    /// the page that the bank of a stored method sent them to, or had to see to something at the bank. What is used once on
    /// a page is not charged again.
    private static func isLifted(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        guard payment.status == .failed, payment.decline?.canBeLifted == true else { return false }
        return try db.first(
            """
            SELECT coalesce(p.invoice_id, p.instalment_id) IS NOT NULL AND NOT m.single_use
            FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id WHERE p.id = \(payment.id)
            """
        ) { row in try row.next() } ?? false
    }

    private static func begin(
        _ next: NextAttempt, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try PaymentStore.beginAttempts([next], at: now, in: db)
        try Outbox.append([PaymentEvents.created(next, at: now)], in: db)
    }

    private static func refuse(
        _ payment: PaymentRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard payment.status == .requiresAction else { return }
        let decline: Decline = .authenticationFailed
        if try CancelPayment.collectAgain([payment], withAnother: true, at: now, in: db).contains(payment.id) {
            return try PaymentStore.endAttempt(payment.attemptID, decline, at: now, in: db)
        }
        try PaymentStore.fail(payment, decline, at: now, in: db)
        try Outbox.append([PaymentEvents.failed(payment, decline, at: now)], in: db)
    }

    private static func method(
        of payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> ChargeableMethod? {
        guard let id: PaymentMethodID = payment.paymentMethodID else { return nil }
        return try PaymentMethodStore.find(id, in: db).map {
            ChargeableMethod(id: $0.id, type: $0.type, fingerprint: $0.fingerprint, provider: $0.provider)
        }
    }

    private static func reread(_ id: PaymentID, in db: borrowing PostgresTransaction) throws -> PaymentRecord {
        guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else {
            throw Failure.notFound(id.rawValue)
        }
        return payment
    }
}

extension ContinuePayment.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("payment", id)
        case .notWaiting(let status):
            .conflict("payment_state", "The payment is \(status.rawValue); this is not possible now.")
        case .methodGone:
            .conflict("payment_method_gone", "The payment's method cannot be charged any more: pay with another.")
        case .ofInvoice:
            .conflict(
                "payment_of_invoice",
                "The payment collects an invoice: make the method the customer's default, which is tried at once.")
        case .ofInstalment:
            .conflict(
                "payment_of_instalment",
                "The payment collects an instalment: make the method the customer's default, which is tried at once.")
        case .elsewhere:
            .conflict(
                "payment_state",
                "The customer finishes on the provider's or the issuer's page; nobody else can say how.")
        }
    }
}
