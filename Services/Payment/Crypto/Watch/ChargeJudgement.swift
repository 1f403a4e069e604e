import BillingCore
import Logging
import PaymentChains
import PaymentDomain
import Postgres

/// Decides what a charge comes to, from what its address amounts to.
enum ChargeJudgement {
    /// The last word on a charge that has none yet; `nil` while it stays open.
    /// - Parameters:
    ///   - isAbandoned: The payment goes on without it: what comes now is not for it.
    ///   - unexplained: What came in no transfer that was seen: a person finds out before anything is declined.
    ///   - isAllRead: All was read that can have been paid in time; otherwise what is missing may be there.
    static func answer(
        _ charge: CryptoCharge, _ standing: Standing, isAbandoned: Bool, unexplained: BaseUnits, isAllRead: Bool,
        at now: Instant
    ) -> CryptoCharge.Answer? {
        if isAbandoned { return .declined(CryptoDecline.canceled) }
        switch standing.outcome {
        case .paid, .overpaid: return .captured
        case .waiting, .seen: return nil
        case .expired, .partiallyPaid, .late: break
        }
        // What is on its way is waited for: it may complete the payment, or be taken back.
        guard now >= charge.declineAt, isAllRead, standing.pending.isZero, unexplained.isZero else { return nil }
        switch standing.outcome {
        case .partiallyPaid: return .declined(CryptoDecline.underpaid)
        case .late: return .declined(CryptoDecline.paidLate)
        default: return .declined(CryptoDecline.quoteExpired)
        }
    }

    /// The standing under an answer. Of a declined charge nothing is applied, and all of it goes by the rule for late
    /// money. Of a captured one what is there pays first, up to what was captured: when a part has left the chain, the
    /// rest is not offered back.
    /// - Parameter taken: What refunds are shares of; `nil` of a charge that had no answer before.
    static func stored(
        _ standing: Standing, _ answer: CryptoCharge.Answer?, of charge: CryptoCharge, taken: BaseUnits?
    ) throws(MoneyError) -> StoredStanding {
        var stored = StoredStanding(standing)
        let policy: WatchPolicy = charge.policy
        switch answer {
        case nil: break
        case .declined:
            let goesBack: Bool = policy.late == .refund && standing.received >= policy.leastRefund
            stored.applied = .zero
            stored.refundable = goesBack ? standing.received : .zero
            stored.held = goesBack ? .zero : standing.received
        case .captured:
            stored.applied = min(standing.received, taken ?? standing.applied)
            let rest: BaseUnits = try standing.received.subtracting(stored.applied)
            stored.refundable = rest < policy.leastRefund ? .zero : min(standing.refundable, rest)
            stored.held = try rest.subtracting(stored.refundable)
        }
        return stored
    }

    /// Why money goes back.
    static func reason(_ standing: StoredStanding, _ answer: CryptoCharge.Answer) -> RefundInstruction.Reason {
        if !standing.late.isZero { return .late }
        return answer == .captured ? .overpaid : standing.outcome == .partiallyPaid ? .underpaid : .late
    }
}

/// Why a crypto charge is declined; the codes of this connector.
package enum CryptoDecline {
    package static let quoteExpired = "quote_expired"
    package static let underpaid = "underpaid"
    package static let paidLate = "paid_late"
    package static let canceled = "canceled"
    /// Not a decline: the attempt is not given up while money is on its way, or nobody can see whether it is.
    package static let unclear = "payment_unclear"
    /// No rate that is fresh enough, or none for the currency.
    package static let rateUnavailable = "rate_unavailable"
    /// The chain is not in sight: payments could not be seen.
    package static let chainUnavailable = "chain_unavailable"
    /// Too much or too little to be an exact number of base units.
    package static let amountUnsupported = "amount_unsupported"
    /// A source or a separate capture that crypto does not have.
    package static let methodUnsupported = "payment_method_unsupported"

    /// What a code means in the common table; how the time for a payment ended has rows of its own there.
    static func meaning(of code: String) -> Decline {
        switch code {
        case canceled: Decline(code: "customer_declined")
        case rateUnavailable, chainUnavailable: Decline(code: "processing_error")
        case amountUnsupported: Decline(code: "invalid_amount")
        case methodUnsupported: Decline(code: "provider_configuration")
        default: Decline(code: code)
        }
    }
}

