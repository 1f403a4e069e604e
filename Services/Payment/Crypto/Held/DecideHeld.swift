package import BillingCore
package import HTTPKit
package import PaymentChains
package import Postgres

/// What a person does with held money. Each is one transaction under the charge's row lock: after a crash it is done or
/// it is not, and of two at once the second sees what the first has left.
package struct DecideHeld: Sendable {
    let accepted: AcceptedAssets
    /// Whether more than a price may be kept (`payment.crypto.keep_surplus`).
    let keepsSurplus: Bool

    package init(accepted: AcceptedAssets, keepsSurplus: Bool) {
        self.accepted = accepted
        self.keepsSurplus = keepsSurplus
    }

    /// Makes held money an instruction to an address of the payer, less what sending it costs (`…refund_fee`). It is
    /// signed off by somebody else.
    /// - Parameter amount: Base units with the fee; all that is held when `nil`.
    /// - Throws: ``Problem``: 404 when nothing is held, 409 when nothing is left to decide on and when the chain stands still,
    ///   422 for an address that is none of the chain's and an amount that is more than there is or not worth its fee.
    package func sendBack(
        _ attempt: AttemptID, _ amount: BaseUnits?, to address: String, by principal: Principal, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> InstructionRecord {
        let held: HeldMoney = try found(attempt, in: db)
        let asset: AcceptedAsset = try accepted.named(held.provider)
        let taken: BaseUnits = try part(amount, of: held)
        guard taken > asset.refundFee else {
            throw Problem.invalid(
                "amount", code: "below_fee", "is not more than the \(asset.refundFee) that sending it costs")
        }
        let id = RefundID.new(at: now)
        let record = InstructionRecord(
            id: id, attemptID: attempt, paymentID: held.paymentID, provider: held.provider, reason: .held,
            amount: try taken.subtracting(asset.refundFee), value: nil, address: nil, createdAt: now,
            fee: asset.refundFee, askedBy: principal)
        let checked: RefundInstruction = try SignOff.checked(address, for: record, asset.asset, in: db)
        try InstructionStore.insert(record, in: db)
        try InstructionStore.direct(id, to: checked.address, by: principal, in: db)
        return try SignOff.found(id, in: db)
    }

    /// Keeps held money on top of a payment that was made: the payer has agreed to it.
    /// - Throws: ``Problem``: 404 and 409 as above; 409 when the payment was not made, since its money is the payer's,
    ///   and when the configuration keeps nothing.
    package func keep(
        _ attempt: AttemptID, _ amount: BaseUnits?, reason: String, by actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> HeldMoney {
        let held: HeldMoney = try found(attempt, in: db)
        guard keepsSurplus else {
            throw Problem.conflict("surplus_not_kept", "payment.crypto.keep_surplus is false: it can be sent back.")
        }
        guard held.isPaid else {
            throw Problem.conflict(
                "payment_not_made", "The attempt was declined (\(held.answer)): its money can be sent back.")
        }
        try HeldStore.accept(held, try part(amount, of: held), reason: reason, by: actor, at: now, in: db)
        return try HeldStore.lock(attempt, in: db) ?? held
    }

    private func found(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> HeldMoney {
        guard let held = try HeldStore.lock(attempt, in: db) else {
            throw Problem.notFound("held money", attempt.rawValue)
        }
        try ChainStops.refuse(attempt, in: db)
        guard !held.free.isZero else {
            throw Problem.conflict("nothing_held", "All of it is decided on: \(held.underWay) under way.")
        }
        return held
    }

    private func part(_ amount: BaseUnits?, of held: HeldMoney) throws -> BaseUnits {
        let taken: BaseUnits = amount ?? held.free
        guard !taken.isZero, taken <= held.free else {
            throw Problem.invalid("amount", code: "out_of_range", "must be from 1 to \(held.free)")
        }
        return taken
    }
}
