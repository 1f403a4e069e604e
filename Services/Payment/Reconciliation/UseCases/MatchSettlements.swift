package import BillingCore
package import PaymentDomain
import PaymentRecords
package import Postgres
package import ServiceKit

/// Finds the bookings that settlement lines confirm, and books what is first heard of from them: fees, payouts.
///
/// A match, its bookings and its case are one transaction, under the lock of the provider's cursor: one process at a time
/// looks for partners, so that what has one candidate has one for everybody.
package struct MatchSettlements: Sendable {
    /// Lines of one transaction.
    static let batch = 500
    /// Lines of equal amounts that are looked at beside a batch.
    static let rivalLimit = 5_000
    /// How much of the books one statement looks through.
    static let lookSpan: Duration = .seconds(86_400)

    let pool: PostgresPool
    let clock: any WallClock
    let policy: ReconciliationPolicy
    let passBatches: Int

    /// - Parameter passBatches: Transactions of one pass; lines beyond them are left to the next one.
    package init(pool: PostgresPool, clock: any WallClock, policy: ReconciliationPolicy, passBatches: Int = 40) {
        self.pool = pool
        self.clock = clock
        self.policy = policy
        self.passBatches = passBatches
    }

    /// Tries every waiting line of a provider once, then looks for bookings that the provider should have reported.
    package func callAsFunction(_ provider: String) async throws {
        // By the database's clock, which notes the tries.
        let now: Instant? = try await pool.transaction(readOnly: true) { db in
            try db.first("SELECT now()") { row in try row.next() }
        }
        guard let start: Instant = now else { return }
        for _ in 0..<passBatches {
            let tried: Int = try await batch(of: provider, untriedSince: start)
            if tried < Self.batch { break }
        }
        while try await lookForUnconfirmed(provider) {}
    }

    private func batch(of provider: String, untriedSince start: Instant) async throws -> Int {
        let now: Instant = clock.now
        let policy: ReconciliationPolicy = policy
        return try await pool.transactionRetrying { db in
            guard let cursor: SettlementCursor = try SettlementCursorStore.lock(provider, skipping: true, in: db) else {
                return 0
            }
            let batch: [SettlementLine] = try SettlementLineStore.waiting(
                provider, untriedSince: start, limit: Self.batch, in: db)
            guard !batch.isEmpty else { return 0 }
            // What is given back comes with what was taken, and what a conversion gave with what it took; either may have
            // been tried long ago.
            let waiting: [SettlementLine] =
                try batch
                + SettlementLineStore.waiting(
                    named: batch.flatMap(\.offsetNames), converting: batch.compactMap(\.convertedName), besides: batch,
                    provider: provider, in: db)
            let conversions: [SettlementConversion] = try Self.unbooked(
                SettlementConversion.find(in: waiting).filter { $0.lines.allSatisfy(\.isWithinBounds) }, of: provider,
                policy, in: db)
            try Self.book(conversions, of: provider, at: now, in: db)
            let converted = Set(conversions.flatMap(\.lines).map(\.id))
            let rest: [SettlementLine] = waiting.filter { !converted.contains($0.id) }
            let lines: [SettlementLine] = rest.filter(\.isWithinBounds)
            let found: FoundBookings = try Self.match(lines, provider, policy, cursor, in: db)
            let offsets: [SettlementOffset] = SettlementOffset.find(
                in: lines.filter { found.partner(of: $0) == nil }, waitingSince: now - policy.grace)
            var record = RecordSettlements(provider: provider, policy: policy, now: now)
            try record(rest, found, offsets: offsets, in: db)
            return batch.count
        }
    }

    /// Bookings of the named payments first; what they leave is looked for by amount and time.
    private static func match(
        _ lines: [SettlementLine], _ provider: String, _ policy: ReconciliationPolicy, _ cursor: SettlementCursor,
        in db: borrowing PostgresTransaction
    ) throws -> FoundBookings {
        let wanting: [SettlementLine] = lines.filter { !$0.kind.isBookedFromLine }
        let matching = SettlementMatching(
            window: policy.window, refused: try SettlementLineStore.refused(wanting, of: provider, in: db))
        let named: [SettlementBooking] = try SettlementBookingStore.named(by: wanting, provider: provider, in: db)
        let first: SettlementMatching.Outcome = matching.byReference(wanting, named)
        let found = Set(first.matches.map(\.line))
        let left: [SettlementLine] = wanting.filter { $0.references.own == nil && !found.contains($0.id) }
        guard !left.isEmpty else { return FoundBookings(outcome: first, among: named) }
        let rivals: [SettlementLine] = try SettlementLineStore.rivals(of: left, provider: provider, in: db)
            .filter { !found.contains($0.id) }
        let openly = SettlementMatching(
            window: policy.window,
            refused: matching.refused.merging(
                try SettlementLineStore.refused(rivals, of: provider, in: db)
            ) { $1 })
        let alike: [SettlementBooking] = try alike(
            left, besides: Set(first.matches.map(\.booking)), provider, policy, in: db)
        var second: SettlementMatching.Outcome = openly.byAmount(left + rivals, alike)
        // The own line of a booking that the reports have not come to may follow; until then the place is kept.
        let late = Set(alike.filter { $0.occurredAt >= cursor.covered }.map(\.id))
        let ours = Set(left.map(\.id))
        second.matches = second.matches.filter { ours.contains($0.line) && !late.contains($0.booking) }
        second.ambiguous.formIntersection(ours)
        second.candidates = second.candidates.filter { ours.contains($0.key) }
        return FoundBookings(outcome: first.joined(with: second), among: named + alike)
    }

    /// Bookings of the amounts of lines that no other line names.
    private static func alike(
        _ lines: [SettlementLine], besides taken: Set<String>, _ provider: String, _ policy: ReconciliationPolicy,
        in db: borrowing PostgresTransaction
    ) throws -> [SettlementBooking] {
        let alike: [SettlementBooking] = try SettlementBookingStore.alike(
            lines, provider: provider, window: policy.window, in: db
        ).filter { !taken.contains($0.id) }
        let named: [SettlementLine.Kind: Set<String>] = try SettlementLineStore.named(
            among: alike, provider: provider, in: db)
        return alike.filter { named[$0.kind]?.isDisjoint(with: $0.related.union([$0.own])) ?? true }
    }

    /// Opens a case for each booking that the provider has had time to report and has not, a day at a time: a booking of
    /// long ago has all since then looked through once more. Days on which nothing was booked are passed over at once.
    /// - Returns: Whether there is more to look through.
    private func lookForUnconfirmed(_ provider: String) async throws -> Bool {
        let now: Instant = clock.now
        let policy: ReconciliationPolicy = policy
        return try await pool.transactionRetrying { db in
            // A line that nobody has tried yet may be a booking's.
            guard let cursor: SettlementCursor = try SettlementCursorStore.lock(provider, skipping: true, in: db),
                try !SettlementLineStore.hasUntried(provider, in: db)
            else { return false }
            let end: Instant = min(now - policy.patience, cursor.covered)
            guard end > cursor.checkedUntil else { return false }
            let next: Instant? = try SettlementCursorStore.nextBooking(
                provider, from: cursor.checkedUntil, to: end, in: db)
            let start: Instant = next ?? end
            let until: Instant = min(end, start + Self.lookSpan)
            let missing: [SettlementBooking] = try SettlementBookingStore.unconfirmed(
                provider, from: start, to: until, limit: Self.batch, in: db)
            let cases: [ReconciliationCaseRecord] = try missing.map { booking in
                ReconciliationCaseRecord(
                    id: .new(at: now), provider: provider, reason: .notAtProvider, entryID: booking.id,
                    amount: try booking.gross.subtracting(booking.fee).negated(), openedAt: now)
            }
            try ReconciliationCaseStore.open(cases, in: db)
            let reached: Instant = missing.count == Self.batch ? missing.last?.occurredAt ?? until : until
            try SettlementCursorStore.check(provider, until: reached, in: db)
            return reached > cursor.checkedUntil && reached < end
        }
    }
}

