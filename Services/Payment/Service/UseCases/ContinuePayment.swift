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
    }

    /// The customer came back. `passed`: from the challenge that the sandbox serves itself, after which a new,
    /// authenticated attempt begins. Without it, after a charge that failed for want of authentication: a new attempt
    /// begins with the customer there. Once the issuer was asked by 3-D Secure, only `byIssuer` may say how it ended.
    /// - Throws: ``Failure``; nothing is stored then.
    package static func confirm(
        _ id: PaymentID, passed: Bool?, byIssuer: Bool = false, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentRecord {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else {
            throw Failure.notFound(id.rawValue)
        }
        if payment.status == .requiresAction, payment.isHeldAtProvider { throw Failure.elsewhere }
        if !byIssuer, passed != nil, try AuthenticationStore.has(payment.attemptID, in: db) { throw Failure.elsewhere }
        let wantsCustomer: Bool =
            payment.status == .failed
            && (payment.decline == .authenticationRequired || payment.decline == .authenticationFailed)
        let isOurs: Bool =
            payment.status == .requiresAction || (wantsCustomer && SandboxProvider.owns(payment.provider))
        guard passed == nil ? wantsCustomer : isOurs, let method: ChargeableMethod = try method(of: payment, in: db)
        else { throw Failure.notWaiting(payment.status) }
        if passed ?? true {
            let next = NextAttempt(
                payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: passed ?? false,
                offSession: passed == nil ? false : payment.offSession)
            try PaymentStore.beginAttempts([next], at: now, in: db)
            try Outbox.append([PaymentEvents.created(next, at: now)], in: db)
        } else if payment.status == .requiresAction {
            let decline: Decline = .authenticationFailed
            try fail(payment, decline, in: db)
            try Outbox.append([PaymentEvents.failed(payment, decline, at: now)], in: db)
        }
        return try reread(id, in: db)
    }

    private static func fail(
        _ payment: PaymentRecord, _ decline: Decline, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payments SET status = 'failed', decline_code = \(decline.code),
                decline_class = \(decline.declineClass.rawValue), next_action = NULL, stepped_at = now() WHERE id = \(payment.id)
            """)
        try db.enqueue(
            "UPDATE payment_attempts SET status = 'failed', decline_code = \(decline.code) WHERE id = \(payment.attemptID)"
        )
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
        case .elsewhere:
            .conflict(
                "payment_state",
                "The customer finishes on the provider's or the issuer's page; nobody else can say how.")
        }
    }
}
