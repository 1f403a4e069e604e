import BillingCore
import PaymentContract
import PaymentDomain
import PaymentExchange
import PaymentRecords
import Postgres

/// Records what became of a batch of lines: states, bookings and cases, all in the caller's transaction.
struct RecordSettlements {
    let provider: String
    let policy: ReconciliationPolicy
    let now: Instant
    private var entries: [JournalEntry] = []
    private var links: [(line: String, entry: String, role: SettlementRole)] = []
    private var results: [(id: String, state: SettlementState, rule: SettlementRule)] = []
    private var cases: [ReconciliationCaseRecord] = []
    /// Fees that were booked by themselves, by line.
    private var fees: [String: SettlementBooking] = [:]

    init(provider: String, policy: ReconciliationPolicy, now: Instant) {
        self.provider = provider
        self.policy = policy
        self.now = now
    }

    /// Records a batch; used once.
    /// - Parameter offsets: Lines of it that cancel each other out.
    mutating func callAsFunction(
        _ lines: [SettlementLine], _ found: FoundBookings, offsets: [SettlementOffset] = [],
        in db: borrowing PostgresTransaction
    ) throws {
        let canceled: [SettlementLine] = offsets.flatMap { [$0.taken, $0.given] }
        fees = found.fees(of: canceled + lines.filter { found.partner(of: $0)?.booking.fee.isZero ?? false })
        for pair in offsets { try book(pair) }
        try SettlementLineStore.offset(provider, offsets, in: db)
        try ReconciliationCaseStore.explain(provider, offsets, in: db)
        let settled = Set(canceled.map(\.id))
        var waiting: [SettlementLine] = []
        var failures: [SettlementLine] = []
        for line in lines.sorted(by: { ($0.occurredAt, $0.id) < ($1.occurredAt, $1.id) }) {
            switch line.kind {
            case _ where !line.isWithinBounds: waiting.append(line)
            case .fee, .payout: try book(line)
            case .payoutFailure: failures.append(line)
            case .charge, .refund, .dispute, .disputeReversal, .adjustment:
                guard let partner = found.partner(of: line) else {
                    if !settled.contains(line.id) { waiting.append(line) }
                    continue
                }
                try confirm(partner.booking, by: line, rule: partner.rule, in: db)
            }
        }
        try write(in: db)
        // After the payouts of the same batch.
        for line in failures {
            let arrived: Bool = try SettlementLineStore.fail(payout: line.references.source, of: provider, in: db)
            try add(
                .payoutFailure, .booking, line,
                try Ledger.payoutFailure(line.gross, provider: provider, arrived: arrived))
            results.append((line.id, .matched, .bookedFromLine))
            try addFee(of: line, payment: nil)
            alarm(of: line, in: db)
        }
        try openCases(for: waiting, found.outcome, in: db)
        try write(in: db)
    }

    /// Has a person look at a payout that came back: the provider may pay out nothing more until the account is mended there.
    private func alarm(of failure: SettlementLine, in db: borrowing PostgresTransaction) {
        let provider: String = provider
        let payout: String = failure.references.source ?? failure.id
        let fault = ProviderFault.unusable("payout \(payout) has failed: \(failure.gross) came back")
        db.onCommit { ProviderAlarms.shared.note(fault, of: provider, on: .settlement, isSingular: true) }
    }

    private mutating func write(in db: borrowing PostgresTransaction) throws {
        try LedgerStore.book(entries, in: db)
        try SettlementLineStore.link(provider, links, in: db)
        try SettlementLineStore.settle(provider, results, in: db)
        try ReconciliationCaseStore.found(
            provider, lines: results.map(\.id), entries: links.map(\.entry), at: now, in: db)
        try ReconciliationCaseStore.open(cases, in: db)
        (entries, links, results, cases) = ([], [], [], [])
    }

