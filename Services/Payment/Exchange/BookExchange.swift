package import BillingCore
package import PaymentDomain
package import Postgres

/// Books captures and refunds in the currency in which their provider settles.
///
/// The lines go into the movement's own journal entry, in the transaction of its outcome. Where no rate is in force, or
/// one that makes of the amount what nobody can have meant, the movement is booked in its own currency, as if it were
/// settled so, and ``SettleExchange`` sets it right when the provider tells what it made of it: a missing or absurd rate
/// holds up no payment, and none is guessed.
package struct BookExchange: Sendable {
    let policy: SettlementPolicy

    package init(policy: SettlementPolicy) { self.policy = policy }

    /// The lines of captures, in their order, and their records.
    /// - Parameter captures: Of payments whose rows are locked.
    package func captures(
        _ captures: [ExchangeMovement], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [[Posting]] {
        var rates = RateCache(rates: policy.rates, now: now)
        var exchanged: [ExchangedMovement] = []
        var entries: [[Posting]] = []
        for capture in captures {
            let spread: Int = policy.spread(at: capture.provider)
            guard let target: Currency = policy.target(of: capture.amount, at: capture.provider),
                let (booked, rate) = try rates.exchange(capture.amount, to: target, less: spread, in: db),
                booked.isPositive
            else {
                entries.append(try Ledger.capture(capture.amount, provider: capture.provider))
                continue
            }
            entries.append(try ExchangeLedger.capture(capture.amount, booked: booked, provider: capture.provider))
            exchanged.append(
                ExchangedMovement(
                    reference: capture.reference, paymentID: capture.paymentID, amount: capture.amount,
                    settlement: booked, position: booked, rateID: rate, spreadBasisPoints: spread))
        }
        try MovementStore.insert(exchanged, at: now, in: db)
        return entries
    }

    /// The lines of a refund, and its record. It leaves the exchange account at the value its payment's captures came in
    /// at, to the last unit. What the provider will take is foreseen by the rate itself: its spread was kept of what came in.
    /// One of which not all was exchanged on the way in is booked in its own currency, whole: its line is one amount, and
    /// finds no entry that is two. ``SettleExchange`` tells its parts when the line comes.
    /// - Parameter refund: Of a payment whose row is locked.
    package func refund(
        _ refund: ExchangeMovement, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [Posting] {
        let past = try ExchangePosition(MovementStore.list(of: refund.paymentID, in: db), refund.amount.currency)
        guard let (exchanged, part): (Money, Money) = try past?.part(of: refund.amount),
            exchanged == refund.amount
        else {
            return try Ledger.refund(refund.amount, provider: refund.provider)
        }
        var rates = RateCache(rates: policy.rates, now: now)
        let found: (worth: Money, rate: ExchangeRateID)? = try rates.exchange(
            exchanged, to: part.currency, less: 0, in: db)
        let expected: Money = found?.worth ?? part
        try MovementStore.insert(
            [
                ExchangedMovement(
                    reference: refund.reference, paymentID: refund.paymentID, amount: try exchanged.negated(),
                    settlement: try expected.negated(), position: try part.negated(), rateID: found?.rate)
            ], at: now, in: db)
        return try ExchangeLedger.refund(exchanged, part: part, expected: expected, provider: refund.provider)
    }

    /// Forgets the exchange of a refund whose lines are undone: what it took from the exchange account is there again. What
    /// a dispute took beyond the captures, beside the refund, may not be beyond them any more: it leaves at what they came
    /// in at, and the difference is a gain or a loss.
    /// - Parameter reference: Of a payment whose row is locked.
    /// - Returns: The lines of that, to be booked with the refund's; mostly none.
    @discardableResult
    package static func undo(
        refund reference: String, in db: borrowing PostgresTransaction
    ) throws -> [Posting] {
        guard let refund: ExchangedMovement = try MovementStore.lock(reference, in: db), refund.amount.isNegative else {
            return []
        }
        try MovementStore.delete(reference, in: db)
        let others: [ExchangedMovement] = try MovementStore.list(of: refund.paymentID, in: db)
        let dispute: ExchangedMovement? = others.last {
            $0.isOfDispute && $0.amount.isNegative && $0.position.currency == refund.position.currency
        }
        guard let dispute else { return [] }
        let position = try ExchangePosition(others, refund.amount.currency, in: refund.position.currency)
        guard let excess: Money = try position.excess(of: dispute), !excess.isZero else { return [] }
        try MovementStore.lessen(dispute, by: excess, in: db)
        return [
            Posting(account: ExchangeLedger.position, amount: try excess.negated()),
            try ExchangeLedger.difference(booked: excess, settled: .zero(excess.currency)),
        ]
    }
}

/// Looks each pair up once for a batch.
private struct RateCache {
    let rates: RatesInForce
    let now: Instant
    private var found: [[Currency]: (id: ExchangeRateID, rate: ExchangeRate)?] = [:]

    init(rates: RatesInForce, now: Instant) {
        self.rates = rates
        self.now = now
    }

    /// What an amount comes to, and by which rate.
    /// - Parameter spread: Hundredths of a percent that the provider keeps of it.
    /// - Returns: `nil` when no rate is in force, or it makes more of the amount than any line of a provider has.
    mutating func exchange(
        _ amount: Money, to: Currency, less spread: Int, in db: borrowing PostgresTransaction
    ) throws -> (worth: Money, rate: ExchangeRateID)? {
        guard let found = try find(from: amount.currency, to: to, in: db) else { return nil }
        do {
            let worth: Money = try found.rate.convert(
                amount, spreadBasisPoints: -spread, rounding: .halfEven
            ).received
            guard worth.minor <= SettlementLine.largestAmount else { return nil }
            return (worth: worth, rate: found.id)
        } catch ExchangeError.amount(.overflow) {
            return nil
        }
    }

    /// - Returns: `nil` when no rate is in force.
    private mutating func find(
        from: Currency, to: Currency, in db: borrowing PostgresTransaction
    ) throws -> (id: ExchangeRateID, rate: ExchangeRate)? {
        if let known = found[[from, to]] { return known }
        var rate: (id: ExchangeRateID, rate: ExchangeRate)?
        do {
            rate = try rates.stored(from: from, to: to, at: now, in: db)
        } catch ExchangeError.noRate, ExchangeError.stale {
            rate = nil
        }
        found[[from, to]] = .some(rate)
        return rate
    }
}
