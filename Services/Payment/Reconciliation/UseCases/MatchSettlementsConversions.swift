import BillingCore
import PaymentDomain
import PaymentRecords
import Postgres

extension MatchSettlements {
    /// Those of which no side is, or may be, what a person has booked: a line that may be is matched as any other.
    static func unbooked(
        _ conversions: [SettlementConversion], of provider: String, _ policy: ReconciliationPolicy,
        in db: borrowing PostgresTransaction
    ) throws -> [SettlementConversion] {
        let lines: [SettlementLine] = conversions.flatMap(\.lines)
        guard !lines.isEmpty else { return [] }
        let bookings: [SettlementBooking] =
            try SettlementBookingStore.named(by: lines, provider: provider, in: db)
            + SettlementBookingStore.alike(lines, provider: provider, window: policy.window, in: db)
        let matching = SettlementMatching(
            window: policy.window, refused: try SettlementLineStore.refused(lines, of: provider, in: db))
        // What is found by name and by amount is one.
        let found: SettlementMatching.Outcome = matching(lines, Array(Set(bookings.filter(\.isByHand))))
        let booked: Set<String> = found.ambiguous.union(found.matches.map(\.line))
        return conversions.filter { booked.isDisjoint(with: $0.lines.map(\.id)) }
    }

    /// Books what a provider has exchanged between our balances there, each line of a pair as it has it, on its day;
    /// cases of the lines are resolved. All of it is the caller's transaction, so both lines are booked or neither.
    static func book(
        _ conversions: [SettlementConversion], of provider: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        var entries: [JournalEntry] = []
        var links: [(line: String, entry: String, role: SettlementRole)] = []
        var results: [(id: String, state: SettlementState, rule: SettlementRule)] = []
        for line in conversions.flatMap(\.lines) {
            let entry = JournalEntry(
                id: .new(at: now), kind: .exchange, reference: line.bookingReference, paymentID: nil,
                occurredAt: line.occurredAt,
                postings: try ExchangeLedger.conversion(line.gross, provider: provider))
            entries.append(entry)
            links.append((line.id, entry.id.rawValue, .booking))
            results.append((line.id, .matched, .bookedFromLine))
        }
        try LedgerStore.book(entries, in: db)
        try SettlementLineStore.link(provider, links, in: db)
        try SettlementLineStore.settle(provider, results, in: db)
        try ReconciliationCaseStore.found(
            provider, lines: results.map(\.id), entries: links.map(\.entry), at: now, in: db)
    }
}