extension ChainWatcher {
    /// Takes in what was seen and moves what it moves.
    func judge(_ findings: Findings, at now: Instant, in db: borrowing PostgresTransaction) throws {
        let charges: [WatchedCharge] = try WatchStore.lock(
            of: chain, seen: Array(findings.seen.keys), at: now, in: db)
        let known: [AttemptID: AddressWatch] = try WatchStore.watches(of: charges.map(\.charge), in: db)
        var changed: [AttemptID: AddressWatch] = [:]
        var untold: [UInt64?: [AttemptID]] = [:]
        for watched in charges {
            guard let before = known[watched.charge.attemptID] else { continue }
            var watch: AddressWatch = takeIn(findings, before, watched.charge, at: now)
            let since: UInt64? = untoldSince(watched.charge, watch, findings)
            if let since { watch.dropUntold(since: since, on: findings.step.trail) }
            if since != watched.charge.untoldSince { untold[since, default: []].append(watched.charge.attemptID) }
            if watch != before { changed[watched.charge.attemptID] = watch }
            // On the way to the node's last block money may seem to be gone that is in a block to come.
            if findings.isWhole { try judge(watched, watch, findings, at: now, in: db) }
        }
        try WatchStore.save(changed, in: db)
        for (since, attempts) in untold { try WatchStore.markUntold(attempts, since: since, in: db) }
        try noteBalances(findings, in: db)
        try noteReadable(findings, at: now, in: db)
        if findings.isWhole { try noteRead(charges.map(\.charge), findings, at: now, in: db) }
    }

    /// Remembers of which charges not all was read: they are not given up.
    private func noteRead(
        _ charges: [CryptoCharge], _ findings: Findings, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let changed: [CryptoCharge] = charges.filter { $0.isAllRead != findings.isAllRead(of: $0, at: now) }
        for isAllRead in [true, false] {
            try WatchStore.markRead(
                changed.filter { $0.isAllRead != isAllRead }.map(\.attemptID), isAllRead, in: db)
        }
    }

    /// From which height on the node has told nothing of what was seen to wait, while it tells all else.
    private func untoldSince(_ charge: CryptoCharge, _ watch: AddressWatch, _ findings: Findings) -> UInt64? {
        guard !watch.unconfirmed.isEmpty else { return nil }
        // A look that did not read all there is says nothing about it.
        guard findings.isWhole, findings.extent(of: charge) == .whole else { return charge.untoldSince }
        guard findings.seen[charge.attemptID]?.unconfirmed == nil else { return nil }
        return charge.untoldSince ?? findings.step.trail.tip?.height
    }

    /// Remembers after which block balances were asked for.
    private func noteBalances(_ findings: Findings, in db: borrowing PostgresTransaction) throws {
        guard let tip = findings.step.trail.tip else { return }
        let told: [AttemptID] = findings.seen.filter { $0.value.balance != nil }.map(\.key)
        let asked: [AttemptID] = findings.seen.filter { $0.value.question == .asked }.map(\.key)
        try WatchStore.markBalances(
            Set(asked + told).sorted(), told: told.sorted(), after: tip, at: findings.began, in: db)
    }

    /// Remembers which addresses have more on them than is read: a person must look whether all of it was paid to us.
    private func noteReadable(_ findings: Findings, at now: Instant, in db: borrowing PostgresTransaction) throws {
        guard !findings.seen.isEmpty else { return }
        func ids(_ isMeant: (Sighting.Extent) -> Bool) -> [AttemptID] {
            findings.seen.filter { isMeant($0.value.extent) }.map(\.key).sorted()
        }
        try WatchStore.markReadable(ids { [.whole, .partial, .truncated].contains($0) }, in: db)
        for attempt in try WatchStore.markUnreadable(ids { $0 == .tooMuch }, at: now, in: db) {
            logger.error(
                "an address has more transactions than are read",
                metadata: ["chain": "\(chain)", "attempt_id": "\(attempt)"])
        }
    }

    private func takeIn(
        _ findings: Findings, _ before: AddressWatch, _ charge: CryptoCharge, at now: Instant
    ) -> AddressWatch {
        var watch: AddressWatch = before
        do throws(AddressWatch.Failure) {
            if let seen = findings.seen[charge.attemptID] {
                try watch.see(seen.confirmed, at: now, since: findings.since)
                for block in seen.settled { watch.settle(block) }
                if let waiting = seen.unconfirmed {
                    // What is gone from a pool that was not read to its end may have been replaced by what was not read.
                    if seen.extent == .truncated || seen.extent == .partial {
                        try watch.addUnconfirmed(waiting, at: now, since: findings.since)
                    } else {
                        try watch.replaceUnconfirmed(waiting, at: now, since: findings.since)
                    }
                }
            }
        } catch {
            // The node contradicts itself on one address: nothing of it is taken in, and a person must look.
            logger.error(
                "a node contradicts itself", metadata: ["attempt_id": "\(charge.attemptID)", "error": "\(error)"])
            watch = before
        }
        watch.settle(on: findings.step.trail)
        watch.dropPlaced(on: findings.step.trail)
        return watch
    }