    /// Books a fee or a payout from its line.
    private mutating func book(_ line: SettlementLine) throws {
        results.append((line.id, .matched, .bookedFromLine))
        if line.kind == .payout {
            try add(.payout, .booking, line, try Ledger.payout(line.gross.negated(), provider: provider))
            return try addFee(of: line, payment: nil)
        }
        try add(.providerFee, .fee, line, try Ledger.providerFee(line.net.negated(), provider: provider))
    }

    /// Books both lines of a pair that cancels itself out, each as its line has it. What is given back leaves the exchange
    /// account at what was taken.
    private mutating func book(_ pair: SettlementOffset) throws {
        for line in [pair.taken, pair.given] {
            results.append((line.id, .matched, .offset))
            try add(
                .offset, .booking, line, try Ledger.offset(of: pair.taken.kind, line.asked, provider: provider))
            try bookFee(of: line, beside: nil)
            try addExchange(of: line, at: line == pair.taken ? line.gross : pair.taken.gross.negated())
        }
    }

    /// Joins a line with its booking; what the provider kept is booked, and where they differ a case is opened.
    private mutating func confirm(
        _ booking: SettlementBooking, by line: SettlementLine, rule: SettlementRule,
        in db: borrowing PostgresTransaction
    ) throws {
        let line: SettlementLine = line.beside(booking)
        links.append((line.id, booking.id, .booking))
        if booking.fee.isZero { try bookFee(of: line, beside: booking) }
        checkFee(of: line, booking)
        guard let difference: SettlementDifference = try settle(booking, by: line, in: db) else {
            results.append((line.id, .matched, rule))
            return
        }
        results.append((line.id, .different, rule))
        let (reason, amount): (ReconciliationReason, Money) =
            switch difference {
            case .amount(let more): (.amount, more)
            case .currency(_, let settled): (.currency, settled)
            case .fee(let more): (.fee, try more.negated())
            }
        cases.append(
            ReconciliationCaseRecord(
                id: .new(at: now), provider: provider, reason: reason, lineID: line.id, entryID: booking.id,
                amount: amount, openedAt: now))
    }

    /// Opens a case where the provider kept another fee of a charge than was agreed on. The books have it as it was kept.
    private mutating func checkFee(of line: SettlementLine, _ booking: SettlementBooking) {
        guard line.kind == .charge, booking.fee.isZero,
            let less = policy.fees.difference(
                of: line.fee, from: line.gross, provider: provider, method: booking.method)
        else { return }
        cases.append(
            ReconciliationCaseRecord(
                id: .new(at: now), provider: provider, reason: .feeDiffers, lineID: line.id, entryID: booking.id,
                amount: less, openedAt: now))
    }

    /// Books what was kept of a line, unless it was booked by itself.
    /// - Parameter booking: The line's, which has no fee; it may be of the entry that books the fee in another currency.
    private mutating func bookFee(of line: SettlementLine, beside booking: SettlementBooking?) throws {
        guard let fee: SettlementBooking = fees[line.id] else {
            return try addFee(of: line, payment: booking?.payment)
        }
        if fee.id != booking?.id { links.append((line.id, fee.id, .fee)) }
    }

    /// Where the provider converted a line, books what it made of the booking: in the currency of settlement it has what the
    /// provider says, at a gain or a loss where another amount was booked or came in.
    /// - Returns: In what the line differs from what is booked then.
    private mutating func settle(
        _ booking: SettlementBooking, by line: SettlementLine, in db: borrowing PostgresTransaction
    ) throws -> SettlementDifference? {
        let difference = try SettlementDifference(of: line, from: booking)
        guard line.asked.currency != line.gross.currency, !line.asked.isZero,
            line.asked.currency == (booking.given ?? booking.gross).currency,
            booking.given == nil || line.gross.currency == booking.gross.currency
        else { return difference }
        if booking.isUndone {
            guard line.asked == booking.given else { return difference }
            let postings: [Posting] = try ExchangeLedger.correction(
                booked: booking.gross, settled: line.gross, provider: provider)
            try add(.settlement, .exchange, line, postings, payment: booking.payment)
            return try SettlementDifference(ofFee: line, from: booking)
        }
        guard let payment: PaymentID = booking.payment else {
            try addExchange(of: line, at: line.gross)
            return difference
        }
        do {
            if let entry = try SettleExchange.record(
                ProviderSettlement(booking, of: payment, by: line), occurredAt: line.occurredAt, at: now, in: db)
            {
                entries.append(entry)
                links.append((line.id, entry.id.rawValue, .exchange))
            }
            return booking.given == nil ? difference : try SettlementDifference(ofFee: line, from: booking)
        } catch SettleExchange.Failure.settledOtherwise(let end) {
            return .amount(try line.gross.subtracting(end))
        } catch SettleExchange.Failure.mismatch {
            return difference ?? .amount(.zero(line.gross.currency))
        }
    }

