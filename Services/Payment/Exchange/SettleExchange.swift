package import BillingCore
package import PaymentDomain
import PaymentRecords
package import Postgres

/// What a provider made of a movement, as its balance transaction or report tells.
package struct ProviderSettlement: Sendable {
    /// The attempt, capture or refund.
    package let reference: String
    package let paymentID: PaymentID
    package let provider: String
    /// In the payment's currency; below zero for a refund.
    package let given: Money
    /// In the currency of settlement, before fees; below zero for a refund.
    package let settled: Money
    /// The provider's own rate, kept as it gave it; `nil` where it does not tell.
    package let rate: ExactDecimal?

    package init(
        reference: String, paymentID: PaymentID, provider: String, given: Money, settled: Money, rate: ExactDecimal?
    ) {
        self.reference = reference
        self.paymentID = paymentID
        self.provider = provider
        self.given = given
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
    /// - Returns: What was booked; no lines when the provider settled just what was booked.
    /// - Throws: ``Failure``; ``ExchangeError`` for a rate that is none.
    package static func book(
        _ settlement: ProviderSettlement, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [Posting] {
        guard settlement.given.currency != settlement.settled.currency else { return [] }
        // Everything about one payment's exchange goes one after the other.
        _ = try db.execute("SELECT FROM payments WHERE id = \(settlement.paymentID) FOR UPDATE")
        let booked: ExchangedMovement? = try MovementStore.lock(settlement.reference, in: db)
        if let end: Money = booked?.settled {
            guard end == settlement.settled else { throw Failure.settledOtherwise(end) }
            return []
        }
        let rate: ExchangeRateID? = try keep(settlement, at: now, in: db)
        let postings: [Posting]
        if let booked {
            guard booked.amount == settlement.given else { throw Failure.mismatch(booked: booked.amount) }
            guard booked.settlement.currency == settlement.settled.currency else {
                throw Failure.mismatch(booked: booked.settlement)
            }
            postings = try ExchangeLedger.correction(
                booked: booked.settlement, settled: settlement.settled, provider: settlement.provider)
            try MovementStore.settle(booked, as: settlement.settled, rate: rate, in: db)
        } else {
            postings = try change(settlement, rate, at: now, in: db)
        }
        guard !postings.isEmpty else { return [] }
        let entry = JournalEntry(
            id: .new(at: now), kind: .settlement, reference: settlement.reference, paymentID: settlement.paymentID,
            occurredAt: now, postings: postings)
        try LedgerStore.book([entry], in: db)
        return postings
    }

    /// A movement that was booked in its own currency for want of a rate: it changes now, at what the provider says it is
    /// worth; a refund leaves the exchange account at what its captures came in at.
    private static func change(
        _ settlement: ProviderSettlement, _ rate: ExchangeRateID?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [Posting] {
        var position: Money = settlement.settled
        if settlement.given.isNegative {
            let refunded: Money = try settlement.given.negated()
            let past = try ExchangePosition(MovementStore.list(of: settlement.paymentID, in: db), refunded.currency)
            if let (exchanged, part) = try past?.part(of: refunded), exchanged == refunded {
                position = try part.negated()
            }
        }
        let late = ExchangedMovement(
            reference: settlement.reference, paymentID: settlement.paymentID, amount: settlement.given,
            settlement: settlement.settled, position: position, rateID: rate)
        try MovementStore.insert([late], at: now, in: db)
        try MovementStore.settle(late, as: settlement.settled, rate: rate, in: db)
        return try ExchangeLedger.settlement(
            of: settlement.given, booked: position, settled: settlement.settled, provider: settlement.provider)
    }

    private static func keep(
        _ settlement: ProviderSettlement, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> ExchangeRateID? {
        guard let number: ExactDecimal = settlement.rate else { return nil }
        let rate = try ExchangeRate(
            from: settlement.given.currency, to: settlement.settled.currency, numerator: number, date: now.utcDay,
            source: .provider(settlement.provider))
        return try RateStore.add(rate, actor: nil, at: now, in: db).id
    }
}
