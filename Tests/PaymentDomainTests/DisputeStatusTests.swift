import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("The states of a dispute") struct DisputeStatusTests {
    /// Every state and every word, told by news of unknown, older and newer age; `nil` where the word is late or known.
    private static let table: [(DisputeStatus, DisputeStatus, [DisputeStatus?])] = [
        (.inquiry, .inquiry, [nil, nil, nil]),
        (.inquiry, .closed, [.closed, nil, .closed]),
        (.inquiry, .needsResponse, [.needsResponse, .needsResponse, .needsResponse]),
        (.inquiry, .underReview, [.underReview, .underReview, .underReview]),
        (.inquiry, .won, [.won, .won, .won]),
        (.inquiry, .lost, [.lost, .lost, .lost]),

        (.closed, .inquiry, [nil, nil, .inquiry]),
        (.closed, .closed, [nil, nil, nil]),
        (.closed, .needsResponse, [.needsResponse, .needsResponse, .needsResponse]),
        (.closed, .underReview, [.underReview, .underReview, .underReview]),
        (.closed, .won, [.won, .won, .won]),
        (.closed, .lost, [.lost, .lost, .lost]),

        (.needsResponse, .inquiry, [nil, nil, nil]),
        (.needsResponse, .closed, [nil, nil, nil]),
        (.needsResponse, .needsResponse, [nil, nil, nil]),
        (.needsResponse, .underReview, [.underReview, nil, .underReview]),
        (.needsResponse, .won, [.won, .won, .won]),
        (.needsResponse, .lost, [.lost, .lost, .lost]),

        (.underReview, .inquiry, [nil, nil, nil]),
        (.underReview, .closed, [nil, nil, nil]),
        (.underReview, .needsResponse, [nil, nil, .needsResponse]),
        (.underReview, .underReview, [nil, nil, nil]),
        (.underReview, .won, [.won, .won, .won]),
        (.underReview, .lost, [.lost, .lost, .lost]),

        (.lost, .inquiry, [nil, nil, nil]),
        (.lost, .closed, [nil, nil, nil]),
        (.lost, .needsResponse, [nil, nil, nil]),
        (.lost, .underReview, [nil, nil, nil]),
        (.lost, .won, [.won, nil, .won]),
        (.lost, .lost, [nil, nil, nil]),

        (.won, .inquiry, [nil, nil, nil]),
        (.won, .closed, [nil, nil, nil]),
        (.won, .needsResponse, [nil, nil, nil]),
        (.won, .underReview, [nil, nil, nil]),
        (.won, .won, [nil, nil, nil]),
        (.won, .lost, [nil, nil, .lost]),
    ]

    @Test("each word leads where the table says, and nowhere else") func transitions() {
        #expect(Self.table.count == DisputeStatus.allCases.count * DisputeStatus.allCases.count)
        for (state, told, expected) in Self.table {
            let ages: [DisputeStatus.Age] = [.unknown, .older, .newer]
            for (age, after) in zip(ages, expected) {
                #expect(state.after(told, age) == after, "\(state) is told \(told), \(age)")
            }
        }
    }

    @Test("money is out while a dispute is open or lost, and only then") func funds() {
        let funds: [DisputeStatus: DisputeStatus.Funds] = [
            .inquiry: .untouched, .closed: .untouched, .needsResponse: .withheld, .underReview: .withheld,
            .won: .returned, .lost: .gone,
        ]
        for status in DisputeStatus.allCases { #expect(status.funds == funds[status]) }
        #expect(DisputeStatus.allCases.filter(\.isClosed) == [.won, .lost, .closed])
        #expect(DisputeStatus.allCases.filter(\.takesEvidence) == [.inquiry, .needsResponse])
    }
}

@Suite("What the ledger shows of a dispute") struct DisputeStandingTests {
    private static let amount = Money(minor: 2_000, currency: .usd)

    private func standing(
        _ status: DisputeStatus, amount: Int64 = 2_000, fee: Int64? = 1_500, at seconds: Int64? = nil
    ) -> DisputeStanding {
        DisputeStanding(
            status: status, amount: Money(minor: amount, currency: .usd),
            fee: fee.map { Money(minor: $0, currency: .usd) }, changedAt: seconds.map { Instant(seconds: $0) })
    }

    private func lines(_ before: DisputeStanding?, _ after: DisputeStanding) throws -> [String] {
        try DisputeLedger.postings(from: before, to: after, provider: "p").map { "\($0.account) \($0.amount.minor)" }
            .sorted()
    }

    @Test("taken, won, lost and won on appeal move exactly what they say") func movements() throws {
        let open: DisputeStanding = standing(.needsResponse)
        #expect(
            try lines(nil, open) == [
                "assets:disputed_funds 2000", "assets:provider:p -3500", "expense:dispute_fees 1500",
            ])
        #expect(try lines(open, standing(.underReview)).isEmpty)
        #expect(
            try lines(open, standing(.won, fee: 0)) == [
                "assets:disputed_funds -2000", "assets:provider:p 3500", "expense:dispute_fees -1500",
            ])
        #expect(
            try lines(open, standing(.lost)) == ["assets:disputed_funds -2000", "expense:dispute_losses 2000"])
        #expect(
            try lines(standing(.lost), standing(.won)) == ["assets:provider:p 2000", "expense:dispute_losses -2000"])
        #expect(try lines(nil, standing(.inquiry, fee: 0)).isEmpty)
        #expect(try lines(nil, standing(.inquiry, fee: nil)).isEmpty)
        #expect(try lines(standing(.inquiry, fee: 0), standing(.closed, fee: 0)).isEmpty)
        #expect(try lines(nil, standing(.won, fee: 0)).isEmpty, "nothing is left of what was taken and given back")
        #expect(
            try lines(open, standing(.lost, amount: 1_200)) == [
                "assets:disputed_funds -2000", "assets:provider:p 800", "expense:dispute_losses 1200",
            ], "lost in part")
    }

    @Test("a fee in another currency balances by itself") func foreignFee() throws {
        let euros = DisputeStanding(
            status: .needsResponse, amount: Self.amount, fee: Money(minor: 2_000, currency: .eur), changedAt: nil)
        let postings: [Posting] = try DisputeLedger.postings(from: nil, to: euros, provider: "p")
        for currency in [Currency.usd, .eur] {
            let sum: Int64 = postings.filter { $0.amount.currency == currency }.reduce(0) { $0 + $1.amount.minor }
            #expect(sum == 0 && postings.filter { $0.amount.currency == currency }.count == 2)
        }
    }

    /// News as a provider with or without a clock would send it.
    private func news(_ random: inout Seeded) -> [DisputeStanding] {
        let hasClock: Bool = Bool.random(using: &random)
        let tellsFees: Bool = Bool.random(using: &random)
        return (0..<Int.random(in: 1...7, using: &random)).map { step in
            let status: DisputeStatus = DisputeStatus.allCases.randomElement(using: &random) ?? .inquiry
            let amount: Int64 = hasClock ? .random(in: 1...3_000, using: &random) : 2_000
            let usual: Int64 = status.phase == .dispute || status == .lost ? 1_500 : 0
            let fee: Int64 = hasClock ? .random(in: 0...3_000, using: &random) : usual
            return standing(status, amount: amount, fee: tellsFees ? fee : nil, at: hasClock ? Int64(step) : nil)
        }
    }

    @Test("a fee that changes after the status did is the later one, whichever is heard first") func laterFee() throws {
        let charged: DisputeStanding = standing(.won, fee: 1_500, at: 1)
        let returned: DisputeStanding = standing(.won, fee: 0, at: 2)
        #expect(charged.after(returned) == returned)
        #expect(returned.after(charged) == nil)
        #expect(
            try lines(charged, returned) == ["assets:provider:p 1500", "expense:dispute_fees -1500"],
            "only the fee comes back")
    }

    @Test("news in any order, with repeats, ends in the same standing and the same books") func anyOrder() throws {
        var random = Seeded()
        for _ in 0..<2_000 {
            let told: [DisputeStanding] = news(&random)
            var ends: Set<DisputeStanding> = []
            for _ in 0..<6 {
                let order: [DisputeStanding] = (told + told.filter { _ in Bool.random(using: &random) }).shuffled(
                    using: &random)
                var now: DisputeStanding?
                var booked: [String: Int64] = [:]
                for word in order {
                    let next: DisputeStanding? = now.map { $0.after(word) } ?? word
                    guard let next else { continue }
                    for line in try DisputeLedger.postings(from: now, to: next, provider: "p") {
                        booked[line.account, default: 0] += line.amount.minor
                    }
                    now = next
                }
                let end: DisputeStanding = try #require(now)
                ends.insert(end)
                var shown: [String: Int64] = [:]
                for line in try DisputeLedger.postings(from: nil, to: end, provider: "p") {
                    shown[line.account] = line.amount.minor
                }
                #expect(booked.filter { $0.value != 0 } == shown, "seed \(random.seed)")
                #expect(booked.values.reduce(0, +) == 0, "seed \(random.seed)")
            }
            #expect(ends.count == 1, "seed \(random.seed): \(told)")
        }
    }
}
