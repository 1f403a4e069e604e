package import BillingCore
import PaymentContract
import PaymentDomain
package import PaymentWallets
package import Postgres

/// SQL over wallets' tokens: which were seen, what waits for its charge, which were refused.
package enum WalletStore {
    /// Why a wallet's card cannot pay a payment.
    package enum Obstacle: String, Sendable {
        case used, stale, amount
    }

    /// A payment with a wallet's card that is over.
    package struct Finished: Sendable {
        let payment: PaymentID
        let attempt: AttemptID
        let eci: String?
        let isAuthenticated: Bool
        let isShifted: Bool

        /// - Parameter isShifted: Whether the issuer bears fraud.
        package init(payment: PaymentID, attempt: AttemptID, eci: String?, isAuthenticated: Bool, isShifted: Bool) {
            self.payment = payment
            self.attempt = attempt
            self.eci = eci
            self.isAuthenticated = isAuthenticated
            self.isShifted = isShifted
        }
    }

    /// Marks a token as seen, in the transaction that accepts it.
    /// - Parameter method: What it becomes.
    /// - Returns: Whether it comes for the first time.
    package static func see(
        _ token: SingleUse, as method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let kept: Int = try db.execute(
            """
            INSERT INTO wallet_tokens (id, keep_until, payment_method_id)
            VALUES (\(token.id), \(token.keepUntil), \(method)) ON CONFLICT DO NOTHING
            """)
        return kept == 1
    }

    /// What a token that was seen became; `nil` where that was not noted.
    package static func method(
        of token: SingleUse, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodID? {
        try db.first("SELECT payment_method_id FROM wallet_tokens WHERE id = \(token.id)") { row in
            try row.next() as PaymentMethodID?
        } ?? nil
    }

    /// Keeps what the charge needs, beside a payment method that is used once from here on.
    package static func keep(
        _ credential: WalletCredential, sealed: [UInt8], of method: PaymentMethodID,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE payment_methods SET wallet = \(credential.wallet.rawValue), single_use = true,
                authenticated_by_wallet = \(credential.card.isAuthenticated) WHERE id = \(method)
            """)
        try db.enqueue(
            """
            INSERT INTO wallet_credentials (payment_method_id, sealed, amount, currency, usable_until)
            VALUES (\(method), \(sealed), \(credential.amount?.minor), \(credential.amount?.currency.code),
                \(credential.singleUse.keepUntil))
            """)
    }

    /// Takes the credential of a wallet's card for one payment, in place of that of an attempt before.
    /// - Returns: Why it is not to be had; `nil` when it was taken.
    package static func take(
        _ method: PaymentMethodID, for payment: PaymentID, of amount: Money, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Obstacle? {
        let found: (isFree: Bool, isFresh: Bool, fits: Bool)? = try db.first(
            """
            SELECT payment_id IS NULL, usable_until > \(now)::timestamptz,
                amount IS NULL OR (amount = \(amount.minor)::bigint AND currency = \(amount.currency.code)::text)
            FROM wallet_credentials WHERE payment_method_id = \(method) FOR UPDATE
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let found, found.isFree else { return .used }
        guard found.isFresh else { return .stale }
        guard found.fits else { return .amount }
        // The credential of an attempt that is over; the payment is new, or its row is locked and it has failed.
        try db.enqueue("DELETE FROM wallet_credentials WHERE payment_id = \(payment)")
        try db.enqueue("UPDATE wallet_credentials SET payment_id = \(payment) WHERE payment_method_id = \(method)")
        return nil
    }

    /// The sealed credential of a wallet's card that a payment has taken.
    package static func credential(
        of method: PaymentMethodID, for payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> [UInt8]? {
        try db.first(
            "SELECT sealed FROM wallet_credentials WHERE payment_id = \(payment) AND payment_method_id = \(method)"
        ) { row in try row.next() }
    }

    /// Forgets the credential of a method that no payment has taken.
    package static func forget(_ method: PaymentMethodID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            "DELETE FROM wallet_credentials WHERE payment_method_id = \(method) AND payment_id IS NULL")
    }

    /// Forgets the credentials of payments that are over, in the transaction that records it, and notes on the attempts
    /// how their customers were authenticated by their wallets. What came of an authentication elsewhere stays as it is noted.
    package static func finish(
        _ payments: [Finished], in db: borrowing PostgresTransaction
    ) throws {
        guard !payments.isEmpty else { return }
        try db.enqueue(
            "DELETE FROM wallet_credentials WHERE payment_id = ANY(\(payments.map(\.payment.rawValue))::text[])")
        try db.enqueue(
            """
            WITH noted AS (
                UPDATE payment_attempts a SET authentication = coalesce(a.authentication, '{}')
                    || jsonb_strip_nulls(jsonb_build_object(
                        'by', CASE WHEN w.authenticated THEN 'wallet' END,
                        'eci', CASE WHEN w.authenticated OR a.authentication->>'eci' IS NULL THEN w.eci END,
                        'liability', CASE WHEN w.authenticated AND w.shifted THEN 'issuer'
                            WHEN w.authenticated OR a.authentication->>'liability' IS NULL THEN 'merchant' END))
                FROM unnest(\(payments.map(\.attempt.rawValue))::text[], \(payments.map(\.eci))::text[],
                    \(payments.map(\.isAuthenticated))::boolean[], \(payments.map(\.isShifted))::boolean[])
                    AS w(attempt, eci, authenticated, shifted)
                WHERE a.id = w.attempt RETURNING a.id, a.payment_id, a.authentication)
            UPDATE payments p SET authentication = n.authentication FROM noted n
            WHERE p.id = n.payment_id AND p.attempt_id = n.id
            """)
    }

    /// Notes that a token was refused.
    package static func refuse(
        _ wallet: String, _ reason: String, of customer: CustomerID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO wallet_refusals (customer_id, wallet, reason, refused_at)
            VALUES (\(customer), \(wallet), \(reason), \(now))
            """)
    }
}
