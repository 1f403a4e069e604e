package import BillingCore

/// What a watched address amounts to at a moment.
///
/// All amounts are exact: `received` = `applied` + `held` + `refundable`.
package struct Standing: Hashable, Sendable {
    /// Where the payment stands.
    package enum Outcome: String, Sendable, CaseIterable {
        /// Nothing has come.
        case waiting
        /// Nothing has come, and the quote is over.
        case expired
        /// Something has come that lacks confirmations.
        case seen
        /// Confirmed, but less than expected and not enough on the way.
        case partiallyPaid = "partially_paid"
        /// Confirmed, as expected within the tolerance.
        case paid
        /// Confirmed, and more than expected.
        case overpaid
        /// Money came when the quote was over, and without it there is not enough.
        case late
    }

    /// Where the payment stands.
    package let outcome: Outcome
    /// What has enough confirmations, whenever it came.
    package let received: BaseUnits
    /// What is on the way: in no block, or with too few confirmations.
    package let pending: BaseUnits
    /// What of the received money is late and therefore does not count.
    package let late: BaseUnits
    /// What pays: to be booked. Zero until the payment is complete.
    package let applied: BaseUnits
    /// What was received and must wait: for the rest, for a person, or because it is too little to send back.
    package let held: BaseUnits
    /// What to offer back to the payer.
    package let refundable: BaseUnits
    /// What is missing of the expected amount, counting what is on the way: what to ask the payer for.
    package let missing: BaseUnits

    /// What counts towards the payment, confirmed and not, and what came late.
    fileprivate struct Sums {
        var settled: BaseUnits = .zero
        var pending: BaseUnits = .zero
        var lateSettled: BaseUnits = .zero
        var latePending: BaseUnits = .zero
    }

    fileprivate init(terms: WatchTerms, sums: Sums, at now: Instant) throws(MoneyError) {
        let expected: BaseUnits = terms.expected
        let policy: WatchPolicy = terms.policy
        let least: BaseUnits = try expected.subtracting(
            try expected.share(basisPoints: policy.toleranceBasisPoints))
        let onTime: BaseUnits = try sums.settled.adding(sums.pending)
        let received: BaseUnits = try sums.settled.adding(sums.lateSettled)
        let isComplete: Bool = sums.settled >= least
        self.received = received
        pending = try sums.pending.adding(sums.latePending)
        late = sums.lateSettled
        missing = onTime >= least ? .zero : try expected.subtracting(onTime)
        applied = isComplete ? min(sums.settled, expected) : .zero
        outcome = Self.outcome(sums, onTime: onTime, received: received, least: least, terms: terms, at: now)
        let rest: BaseUnits = try received.subtracting(applied)
        var offered: BaseUnits = rest
        if !isComplete {
            // While it may still be completed, nothing goes back; late money goes by its rule.
            let isOver: Bool = now >= terms.expiresAt && onTime < least
            offered = isOver && policy.late == .refund ? rest : .zero
        } else if policy.late == .hold {
            offered = try rest.subtracting(sums.lateSettled)
        }
        refundable = offered >= policy.leastRefund ? offered : .zero
        held = try rest.subtracting(refundable)
    }

    private static func outcome(
        _ sums: Sums, onTime: BaseUnits, received: BaseUnits, least: BaseUnits, terms: WatchTerms, at now: Instant
    ) -> Outcome {
        if sums.settled >= least { return received > terms.expected ? .overpaid : .paid }
        if onTime >= least { return .seen }
        if !sums.lateSettled.isZero || !sums.latePending.isZero { return .late }
        if !sums.settled.isZero { return .partiallyPaid }
        if !sums.pending.isZero { return .seen }
        return now >= terms.expiresAt ? .expired : .waiting
    }
}

extension AddressWatch {
    /// One transfer that counts.
    package struct Counted: Hashable, Sendable {
        /// Which.
        package let id: TransferID
        /// How much.
        package let amount: BaseUnits
        /// 0 while it waits for a block.
        package let confirmations: UInt64
        /// How many it needs.
        package let needed: UInt64
        /// Whether it came when the quote was over.
        package let isLate: Bool

        /// A transfer that counts.
        package init(id: TransferID, amount: BaseUnits, confirmations: UInt64, needed: UInt64, isLate: Bool) {
            self.id = id
            self.amount = amount
            self.confirmations = confirmations
            self.needed = needed
            self.isLate = isLate
        }

        /// Whether it has all the confirmations it needs.
        package var isSettled: Bool { confirmations >= needed }
    }

    /// The transfers that count, each once, in the order of their ids. One whose block has left the chain is waited for:
    /// it may come back, in that block or in another.
    /// - Parameter trail: The chain, brought up to date before the transfers were asked for.
    package func counted(on trail: ChainTrail) -> [Counted] {
        let ids: Set<TransferID> = Set(placements.keys).union(unconfirmed.keys)
        let present: Set<String> = transactions(on: trail).union(unconfirmed.keys.map(\.transaction))
        return ids.sorted().compactMap { id in
            let arrivedAt: Instant = arrivals[id.transaction]?.arrivedAt ?? terms.opensAt
            let isLate: Bool = terms.policy.late != .accept && arrivedAt >= terms.expiresAt
            // At most one block at a height is on the trail, and a transaction is in a chain once.
            let place: Placement? = placements[id]?.first { $0.isFinal || trail.contains($0.block) }
            let gone: Placement? = present.contains(id.transaction) ? nil : departed(id, on: trail)
            guard let amount = place?.amount ?? unconfirmed[id] ?? gone?.amount, (place ?? gone)?.succeeded ?? true
            else { return nil }
            let confirmations: UInt64 = place.map { trail.confirmations(at: $0.block.height) } ?? 0
            let needed: UInt64 = terms.policy.confirmations(for: max(amount, terms.expected))
            return Counted(
                id: id, amount: amount, confirmations: confirmations,
                needed: place?.isFinal == true ? 0 : needed, isLate: isLate)
        }
    }

    /// Where a transfer was whose block has left the chain, while another block is likely to take it up: until the chain
    /// is the confirmations that it needs past that block's height.
    private func departed(_ id: TransferID, on trail: ChainTrail) -> Placement? {
        guard let last = placements[id]?.last, let tip = trail.tip else { return nil }
        let needed: UInt64 = terms.policy.confirmations(for: max(last.amount, terms.expected))
        let (end, isEndless) = last.block.height.addingReportingOverflow(needed)
        return isEndless || tip.height < end ? last : nil
    }

    /// What the address amounts to: a pure function of what was seen, the chain and the time.
    ///
    /// Each transfer needs the confirmations of its own amount or the expected one, whichever is larger: splitting a
    /// payment does not lower them, and a later transfer does not unsettle an earlier one.
    /// - Throws: ``MoneyError/overflow`` when the sums exceed 256 bits, which no asset's supply does.
    package func standing(on trail: ChainTrail, at now: Instant) throws(MoneyError) -> Standing {
        var sums = Standing.Sums()
        for transfer in counted(on: trail) {
            switch (transfer.isLate, transfer.isSettled) {
            case (false, true): sums.settled = try sums.settled.adding(transfer.amount)
            case (false, false): sums.pending = try sums.pending.adding(transfer.amount)
            case (true, true): sums.lateSettled = try sums.lateSettled.adding(transfer.amount)
            case (true, false): sums.latePending = try sums.latePending.adding(transfer.amount)
            }
        }
        return try Standing(terms: terms, sums: sums, at: now)
    }
}
