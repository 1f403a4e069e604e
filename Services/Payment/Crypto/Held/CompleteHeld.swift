package import BillingCore
import HTTPKit
package import PaymentChains
import PaymentDomain
import PaymentRecords
package import Postgres

/// Makes a declined attempt good with the money that came too late for it: the payer meant to pay, and the goods are still
/// to be had.
///
/// One transaction under the charge's row lock, then the payment's: the charge's last word becomes `captured`, and the
/// payment is `processing` again. From there it goes the way of every capture: the word is told until it is taken, and read
/// by the sweeper if it is not, so that it is booked once whatever crashes in between.
package struct CompleteHeld: Sendable {
    let accepted: AcceptedAssets

    package init(accepted: AcceptedAssets) { self.accepted = accepted }

    /// - Parameter reason: For people; kept with who decided.
    /// - Throws: ``Problem``: 409 when the attempt was paid, in time or by an earlier decision, when its payment has gone on
    ///   or was given up, when a part of the money is decided on, when it is less than the price, and when the chain stands
    ///   still; 404 when nothing is held.
    package func callAsFunction(
        _ attempt: AttemptID, reason: String, by actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> HeldCompletion {
        let held: HeldMoney? = try HeldStore.lock(attempt, in: db)
        guard let declined = try CryptoChargeStore.find(attempt, in: db), let answer = declined.answer else {
            throw Problem.notFound("held money", attempt.rawValue)
        }
        guard answer != .captured else {
            throw Problem.conflict("payment_made", "The attempt was paid: what may be held is more than its price.")
        }
        guard let held else { throw Problem.notFound("held money", attempt.rawValue) }
        try ChainStops.refuse(attempt, in: db)
        guard held.free == declined.standing.held else {
            throw Problem.conflict("partly_decided", "A part of the money goes back, or has gone back.")
        }
        let payment: PaymentRecord = try open(declined, in: db)
        try CryptoChargeStore.complete(attempt, at: now, in: db)
        let applied: BaseUnits = try apply(attempt, at: now, in: db)
        let completion = HeldCompletion(
            attemptID: attempt, paymentID: payment.id, amount: applied, reason: reason, actor: actor, completedAt: now)
        try completion.insert(in: db)
        try PaymentStore.reopen(payment, in: db)
        return completion
    }

    /// The payment, its row locked, where it still is at the declined attempt and asks for the price of it.
    private func open(_ charge: CryptoCharge, in db: borrowing PostgresTransaction) throws -> PaymentRecord {
        guard let payment: PaymentRecord = try PaymentStore.lock(charge.paymentID, in: db),
            payment.status.after(.reopen) != nil, payment.attemptID == charge.attemptID, payment.amount == charge.price
        else {
            throw Problem.conflict(
                "payment_state",
                "The payment has gone on without this attempt, or was given up: the money can be sent back.")
        }
        return payment
    }

    /// Judges what is on the address anew, late money counted, and moves what is owed to the payer.
    /// - Returns: What pays, base units.
    private func apply(
        _ attempt: AttemptID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> BaseUnits {
        guard let charge = try CryptoChargeStore.find(attempt, in: db),
            let watch = try WatchStore.watches(of: [charge], in: db)[attempt]
        else { throw Problem.notFound("held money", attempt.rawValue) }
        let chain: String = try accepted.named(charge.provider).asset.chain
        let trail: ChainTrail = try ChainStore.trail(of: chain, depth: ChainStore.depth, in: db)
        let standing: Standing = try watch.standing(on: trail, at: now)
        guard standing.outcome == .paid || standing.outcome == .overpaid else {
            throw Problem.conflict(
                "not_enough_held", "\(standing.received) of \(charge.expected) base units are there and confirmed.")
        }
        let stored = StoredStanding(standing)
        try CryptoChargeStore.captured(standing.applied, of: attempt, in: db)
        try CryptoChargeStore.save(stored, of: attempt, closedAt: charge.closedAt, in: db)
        try PayerFunds.arrive(attempt, at: now, in: db)
        try InstructionStore.offerBack(stored.refundable, of: charge, reason: .overpaid, at: now, in: db)
        return standing.applied
    }
}

/// A decision that held money completes a payment, as stored.
package struct HeldCompletion: Sendable {
    package let attemptID: AttemptID
    package let paymentID: PaymentID
    /// What pays, base units.
    package let amount: BaseUnits
    package let reason: String
    package let actor: String
    package let completedAt: Instant

    fileprivate func insert(in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            INSERT INTO crypto_completions (attempt_id, amount, reason, actor, completed_at)
            VALUES (\(attemptID), \(amount), \(reason), \(actor), \(completedAt))
            """)
    }
}