    /// Where the provider converted a line of no payment, moves what was booked into the currency in which it settled.
    /// - Parameter booked: What that is on the exchange account.
    private mutating func addExchange(of line: SettlementLine, at booked: Money) throws {
        guard line.asked.currency != line.gross.currency else { return }
        try add(
            .exchange, .exchange, line,
            try ExchangeLedger.settlement(of: line.asked, booked: booked, settled: line.gross, provider: provider))
    }

    private mutating func addFee(of line: SettlementLine, payment: PaymentID?) throws {
        try add(.providerFee, .fee, line, try Ledger.providerFee(line.fee, provider: provider), payment: payment)
    }

    /// Adds an entry under the line's name, dated as the line; nothing for an amount of zero.
    private mutating func add(
        _ kind: JournalEntry.Kind, _ role: SettlementRole, _ line: SettlementLine, _ postings: [Posting],
        payment: PaymentID? = nil
    ) throws {
        guard postings.contains(where: { !$0.amount.isZero }) else { return }
        let entry = JournalEntry(
            id: .new(at: now), kind: kind, reference: line.bookingReference, paymentID: payment,
            occurredAt: line.occurredAt, postings: postings)
        entries.append(entry)
        links.append((line.id, entry.id.rawValue, role))
    }

    /// Opens cases of lines that have waited too long, and of those that no time mends. What a case is open of may have
    /// candidates by now: it names them.
    private mutating func openCases(
        for waiting: [SettlementLine], _ outcome: SettlementMatching.Outcome, in db: borrowing PostgresTransaction
    ) throws {
        let overdue: [SettlementLine] = waiting.filter { !$0.isWithinBounds || now - $0.occurredAt >= policy.grace }
        let late: Set<String> = try SettlementLineStore.late(
            provider, overdue.map(\.id), endedBefore: now - policy.grace, in: db)
        for line in overdue where late.contains(line.id) {
            cases.append(
                ReconciliationCaseRecord(
                    id: .new(at: now), provider: provider,
                    reason: outcome.ambiguous.contains(line.id) ? .ambiguous : .notBooked, lineID: line.id,
                    amount: line.net, openedAt: now, candidates: outcome.candidates[line.id, default: []].sorted()))
        }
        let choices: [(line: String, candidates: [String])] = waiting.compactMap { line in
            guard outcome.ambiguous.contains(line.id), let found: Set<String> = outcome.candidates[line.id] else {
                return nil
            }
            return (line: line.id, candidates: found.sorted())
        }
        try ReconciliationCaseStore.offer(provider, choices, in: db)
    }
}

extension ProviderSettlement {
    /// What a line says became of a booking. An entry that undoes another has no name of its own: it goes by its id.
    fileprivate init(_ booking: SettlementBooking, of payment: PaymentID, by line: SettlementLine) {
        let undoes: Bool = booking.kind == .adjustment
        self.init(
            reference: undoes ? booking.id : booking.own, paymentID: payment, provider: line.provider,
            given: line.asked, isReturn: booking.kind == .disputeReversal || undoes && line.asked.isPositive,
            settled: line.gross, rate: line.presentment?.rate.flatMap { $0 > .zero ? $0 : nil })
    }
}

extension SettlementLine {
    /// What entries made from the line are booked under; with their kind it is unique, so that none is booked twice.
    var bookingReference: String { "\(provider):\(id)" }
}