/// What was found for lines.
struct FoundBookings {
    let outcome: SettlementMatching.Outcome
    /// All that were looked at.
    private let candidates: [SettlementBooking]
    private let bookings: [String: SettlementBooking]
    private let matches: [String: SettlementMatch]

    /// The pair that somebody chose.
    /// - Parameter bookings: All of the chosen entry, and of what the line names.
    init(_ line: SettlementLine, chosen booking: SettlementBooking, among bookings: [SettlementBooking]) {
        let match = SettlementMatch(line: line.id, booking: booking.id, rule: .chosen)
        self.init(outcome: SettlementMatching.Outcome(matches: [match]), among: bookings)
    }

    init(outcome: SettlementMatching.Outcome, among bookings: [SettlementBooking]) {
        self.outcome = outcome
        // What is found by name and by amount is one; an entry in two currencies is two.
        var seen: Set<[String]> = []
        candidates = bookings.filter { seen.insert([$0.id, $0.gross.currency.code]).inserted }
        // An entry in two currencies is two bookings; one of them may be a fee, which is no line's partner.
        self.bookings = Dictionary(bookings.map { ($0.id, $0) }) { first, second in first.isFee ? second : first }
        matches = Dictionary(outcome.matches.map { ($0.line, $0) }) { first, _ in first }
    }

