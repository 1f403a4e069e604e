import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Settlement lines, windows, cases and their bookings") struct SettlementDomainTests {
    @Test("figures that do not add up, or have the sign of another kind, make no line") func figures() throws {
        for kind in SettlementLine.Kind.allCases {
            for gross: Int64 in [-100, 0, 100] {
                let allowed: Bool =
                    switch kind {
                    case .charge, .disputeReversal, .payoutFailure: gross >= 0
                    case .refund, .dispute, .payout: gross <= 0
                    case .fee, .adjustment: true
                    }
                let line = try? Settle.line("t", kind, gross, fee: 7)
                #expect((line != nil) == allowed, "\(kind) \(gross)")
            }
        }
        #expect(throws: SettlementLine.Fault.doesNotAddUp) {
            try SettlementLine(
                provider: "p", id: "t", kind: .charge, gross: Settle.usd(100), fee: Settle.usd(3), net: Settle.usd(96),
                occurredAt: Settle.day)
        }
        #expect(throws: SettlementLine.Fault.doesNotAddUp) {
            try SettlementLine(
                provider: "p", id: "t", kind: .charge, gross: Settle.usd(100), fee: .zero(.eur), net: Settle.usd(100),
                occurredAt: Settle.day)
        }
    }

    @Test("spans follow each other without a gap, in pieces the provider takes") func windows() {
        var random = Seeded()
        for _ in 0..<500 {
            var window = SettlementWindow(from: Settle.day, to: Settle.day)
            var reached: Instant = Settle.day
            var horizon: Instant = Settle.day
            for _ in 0..<20 {
                horizon = horizon + .seconds(Int64.random(in: 0...5_000, using: &random))
                let opened = window.opened(upTo: horizon, longest: .seconds(3_000))
                #expect(opened.from == reached && opened.to <= max(horizon, reached), "seed \(random.seed)")
                #expect(opened.to - opened.from <= .seconds(3_000), "seed \(random.seed)")
                guard !opened.isOver else { continue }
                let paged = opened.advanced(next: "2")
                #expect(paged.opened(upTo: horizon + .seconds(9), longest: .seconds(1)) == paged)
                window = paged.advanced(next: nil)
                reached = opened.to
                #expect(window.isOver && window.page == nil)
            }
        }
    }

    @Test("a case moves as the table says and never out of a closed state") func cases() {
        let table: [(ReconciliationCaseState, ReconciliationCaseState.Step, ReconciliationCaseState?)] = [
            (.open, .explain, .explained), (.open, .resolve, .resolved), (.open, .writeOff, .writtenOff),
            (.explained, .explain, .explained), (.explained, .resolve, .resolved), (.explained, .writeOff, .writtenOff),
            (.resolved, .explain, nil), (.resolved, .resolve, nil), (.resolved, .writeOff, nil),
            (.writtenOff, .explain, nil), (.writtenOff, .resolve, nil), (.writtenOff, .writeOff, nil),
        ]
        #expect(table.count == ReconciliationCaseState.allCases.count * ReconciliationCaseState.Step.allCases.count)
        for (state, step, after) in table { #expect(state.after(step) == after, "\(state) \(step)") }
    }

    @Test("ages fall into bands by whole days") func ages() {
        for (hours, band) in [
            (0, ReconciliationAge.upToOneDay), (47, .upToOneDay), (48, .upToOneWeek), (191, .upToOneWeek),
            (192, .upToOneMonth), (743, .upToOneMonth), (744, .older), (90_000, .older),
        ] {
            #expect(
                ReconciliationAge(opened: Settle.day, now: Settle.day + .seconds(Int64(hours) * 3_600)) == band,
                "\(hours) hours")
        }
    }

    @Test("every booking balances") func balance() throws {
        var random = Seeded()
        for _ in 0..<200 {
            let amount = Settle.usd(.random(in: -1_000_000...1_000_000, using: &random))
            for postings in [
                try Ledger.providerFee(amount, provider: "stripe"), try Ledger.payout(amount, provider: "stripe"),
                try Ledger.payoutArrival(amount), try Ledger.writeOff(amount, provider: "stripe"),
                try Ledger.payoutFailure(amount, provider: "stripe", arrived: true),
                try Ledger.payoutFailure(amount, provider: "stripe", arrived: false),
            ] { #expect(postings.reduce(0) { $0 + $1.amount.minor } == 0) }
        }
    }
}
