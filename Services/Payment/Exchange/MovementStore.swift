package import BillingCore
import Postgres

/// Money that a provider took or gave back, about to be booked.
package struct ExchangeMovement: Sendable {
    /// An attempt's, a capture's or a refund's id: the reference of its journal entry.
    package let reference: String
    package let paymentID: PaymentID
    /// Above zero, for refunds too.
    package let amount: Money
    package let provider: String

    package init(reference: String, paymentID: PaymentID, amount: Money, provider: String) {
        self.reference = reference
        self.paymentID = paymentID
        self.amount = amount
        self.provider = provider
    }
}

/// A movement as it was exchanged; the amounts of what was taken back, by a refund or a dispute, are below zero.
struct ExchangedMovement: Sendable, Equatable {
    let reference: String
    let paymentID: PaymentID
    let amount: Money
    /// Whether it is what was taken back, come again: neither a capture nor a refund.
    let isReturn: Bool
    /// What was booked on the provider's account.
    let settlement: Money
    /// What was booked on the exchange account; of what was taken back or came again, its part of what the captures came to.
    let position: Money
    let rateID: ExchangeRateID?
    /// By how many hundredths of a percent less than the rate's the booked amount is.
    let spreadBasisPoints: Int
    /// What the provider made of it in the end; `nil` while that is not known.
    var settled: Money?

    init(
        reference: String, paymentID: PaymentID, amount: Money, isReturn: Bool = false, settlement: Money,
        position: Money, rateID: ExchangeRateID?, spreadBasisPoints: Int = 0
    ) {
        self.reference = reference
        self.paymentID = paymentID
        self.amount = amount
        self.isReturn = isReturn
        self.settlement = settlement
        self.position = position
        self.rateID = rateID
        self.spreadBasisPoints = spreadBasisPoints
    }
}

extension ExchangedMovement {
    /// Whether it is a change of a dispute, which goes by the dispute's id and a number.
    var isOfDispute: Bool { reference.contains("/") }
}

extension ExchangedMovement: PostgresRecord {
    static let columns: SQL = """
        m.reference, m.payment_id, m.amount, m.currency, m.returned, m.settlement_amount, m.position_amount, \
        m.settled_amount, m.settlement_currency, m.exchange_rate_id, m.spread_basis_points
        """

    init(row: inout PostgresRow) throws {
        reference = try row.next()
        paymentID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        isReturn = try row.next()
        let (booked, part, end): (Int64, Int64, Int64?) = (try row.next(), try row.next(), try row.next())
        let currency: Currency = try row.next()
        settlement = Money(minor: booked, currency: currency)
        position = Money(minor: part, currency: currency)
        settled = end.map { Money(minor: $0, currency: currency) }
        rateID = try row.next()
        spreadBasisPoints = try row.next()
    }
}

/// SQL over movements that changed their currency.
enum MovementStore {
    /// Records movements, and adds what was captured to their payments, whose rows are locked. Of a payment whose captures
    /// became two currencies there is no sum: its amount is NULL from then on, its currency the first.
    static func insert(
        _ movements: [ExchangedMovement], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !movements.isEmpty else { return }
        try db.enqueue(
            """
            WITH m AS (
                INSERT INTO exchange_movements (reference, payment_id, amount, currency, returned, settlement_amount,
                    settlement_currency, position_amount, exchange_rate_id, spread_basis_points, created_at)
                SELECT n.*, \(now) FROM unnest(\(movements.map(\.reference))::text[],
                    \(movements.map(\.paymentID.rawValue))::text[], \(movements.map(\.amount.minor))::bigint[],
                    \(movements.map(\.amount.currency.code))::text[], \(movements.map(\.isReturn))::boolean[],
                    \(movements.map(\.settlement.minor))::bigint[],
                    \(movements.map(\.settlement.currency.code))::text[], \(movements.map(\.position.minor))::bigint[],
                    \(movements.map { $0.rateID?.rawValue })::text[],
                    \(movements.map(\.spreadBasisPoints))::integer[]) AS n
                RETURNING payment_id, amount, returned, settlement_amount, settlement_currency, exchange_rate_id)
            UPDATE payments p SET settlement_amount = CASE WHEN p.settlement_currency IS NULL THEN c.amount
                    WHEN p.settlement_currency = c.currency THEN p.settlement_amount + c.amount END,
                settlement_currency = coalesce(p.settlement_currency, c.currency),
                exchange_rate_id = coalesce(c.rate, p.exchange_rate_id)
            FROM (SELECT payment_id, sum(settlement_amount)::bigint AS amount, max(settlement_currency) AS currency,
                      max(exchange_rate_id) AS rate FROM m WHERE m.amount > 0 AND NOT m.returned GROUP BY payment_id)
                AS c
            WHERE p.id = c.payment_id
            """)
    }

    /// The movements of a payment whose row is locked.
    static func list(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> [ExchangedMovement] {
        try db.query(
            """
            SELECT \(ExchangedMovement.columns) FROM exchange_movements m WHERE m.payment_id = \(payment)
            ORDER BY m.reference
            """, as: ExchangedMovement.self)
    }

    /// A movement, its row locked until the transaction ends; `nil` when it did not change its currency.
    static func lock(_ reference: String, in db: borrowing PostgresTransaction) throws -> ExchangedMovement? {
        try db.first(
            """
            SELECT \(ExchangedMovement.columns) FROM exchange_movements m WHERE m.reference = \(reference) FOR UPDATE
            """, as: ExchangedMovement.self)
    }

    /// Removes the movement of a refund that failed after it was booked.
    static func delete(_ reference: String, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("DELETE FROM exchange_movements WHERE reference = \(reference) AND amount < 0")
    }

    /// Records that what was taken back left the exchange account at less than it was booked at.
    static func lessen(
        _ movement: ExchangedMovement, by excess: Money, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE exchange_movements SET position_amount = position_amount + \(excess.minor)
            WHERE reference = \(movement.reference)
            """)
    }

    /// Records what became of a movement whose row is locked; its payment's amount follows.
    static func settle(
        _ movement: ExchangedMovement, as settled: Money, rate: ExchangeRateID?, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE exchange_movements SET settled_amount = \(settled.minor), settled_rate_id = \(rate)
            WHERE reference = \(movement.reference)
            """)
        guard movement.amount.isPositive, !movement.isReturn else { return }
        let change: Money = try settled.subtracting(movement.settlement)
        try db.enqueue(
            """
            UPDATE payments SET settlement_amount = settlement_amount + \(change.minor),
                exchange_rate_id = coalesce(\(rate), exchange_rate_id)
            WHERE id = \(movement.paymentID)
            """)
    }
}
