package import BillingCore
import PaymentDomain
package import Postgres

/// The built-in provider: answers by test card and keeps books of its own, as an outside one would.
///
/// A charge under a key happens once, however often and from wherever it is asked for.
package struct SandboxProvider: PaymentProvider {
    /// How long the `slow` card takes.
    static let slowAnswer: Duration = .seconds(3)

    package let name = "sandbox"
    private let charges: GroupCommit<SandboxCharge, ChargeAnswer>
    private let pool: PostgresPool

    /// A provider whose books are in the pool's schema.
    package init(pool: PostgresPool) {
        self.pool = pool
        charges = GroupCommit(pool, maxBatch: 200) { db, items in try SandboxBooks.charge(items, in: db) }
    }

    package func charge(_ request: ChargeRequest) async throws -> ChargeAnswer {
        guard let card = SandboxCard(token: request.providerToken) else {
            return .declined(code: Decline.genericDecline.code)
        }
        if card == .slow { try await Task.sleep(for: Self.slowAnswer) }
        let answer: ChargeAnswer = try await charges.submit(SandboxCharge(request: request, card: card))
        if card == .timeoutThenSuccess { throw ProviderFault.timedOut }
        return answer
    }

    package func lookUp(_ key: AttemptID) async throws -> ChargeAnswer? {
        try await pool.transaction(readOnly: true) { db in try SandboxBooks.answers(to: [key], in: db)[key] }
    }

    package func refund(_ request: RefundRequest) async throws -> RefundAnswer {
        try await pool.transactionRetrying { db in try SandboxBooks.refund(request, in: db) }
    }
}

/// A charge on its way into the sandbox's books.
struct SandboxCharge: Sendable {
    let request: ChargeRequest
    let card: SandboxCard
}

/// SQL over the sandbox provider's books.
enum SandboxBooks {
    /// Books what is new under its key and answers with what stands there.
    static func charge(
        _ charges: [SandboxCharge], in db: borrowing PostgresTransaction
    ) throws -> [Result<ChargeAnswer, any Error>] {
        let answers: [(outcome: String, declineCode: String?)] = charges.map {
            $0.card.answer(authenticated: $0.request.authenticated)
        }
        let keys: [AttemptID] = charges.map(\.request.idempotencyKey)
        let booked: Int = try db.execute(
            """
            INSERT INTO sandbox_charges (idempotency_key, reference, amount, currency, outcome, decline_code)
            SELECT c.key, 'ch_' || c.key, c.amount, c.currency, c.outcome, c.decline_code
            FROM unnest(\(keys.map(\.rawValue))::text[], \(charges.map(\.request.amount.minor))::bigint[],
                \(charges.map(\.request.amount.currency.code))::text[], \(answers.map(\.outcome))::text[],
                \(answers.map(\.declineCode))::text[]) AS c(key, amount, currency, outcome, decline_code)
            ON CONFLICT (idempotency_key) DO NOTHING
            """)
        if booked == charges.count {
            return zip(keys, answers).map { .success(answer(to: $0, $1.outcome, $1.declineCode)) }
        }
        let standing: [AttemptID: ChargeAnswer] = try Self.answers(to: keys, in: db)
        return keys.map { key in
            guard let answer: ChargeAnswer = standing[key] else {
                return .failure(ProviderFault.unusable("the charge is not in the books"))
            }
            return .success(answer)
        }
    }

    /// What stands under keys; absent ones were never seen.
    static func answers(
        to keys: [AttemptID], in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: ChargeAnswer] {
        let rows: [(AttemptID, ChargeAnswer)] = try db.query(
            """
            SELECT idempotency_key, outcome, decline_code FROM sandbox_charges
            WHERE idempotency_key = ANY(\(keys.map(\.rawValue))::text[])
            """
        ) { row in
            let key: AttemptID = try row.next()
            return (key, answer(to: key, try row.next(), try row.next()))
        }
        return Dictionary(rows) { first, _ in first }
    }

    private static func answer(to key: AttemptID, _ outcome: String, _ declineCode: String?) -> ChargeAnswer {
        switch outcome {
        case "succeeded": .captured(reference: "ch_\(key.rawValue)")
        case "requires_action": .actionRequired
        default: .declined(code: declineCode ?? Decline.genericDecline.code)
        }
    }

    /// Books a refund under its key; the books refuse to give back more than was charged.
    ///
    /// The charge's row is locked first: what is read after it is read with every earlier refund in sight.
    static func refund(_ request: RefundRequest, in db: borrowing PostgresTransaction) throws -> RefundAnswer {
        let charged: Int64? = try db.first(
            """
            SELECT amount FROM sandbox_charges WHERE idempotency_key = \(request.chargeKey) AND outcome = 'succeeded'
            FOR UPDATE
            """
        ) { row in try row.next() }
        let known: String? = try db.first(
            "SELECT reference FROM sandbox_refunds WHERE idempotency_key = \(request.idempotencyKey)"
        ) { row in try row.next() }
        if let known { return .refunded(reference: known) }
        let returned: Int64? = try db.first(
            """
            SELECT coalesce(sum(amount), 0)::bigint FROM sandbox_refunds WHERE charge_key = \(request.chargeKey)
            """
        ) { row in try row.next() }
        guard let charged else { return .refused(code: "charge_not_found") }
        guard let returned, charged - returned >= request.amount.minor else {
            return .refused(code: "charge_already_refunded")
        }
        let reference = "re_\(request.idempotencyKey.rawValue)"
        _ = try db.execute(
            """
            INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, amount)
            VALUES (\(request.idempotencyKey), \(reference), \(request.chargeKey), \(request.amount.minor))
            """)
        return .refunded(reference: reference)
    }
}
