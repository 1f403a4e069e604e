import BillingCore
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Settlement lines in files") struct ReconciliationFileTests {
    private static let head = "id,kind,currency,gross,fee,net,occurred_at"

    @Test("a line that is dated ahead does not say that all before it are here") func ahead() async throws {
        try await withPayments { world in
            try await world.load(
                """
                \(Self.head)
                t1,charge,USD,5.00,0,5.00,2027-01-15T08:01:00Z
                t2,fee,USD,-1.00,0,-1.00,2027-01-16T07:00:00Z
                """)
            world.clock.advance(by: .seconds(3_600))
            _ = try await world.paid(try await world.payer(), amount: 500)
            try await world.reconciliation([]).pass()
            #expect(
                try await world.lines() == ["t1 open", "t2 matched booked_from_line"],
                "the booking's own line may follow")
            world.clock.advance(by: .seconds(3_600))
            try await world.load("\(Self.head)\nt3,fee,USD,-1.00,0,-1.00,2027-01-15T09:30:00Z")
            try await world.reconciliation([]).pass()
            #expect(try await world.lines().first == "t1 matched amount_and_time")
            #expect(
                try await world.texts("SELECT (files_until AT TIME ZONE 'UTC')::text FROM settlement_cursors")
                    == ["2027-01-15 09:30:00"])
            await #expect(throws: SettlementFile.Refused.self) {
                try await world.load("\(Self.head)\nt4,fee,USD,-1.00,0,-1.00,2072-01-15T08:00:00Z")
            }
            #expect(try await world.number("SELECT count(*) FROM settlement_lines") == 3)
        }
    }

    @Test("a dispute is found by its own name alone, though its fee was booked with its amount") func dispute()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(try await world.payer())
            try await world.hear(world.told(paid, .needsResponse))
            let reconcile: ReconcileProviders = world.reconciliation([])
            world.advance(days: 2)
            try await world.load(
                """
                \(Self.head),own_reference
                t1,charge,USD,12.99,0,12.99,2027-01-15T08:01:00Z,\(paid.attemptID)
                """)
            try await reconcile.pass()
            // The payment's other line has found its booking: nothing else names the payment.
            try await world.load(
                """
                \(Self.head),source
                t2,dispute,USD,-12.99,15.00,-27.99,2027-01-15T08:02:00Z,dp_1
                """)
            try await reconcile.pass()
            #expect(try await world.lines() == ["t1 matched own_reference", "t2 matched provider_reference"])
            #expect(try await world.cases().isEmpty)
            #expect(try await world.settled(CivilDate(dayNumber: 20_833)) == ["USD -1500 -1500 0 0 0 0"])
        }
    }

    @Test("nor that those of what was booked before the import are") func aheadOfBookings() async throws {
        try await withPayments { world in
            world.clock.advance(by: .seconds(3_600))
            _ = try await world.paid(try await world.payer(), amount: 500)
            world.clock.advance(by: .seconds(3_600))
            try await world.load(
                """
                \(Self.head)
                t1,charge,USD,5.00,0,5.00,2027-01-15T08:01:00Z
                t2,fee,USD,-1.00,0,-1.00,2027-01-16T07:00:00Z
                """)
            try await world.reconciliation([]).pass()
            #expect(
                try await world.lines() == ["t1 open", "t2 matched booked_from_line"],
                "the booking's own line may follow")
            #expect(
                try await world.texts("SELECT (files_until AT TIME ZONE 'UTC')::text FROM settlement_cursors")
                    == ["2027-01-15 08:01:00"])
            try await world.load("\(Self.head)\nt3,fee,USD,-1.00,0,-1.00,2027-01-15T09:30:00Z")
            try await world.reconciliation([]).pass()
            #expect(try await world.lines().first == "t1 matched amount_and_time")
        }
    }
}
