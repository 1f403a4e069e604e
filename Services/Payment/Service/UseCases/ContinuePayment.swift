package import PaymentRecords
package import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
package import PaymentDomain
package import Postgres

/// What a customer does with a payment that waits: pass or fail the challenge.
package enum ContinuePayment {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case notFound(String)
        case notWaiting(PaymentStatus)
    }

    /// The customer came back from 3-D Secure. Passed: a new, authenticated attempt begins; the answer shows it under way.
    /// - Throws: ``Failure``; nothing is stored then.
    package static func confirm(
        _ id: PaymentID, passed: Bool, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentRecord {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else {
            throw Failure.notFound(id.rawValue)
        }
        let waits: Bool =
            payment.status == .requiresAction
            || (payment.status == .failed
                && (payment.decline == .authenticationRequired || payment.decline == .authenticationFailed))
        guard waits, let method: ChargeableMethod = try method(of: payment, in: db) else {
            throw Failure.notWaiting(payment.status)
        }
        if passed {
            let next = NextAttempt(
                payment: payment, attemptID: AttemptID.new(at: now), method: method, authenticated: true)
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
                decline_class = \(decline.declineClass.rawValue), stepped_at = now() WHERE id = \(payment.id)
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
            ChargeableMethod(id: $0.id, fingerprint: $0.fingerprint, provider: $0.provider)
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
        }
    }
}