    /// A line's partner, and by which rule it was found.
    func partner(of line: SettlementLine) -> (booking: SettlementBooking, rule: SettlementRule)? {
        guard let match: SettlementMatch = matches[line.id], let booking = bookings[match.booking] else { return nil }
        return (booking, match.rule)
    }

    /// Fees that were booked by themselves, by the line that they are part of. One of the very entry that a line confirms, in
    /// another currency, needs no name.
    /// - Parameter lines: Whose booking has no fee, or that have none.
    func fees(of lines: [SettlementLine]) -> [String: SettlementBooking] {
        let fees = Dictionary(candidates.filter(\.isFee).map { ($0.id, $0) }) { first, _ in first }
        var found: [String: SettlementBooking] = [:]
        for line in lines {
            guard let entry: String = partner(of: line)?.booking.id, let fee = fees[entry], fee.fee == line.fee else {
                continue
            }
            found[line.id] = fee
        }
        let taken = Set(matches.values.map(\.booking))
        let named: [String: SettlementBooking] = SettlementMatching.fees(
            of: lines.filter { found[$0.id] == nil }, among: candidates.filter { !taken.contains($0.id) })
        return found.merging(named) { own, _ in own }
    }
}

/// How long things may take; `payment.reconciliation_*` tunables.
package struct ReconciliationPolicy: Sendable {
    /// How far a line and a booking may be apart that have only the amount in common.
    let window: Duration
    /// How long a line may wait for its booking before it is a case.
    let grace: Duration
    /// How long a booking may wait for its line before it is a case.
    let patience: Duration
    /// What providers should keep.
    let fees: FeeSchedule

    /// Sets every limit.
    package init(window: Duration, grace: Duration, patience: Duration, fees: FeeSchedule = FeeSchedule()) {
        self.window = window
        self.grace = grace
        self.patience = patience
        self.fees = fees
    }
}

extension ReconciliationPolicy {
    /// - Throws: `ServiceConfiguration.Invalid` for fees that cannot be read.
    package init(_ configuration: ServiceConfiguration) throws(ServiceConfiguration.Invalid) {
        self.init(
            window: .seconds(configuration.int("payment.reconciliation_window_hours", default: 72) * 3_600),
            grace: .seconds(configuration.int("payment.reconciliation_grace_hours", default: 24) * 3_600),
            patience: .seconds(configuration.int("payment.reconciliation_patience_hours", default: 120) * 3_600),
            fees: try FeeSchedule(tunables: configuration.tunables))
    }
}
