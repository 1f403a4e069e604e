package import BillingCore
import PaymentDomain
package import PaymentRecords
package import Postgres

/// What a provider made of a movement, as its balance transaction or report tells.
package struct ProviderSettlement: Sendable {
    /// The attempt, capture or refund, or the change of a dispute.
    package let reference: String
    package let paymentID: PaymentID
    package let provider: String
    /// In the payment's currency; below zero for what was taken back.
    package let given: Money
    /// Whether it is what was taken back, come again: a dispute that was won.
    package let isReturn: Bool
    /// In the currency of settlement, before fees; below zero for what was taken back.
    package let settled: Money
    /// The provider's own rate, kept as it gave it; `nil` where it does not tell.
    package let rate: ExactDecimal?

    package init(
        reference: String, paymentID: PaymentID, provider: String, given: Money, isReturn: Bool = false, settled: Money,
        rate: ExactDecimal?
    ) {
        self.reference = reference
        self.paymentID = paymentID
        self.provider = provider
        self.given = given
        self.isReturn = isReturn
        self.settled = settled
        self.rate = rate
    }
}

/// Books what a provider settled beside what was booked: the difference is a gain or a loss.
package enum SettleExchange {
    /// Why it is refused; nothing is booked then.
    package enum Failure: Error, Equatable {
        /// It was settled before, at another amount: a case for reconciliation.
        case settledOtherwise(Money)
        /// Another amount or currency than was booked: a case for reconciliation.
        case mismatch(booked: Money)
    }

    /// Records a settlement once; the same again changes nothing.
    /// - Parameter occurredAt: When the provider says that it happened.
    /// - Returns: The entry to book in this transaction; `nil` when the provider settled just what was booked.
    /// - Throws: ``Failure``; ``ExchangeError`` for a rate that is none.
    package static func record(
        _ settlement: ProviderSettlement, occurredAt: Instant, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> JournalEntry? {
        guard settlement.given.currency != settlement.settled.currency else { return nil }
        // Everything about one payment's exchange goes one after the other.
        _ = try db.execute("SELECT FROM payments WHERE id = \(settlement.paymentID) FOR UPDATE")
        let booked: ExchangedMovement? = try MovementStore.lock(settlement.reference, in: db)
        if let end: Money = booked?.settled {
            guard end == settlement.settled else { throw Failure.settledOtherwise(end) }
            return nil
        }
        if let booked {
            guard booked.amount == settlement.given else { throw Failure.mismatch(booked: booked.amount) }
            guard booked.settlement.currency == settlement.settled.currency else {
                throw Failure.mismatch(booked: booked.settlement)
            }
        }
        let rate: ExchangeRateID? = try keep(settlement, on: occurredAt.utcDay, at: now, in: db)
        let postings: [Posting]
        if let booked {
            postings = try ExchangeLedger.correction(
                booked: booked.settlement, settled: settlement.settled, provider: settlement.provider)
            try MovementStore.settle(booked, as: settlement.settled, rate: rate, in: db)
        } else {
            postings = try change(settlement, rate, at: now, in: db)
        }
        guard !postings.isEmpty else { return nil }
        return JournalEntry(
            id: .new(at: now), kind: .settlement, reference: settlement.reference, paymentID: settlement.paymentID,
            occurredAt: occurredAt, postings: postings)
    }

    /// A movement that was booked in its own currency, for want of a rate or of a settlement currency: it changes now, at
    /// what the provider says it is worth.
    private static func change(
        _ settlement: ProviderSettlement, _ rate: ExchangeRateID?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [Posting] {
        let past = try ExchangePosition(
            MovementStore.list(of: settlement.paymentID, in: db), settlement.given.currency,
            in: settlement.settled.currency)
        let position: Money = try position(of: settlement, after: past)
        let late = ExchangedMovement(
            reference: settlement.reference, paymentID: settlement.paymentID, amount: settlement.given,
            isReturn: settlement.isReturn, settlement: settlement.settled, position: position, rateID: rate)
        try MovementStore.insert([late], at: now, in: db)
        try MovementStore.settle(late, as: settlement.settled, rate: rate, in: db)
        return try ExchangeLedger.settlement(
            of: settlement.given, booked: position, settled: settlement.settled, provider: settlement.provider)
    }

    /// What a movement is on the exchange account. What was taken back leaves it at what its captures came in at, and comes
    /// again at what it left at; what was taken beyond them counts as it was settled.
    private static func position(of settlement: ProviderSettlement, after past: ExchangePosition) throws -> Money {
        if settlement.isReturn {
            return try past.part(returning: settlement.given) ?? settlement.settled
        }
        guard settlement.given.isNegative else {
            return try past.part(capturing: settlement.given, as: settlement.settled)
        }
        let refunded: Money = try settlement.given.negated()
        guard let (exchanged, part) = try past.part(of: refunded) else { return settlement.settled }
        let share = try Ratio(numerator: exchanged.minor, denominator: refunded.minor)
        let covered: Money = try settlement.settled.multiplied(by: share, rounding: .halfEven)
        return try settlement.settled.subtracting(covered).subtracting(part)
    }

    private static func keep(
        _ settlement: ProviderSettlement, on day: CivilDate, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> ExchangeRateID? {
        guard let number: ExactDecimal = settlement.rate else { return nil }
        let rate = try ExchangeRate(
            from: settlement.given.currency, to: settlement.settled.currency, numerator: number, date: day,
            source: .provider(settlement.provider))
        return try RateStore.add(rate, actor: nil, at: now, in: db).id
    }
}
