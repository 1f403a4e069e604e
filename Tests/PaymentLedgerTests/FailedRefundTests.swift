import BillingCore
import HTTPKit
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Reversing what a refund's failure has undone") struct FailedRefundTests {
    private static let payment = PaymentID.new(at: LedgerWorld.start)

    private static func dollars(_ minor: Int64) -> Money { Money(minor: minor, currency: .usd) }

    private static func entry(_ kind: JournalEntry.Kind, _ reference: String, _ postings: [Posting]) -> JournalEntry {
        JournalEntry(
            id: .new(at: LedgerWorld.start), kind: kind, reference: reference, paymentID: payment,
            occurredAt: LedgerWorld.start, postings: postings)
    }

    private static func refund(_ reference: String) throws -> JournalEntry {
        entry(.refund, reference, try Ledger.refund(dollars(500), provider: "stripe"))
    }

    /// The provider took a little more than was booked.
    private static func settlement(_ reference: String) throws -> JournalEntry {
        entry(
            .settlement, reference,
            try ExchangeLedger.correction(booked: dollars(-500), settled: dollars(-510), provider: "stripe"))
    }

    private static func reverse(_ world: LedgerWorld, _ id: JournalEntryID) async throws -> BookedEntry {
        try await world.database.transaction { db in
            try BookByHand.reverse(id, reason: "it failed", actor: "key_ada", at: LedgerWorld.start, in: db)
        }
    }

    private static func undo(_ world: LedgerWorld, _ refund: String) async throws -> Bool {
        try await world.database.transaction { db in
            try LedgerStore.undo(refund: refund, of: payment, at: LedgerWorld.start, in: db)
        }
    }

    private static func failure(_ world: LedgerWorld, of refund: String) async throws -> JournalEntryID {
        let found: JournalEntryID? = try await world.database.transaction { db in
            try db.first(
                "SELECT id FROM journal_entries WHERE kind = 'refund_failure' AND reference = \(refund)"
            ) { row in try row.next() }
        }
        return try #require(found)
    }

    @Test("neither the refund nor its settlement can be reversed by hand any more, and both name the failure")
    func after() async throws {
        try await withLedger { world in
            let (refund, settlement) = (try Self.refund("re_1"), try Self.settlement("re_1"))
            try await world.book([refund, settlement])
            #expect(try await Self.undo(world, "re_1"))
            let failure: JournalEntryID = try await Self.failure(world, of: "re_1")
            for entry in [refund, settlement] {
                let error = await #expect(throws: BookByHand.Failure.self) { try await Self.reverse(world, entry.id) }
                #expect(error == .reversed(by: failure), "\(entry.kind)")
                #expect(error?.problem.status == 409 && error?.problem.code == "entry_reversed")
            }
            #expect(try await world.balances().allSatisfy { $0.balance == 0 })
        }
    }

    @Test("what was settled after the failure is not undone by it, and can be reversed by hand once")
    func settledLater() async throws {
        try await withLedger { world in
            let (refund, settlement) = (try Self.refund("re_1"), try Self.settlement("re_1"))
            try await world.book([refund])
            #expect(try await Self.undo(world, "re_1"))
            try await world.book([settlement])
            let reversal: BookedEntry = try await Self.reverse(world, settlement.id)
            #expect(reversal.reverses == settlement.id.rawValue)
            await #expect(throws: BookByHand.Failure.reversed(by: reversal.id)) {
                try await Self.reverse(world, settlement.id)
            }
            #expect(try await world.balances().allSatisfy { $0.balance == 0 })
        }
    }

    @Test("of six who reverse a refund while it fails, and the failure itself, one does anything") func race()
        async throws
    {
        try await withLedger { world in
            for number in 0..<8 {
                let refund: JournalEntry = try Self.refund("re_\(number)")
                try await world.book([refund])
                let done: Int = await withTaskGroup(of: Bool.self) { group in
                    for place in 0..<7 {
                        group.addTask {
                            if place == 3 { return (try? await Self.undo(world, refund.reference)) ?? false }
                            return (try? await Self.reverse(world, refund.id)) != nil
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(done == 1)
            }
            #expect(try await world.balances().allSatisfy { $0.balance == 0 })
            #expect(try await world.violations() == [])
        }
    }
}