    /// What is on an address beyond the transfers that were seen, stored when it has changed.
    private func unexplained(
        _ charge: CryptoCharge, _ watch: AddressWatch, _ findings: Findings, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> BaseUnits {
        guard let balance = findings.seen[charge.attemptID]?.balance else { return charge.unexplained }
        let known: BaseUnits = try watch.onChain(findings.step.trail)
        let rest: BaseUnits = balance.amount > known ? try balance.amount.subtracting(known) : .zero
        guard !rest.isZero || !charge.unexplained.isZero else { return .zero }
        // It may have come at any time since the balance was told last, however many looks had no room to ask for it.
        let came: Instant = try charge.terms.came(by: now, charge.balanceAt ?? charge.quotedAt)
        try Unexplained.note(rest, of: charge.attemptID, in: balance.block, at: came, in: db)
        if rest > charge.unexplained {
            logger.error(
                "money on an address that no transfer explains",
                metadata: ["attempt_id": "\(charge.attemptID)", "amount": "\(rest)"])
        }
        return rest
    }

    /// What a captured charge has taken. What comes in time on top of a payment within the tolerance belongs to the price,
    /// as long as no refund was asked for, since refunds are shares of it; afterwards it is held.
    private func taken(
        _ charge: CryptoCharge, _ standing: Standing, in db: borrowing PostgresTransaction
    ) throws -> BaseUnits? {
        guard charge.answer == .captured, let units = charge.capturedUnits, standing.applied > units,
            try !InstructionStore.isRefundAsked(of: charge.attemptID, in: db)
        else { return charge.capturedUnits }
        try CryptoChargeStore.captured(standing.applied, of: charge.attemptID, in: db)
        return standing.applied
    }

    private func judge(
        _ watched: WatchedCharge, _ watch: AddressWatch, _ findings: Findings, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let charge: CryptoCharge = watched.charge
        let extent: Sighting.Extent = findings.extent(of: charge)
        let trail: ChainTrail = findings.step.trail
        let standing: Standing = try watch.standing(on: trail, at: now)
        let unexplained: BaseUnits = try unexplained(charge, watch, findings, at: now, in: db)
        var answer: CryptoCharge.Answer? = charge.answer
        if answer == nil {
            answer = ChargeJudgement.answer(
                charge, standing, isAbandoned: watched.isAbandoned, unexplained: unexplained,
                isAllRead: findings.isAllRead(of: charge, at: now), at: now)
            if let answer {
                let units: BaseUnits? = answer == .captured ? standing.applied : nil
                try CryptoChargeStore.answer(charge.attemptID, answer, units: units, at: now, in: db)
            }
        }
        let stored: StoredStanding = try ChargeJudgement.stored(
            standing, answer, of: charge, taken: try taken(charge, standing, in: db))
        let isOver: Bool =
            answer != nil && findings.began >= charge.watchUntil && extent != .unread && standing.pending.isZero
            && unexplained.isZero && findings.seen[charge.attemptID]?.question != .postponed
            && watch.isSettled(on: trail)
        if stored != charge.standing || isOver {
            try CryptoChargeStore.save(stored, of: charge.attemptID, closedAt: isOver ? now : nil, in: db)
        }
        if let answer, answer != charge.answer || stored != charge.standing || !charge.isSurplusBooked {
            try PayerFunds.arrive(charge.attemptID, at: now, in: db)
            try HeldStore.withdrawUncovered(charge.attemptID, in: db)
            try InstructionStore.offerBack(
                stored.refundable, of: charge, reason: ChargeJudgement.reason(stored, answer), at: now, in: db)
        }
    }
}

extension AddressWatch {
    /// Whether nothing that counts can be undone any more.
    fileprivate func isSettled(on trail: ChainTrail) -> Bool {
        placements.values.allSatisfy { known in known.allSatisfy { $0.isFinal || !trail.contains($0.block) } }
    }
}
