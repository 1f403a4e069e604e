package import BillingCore
package import HTTPKit
import PaymentChains
package import Postgres

/// How a person deals with what is to be sent back.
package enum SignOff {
    /// Says where it goes. What has been sent goes where it went.
    package static func direct(
        _ id: RefundID, to address: String, by principal: Principal, _ accepted: AcceptedAssets,
        in db: borrowing PostgresTransaction
    ) throws -> InstructionRecord {
        let record: InstructionRecord = try lock(id, in: db)
        guard record.status == .open else { throw notOpen(record) }
        let checked: RefundInstruction = try checked(
            address, for: record, try accepted.named(record.provider).asset, in: db)
        try InstructionStore.direct(id, to: checked.address, by: principal, in: db)
        return try found(id, in: db)
    }

    /// The instruction to an address.
    /// - Throws: ``Problem`` with 422 for one that is none of the chain's, or from which nobody can take the money.
    static func checked(
        _ address: String, for record: InstructionRecord, _ asset: CryptoAsset, in db: borrowing PostgresTransaction
    ) throws -> RefundInstruction {
        let checked: RefundInstruction
        do throws(RefundInstruction.Failure) {
            checked = try RefundInstruction(
                refundID: record.id, asset: asset, to: address, amount: record.amount, reason: record.reason)
        } catch .lost {
            throw Problem.invalid("address", code: "unusable_address", "nobody can take money from this address")
        } catch {
            throw Problem.invalid("address", code: "invalid_address", "is not an address on the asset's chain")
        }
        guard try !InstructionStore.isOurs(checked.address, in: db) else {
            throw Problem.invalid("address", code: "unusable_address", "is one that payments are made to here")
        }
        return checked
    }

    /// Takes an instruction back that was not sent: a refund of ours fails then, held money is held again.
    package static func cancel(
        _ id: RefundID, by actor: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> InstructionRecord {
        let record: InstructionRecord = try lock(id, in: db)
        guard record.status == .open else { throw notOpen(record) }
        guard record.reason == .held || record.reason == .merchant else {
            throw Problem.conflict(
                "instruction_of_the_watcher",
                "What is \(record.reason.rawValue) is the payer's: it is withdrawn by itself.")
        }
        try InstructionStore.cancel(id, by: actor, at: now, in: db)
        // What of it has become refundable since it was decided on was offered to nobody.
        if record.reason == .held, let charge = try CryptoChargeStore.find(record.attemptID, in: db),
            let answer = charge.answer
        {
            try InstructionStore.offerBack(
                charge.standing.refundable, of: charge, reason: ChargeJudgement.reason(charge.standing, answer),
                at: now, in: db)
        }
        return try found(id, in: db)
    }

    /// Records what was sent. A transaction that another one replaced is told anew.
    package static func send(
        _ id: RefundID, _ input: InstructionSentInput, by signer: Principal, at now: Instant,
        _ accepted: AcceptedAssets,
        in db: borrowing PostgresTransaction
    ) throws -> InstructionRecord {
        let record: InstructionRecord = try lock(id, in: db)
        guard record.status == .open || record.status == .sent else { throw notOpen(record) }
        guard !record.isAsked(by: signer) else {
            throw Problem.conflict(
                "second_person_needed", "Whoever decided on held money, or gave its address last, does not sign it off."
            )
        }
        let asset: CryptoAsset = try accepted.named(record.provider).asset
        guard let instruction = try record.instruction(asset) else {
            throw Problem.conflict("address_missing", "Say first where it goes: POST …/address.")
        }
        guard input.fingerprint == instruction.fingerprint else {
            throw Problem.conflict(
                "instruction_changed", "The instruction is not the one that was signed off any more.")
        }
        guard let transaction = asset.transactionID(input.transactionID) else {
            throw Problem.invalid("transaction_id", code: "invalid_hash", "is not a transaction's hash on this chain")
        }
        guard try !InstructionStore.isTaken(transaction, to: instruction.address, except: id, in: db) else {
            throw Problem.invalid(
                "transaction_id", code: "transaction_taken", "carries out another instruction to the same address")
        }
        try InstructionStore.send(
            id, transaction: transaction, fingerprint: input.fingerprint, by: signer.id, at: now, in: db)
        return try found(id, in: db)
    }

    private static func lock(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> InstructionRecord {
        guard let record = try InstructionStore.lock(id, in: db) else {
            throw Problem.notFound("refund instruction", id.rawValue)
        }
        return record
    }

    static func found(_ id: RefundID, in db: borrowing PostgresTransaction) throws -> InstructionRecord {
        guard let record = try InstructionStore.find(id, in: db) else {
            throw Problem.notFound("refund instruction", id.rawValue)
        }
        return record
    }

    private static func notOpen(_ record: InstructionRecord) -> Problem {
        .conflict("instruction_not_open", "An instruction that is \(record.status.rawValue) stays as it is.")
    }
}

extension CryptoAsset {
    /// A transaction's hash as the chain's nodes write it; `nil` for anything else.
    func transactionID(_ text: String) -> String? {
        let lower: String = text.lowercased()
        switch kind {
        case .bitcoin: return lower.utf8.count == 64 && Hex.decode(lower) != nil ? lower : nil
        case .ether, .token:
            guard lower.hasPrefix("0x"), lower.utf8.count == 66, Hex.decode(lower.dropFirst(2)) != nil else {
                return nil
            }
            return lower
        }
    }
}
