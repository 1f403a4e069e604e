import BillingCore
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Statements of an account") struct StatementTests {
    private static let account: String = Ledger.providerBalance("stripe")
    private static let day: Duration = .seconds(86_400)

    /// All pages of a statement.
    private static func pages(
        _ world: LedgerWorld, from: Instant, to: Instant, limit: Int
    ) async throws -> [LedgerStatement] {
        var pages: [LedgerStatement] = []
        repeat {
            let after: StatementPlace? = pages.last?.lines.last?.place
            pages.append(
                try await world.database.transaction(snapshot: true) { db in
                    try StatementStore.read(
                        account, "USD", from: from, to: to, after: after, limit: limit, in: db)
                })
        } while pages.last?.hasMore == true
        return pages
    }

    @Test("pages hold every line once, each balance follows from the one before, and periods follow each other")
    func chain() async throws {
        try await withLedger { world in
            var random = Seeded()
            for _ in 0..<12 {
                // Few moments: many lines share one, within an entry and between entries.
                try await world.book(
                    (0..<10).map { _ in
                        let hours: Int = Int.random(in: 0..<96, using: &random)
                        return try .random(at: LedgerWorld.start.adding(.seconds(hours * 3_600)), &random)
                    })
                if Bool.random(using: &random) { _ = try await world.seal.pass(limit: 17) }
            }
            var (seen, closing): (Int, Int128?) = (0, nil)
            for number in 0..<4 {
                let from: Instant = LedgerWorld.start.adding(Self.day * number)
                let pages: [LedgerStatement] = try await Self.pages(
                    world, from: from, to: from.adding(Self.day), limit: Int.random(in: 1...9, using: &random))
                guard let first: LedgerStatement = pages.first else { return }
                if let closing { #expect(first.opening == closing, "seed \(random.seed)") }
                var balance: Int128 = first.opening
                for page in pages {
                    #expect(page.opening == first.opening && page.closing == first.closing, "seed \(random.seed)")
                    for line in page.lines {
                        balance += Int128(line.amount)
                        #expect(line.balance == balance, "seed \(random.seed)")
                        #expect(line.place.occurredAt >= from && line.place.occurredAt < from.adding(Self.day))
                        seen += 1
                    }
                }
                #expect(balance == first.closing, "seed \(random.seed)")
                closing = first.closing
            }
            #expect(
                try await world.number(
                    "SELECT count(*) FROM journal_lines WHERE account = \(Self.account) AND currency = 'USD'")
                    == Int64(seen), "seed \(random.seed)")
            #expect(
                try await world.balances().first { $0.account == Self.account && $0.currency == "USD" }?.balance
                    == closing)
        }
    }

    @Test("an entry booked late counts in the period it happened in, and in all that follow") func late() async throws {
        try await withLedger { world in
            let january = LedgerWorld.start
            func entry(_ minor: Int64, _ at: Instant) throws -> JournalEntry {
                let id = JournalEntryID.new(at: LedgerWorld.start)
                return JournalEntry(
                    id: id, kind: .payment, reference: id.rawValue, paymentID: nil, occurredAt: at,
                    postings: try Ledger.capture(Money(minor: minor, currency: .usd), provider: "stripe"))
            }
            try await world.book([try entry(100, january), try entry(30, january.adding(Self.day))])
            try await world.sealAll()
            try await world.book([try entry(7, january.adding(.seconds(60)))])
            for isSealed in [false, true] {
                if isSealed { try await world.sealAll() }
                let first: [LedgerStatement] = try await Self.pages(
                    world, from: january, to: january.adding(Self.day), limit: 50)
                #expect(first.first?.lines.map(\.amount) == [100, 7])
                #expect(first.first?.closing == 107)
                let second: [LedgerStatement] = try await Self.pages(
                    world, from: january.adding(Self.day), to: january.adding(Self.day * 2), limit: 50)
                #expect(second.first?.opening == 107 && second.first?.closing == 137)
            }
        }
    }
}
