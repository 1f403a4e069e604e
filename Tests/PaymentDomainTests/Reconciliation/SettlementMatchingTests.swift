import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Matching settlement lines with bookings") struct SettlementMatchingTests {
    private static let matching = SettlementMatching(window: .seconds(3_600))

    private static func pairs(_ lines: [SettlementLine], _ bookings: [SettlementBooking]) -> [String] {
        matching(lines, bookings).matches.map { "\($0.line)=\($0.booking) \($0.rule.rawValue)" }.sorted()
    }

    @Test("our own id finds the booking, whatever else looks alike") func own() throws {
        let bookings = [
            Settle.booking("je1", 1_000, own: "att_1", sources: ["pi_1"]),
            Settle.booking("je2", 1_000, own: "att_2", sources: ["pi_2"]),
        ]
        let line = try Settle.line("t1", 1_000, own: "att_2", source: "pi_1")
        #expect(Self.pairs([line], bookings) == ["t1=je2 own_reference"])
    }

    @Test("a capture is found by its attempt, and among several by its amount") func captures() throws {
        let bookings = [
            Settle.booking("je1", 300, own: "cap_1", related: ["att_1"]),
            Settle.booking("je2", 700, own: "cap_2", related: ["att_1"]),
        ]
        let second = try Settle.line("t2", 700, own: "att_1")
        let first = try Settle.line("t1", 300, own: "att_1")
        #expect(Self.pairs([second, first], bookings) == ["t1=je1 own_reference", "t2=je2 own_reference"])
        let other = try Settle.line("t3", 650, own: "att_1")
        #expect(Self.pairs([first, other], bookings) == ["t1=je1 own_reference", "t3=je2 own_reference"])
    }

    @Test("without our id the provider's name finds it, that of the charge last") func theirs() throws {
        let charge = Settle.booking("je1", 1_000, sources: ["pi_1"], taken: ["pi_1"])
        let refund = Settle.booking("je2", .refund, -400, sources: ["re_1"], taken: ["pi_1"])
        let lines = [
            try Settle.line("t1", 1_000, source: "ch_9", taken: "pi_1"),
            try Settle.line("t2", .refund, -400, source: "re_1"),
        ]
        #expect(
            Self.pairs(lines, [charge, refund]) == ["t1=je1 provider_reference", "t2=je2 provider_reference"])
    }

    @Test("what a person has booked of a charge is what a line tells of it only where the amount is the same")
    func byHand() throws {
        let adjustment = SettlementBooking(
            id: "je1", kind: .adjustment, own: "je1", related: ["pay_1"], taken: ["pi_1"], gross: Settle.usd(-300),
            isByHand: true, occurredAt: Settle.day)
        let returned = try Settle.line("t1", .adjustment, 5_000, source: "re_1", taken: "pi_1")
        #expect(Self.pairs([returned], [adjustment]).isEmpty)
        #expect(Self.pairs([try Settle.line("t1", .adjustment, -301, own: "pay_1")], [adjustment]).isEmpty)
        let its = try Settle.line("t2", .adjustment, -300, source: "txn_2", taken: "pi_1")
        #expect(Self.pairs([returned, its], [adjustment]) == ["t2=je1 provider_reference"])
    }

    @Test("a booking that a line was said not to be is no partner of it, by any rule") func refused() throws {
        let bookings = [
            Settle.booking("je1", 1_000, own: "att_1", sources: ["ch_1"], taken: ["pi_1"]),
            Settle.booking("je2", 1_000),
        ]
        let knowing = SettlementMatching(window: .seconds(3_600), refused: ["t1": ["je1"]])
        func pairs(_ line: SettlementLine) -> [String] { knowing([line], bookings).matches.map(\.booking) }
        #expect(pairs(try Settle.line("t1", 1_000)) == ["je2"])
        #expect(pairs(try Settle.line("t1", 1_000, own: "att_1")) == [])
        #expect(pairs(try Settle.line("t1", 700, source: "ch_1")) == [])
        #expect(pairs(try Settle.line("t1", 700, taken: "pi_1")) == [])
        #expect(pairs(try Settle.line("t2", 1_000, own: "att_1")) == ["je1"], "others may be it")
        let rivals = knowing(
            [try Settle.line("t1", 1_000), try Settle.line("t2", 1_000)], [Settle.booking("je1", 1_000)])
        #expect(rivals.matches.map(\.line) == ["t2"] && rivals.ambiguous.isEmpty)
    }

    @Test("what the provider calls by another name of the same kind is another thing, however equal the amounts")
    func another() throws {
        let capture = Settle.booking("je1", 1_000, sources: ["ca_1"], taken: ["pi_1"])
        #expect(Self.pairs([try Settle.line("t1", 1_000, source: "ca_2", taken: "pi_1")], [capture]).isEmpty)
        #expect(Self.pairs([try Settle.line("t1", 1_000, source: "ca_2")], [capture]).isEmpty)
        #expect(
            Self.pairs([try Settle.line("t1", 1_000, source: "ch_2")], [capture]) == ["t1=je1 amount_and_time"],
            "names of two kinds say nothing")
        let refund = Settle.booking("je2", .refund, -400, taken: ["pi_1"])
        #expect(Self.pairs([try Settle.line("t2", .refund, -400, taken: "pi_2")], [refund]).isEmpty)
        // PayPal names the movement of a dispute's money, and not the dispute.
        let dispute = Settle.booking("je3", .dispute, -500, sources: ["PP-D-1"], taken: ["CAP1"])
        let own = try Settle.line("CB1", .dispute, -500, source: "CB1", taken: "CAP1")
        #expect(Self.pairs([own], [dispute]) == ["CB1=je3 provider_reference"])
        let other = try Settle.line("CB2", .dispute, -500, source: "CB2", taken: "CAP2")
        #expect(Self.pairs([other], [dispute]).isEmpty)
    }

    @Test("what was exchanged when it was booked is found by what was asked, and compared with what was settled")
    func exchanged() throws {
        func booking(_ id: String, own: String, _ usd: Int64, _ gbp: Int64) -> SettlementBooking {
            SettlementBooking(
                id: id, kind: .charge, own: own, related: ["att_1"], gross: Settle.usd(usd),
                given: Money(minor: gbp, currency: .gbp), occurredAt: Settle.day)
        }
        func line(_ id: String, _ usd: Int64, _ gbp: Int64, own: String?) throws -> SettlementLine {
            try Settle.line(
                id, usd, own: own,
                presentment: SettlementLine.Presentment(amount: Money(minor: gbp, currency: .gbp), rate: nil))
        }
        let bookings = [booking("je1", own: "cap_1", 1_000, 800), booking("je2", own: "cap_2", 500, 400)]
        let lines = [try line("t2", 495, 400, own: "att_1"), try line("t1", 990, 800, own: "att_1")]
        #expect(Self.pairs(lines, bookings) == ["t1=je1 own_reference", "t2=je2 own_reference"])
        #expect(Self.pairs([try line("t1", 500, 444, own: nil)], bookings) == ["t1=je2 amount_and_time"])
        #expect(try SettlementDifference(of: lines[1], from: bookings[0]) == .amount(Settle.usd(-10)))
    }

    @Test("a converted part is found by what its rate makes of it, and equal parts as they followed each other")
    func convertedParts() throws {
        func booking(_ id: String, _ gbp: Int64, after seconds: Int64 = 0) -> SettlementBooking {
            Settle.booking(id, gbp, related: ["att_1"], currency: .gbp, after: seconds)
        }
        func line(_ id: String, _ usd: Int64, after seconds: Int64 = 0) throws -> SettlementLine {
            try Settle.line(
                id, usd, own: "att_1",
                presentment: SettlementLine.Presentment(
                    amount: Money(minor: 10_000, currency: .gbp), rate: ExactDecimal("1.25")), after: seconds)
        }
        let pairs = ["t1=je1 own_reference", "t2=je2 own_reference"]
        let parts = [booking("je2", 4_000), booking("je1", 6_000)]
        #expect(Self.pairs([try line("t1", 7_500), try line("t2", 5_001)], parts) == pairs)
        #expect(try line("t2", 5_001).beside(parts[0]).asked == parts[0].gross)
        for told: Int64 in [5_002, 12_500] {
            #expect(try line("t2", told).beside(parts[0]).asked == Money(minor: 10_000, currency: .gbp))
        }
        let halves = [booking("je2", 5_000, after: 50), booking("je1", 5_000)]
        let lines = [try line("t2", 6_250, after: 60), try line("t1", 6_250, after: 1)]
        #expect(Self.pairs(lines, halves) == pairs)
        let outcome = Self.matching(lines, halves + [booking("je3", 5_000)])
        #expect(outcome.matches.isEmpty && outcome.ambiguous == ["t1", "t2"])
    }

    @Test("amount, currency and time find it only where there is one on each side") func alike() throws {
        let one = Settle.booking("je1", 1_000, after: 600)
        let line = try Settle.line("t1", 1_000)
        #expect(Self.pairs([line], [one]) == ["t1=je1 amount_and_time"])
        let two = Settle.booking("je2", 1_000, after: -600)
        let outcome = Self.matching([line], [one, two])
        #expect(outcome.matches.isEmpty && outcome.ambiguous == ["t1"])
        let twins = Self.matching([line, try Settle.line("t2", 1_000, after: 60)], [one])
        #expect(twins.matches.isEmpty && twins.ambiguous == ["t1", "t2"])
        for stranger in [
            Settle.booking("far", 1_000, after: 3_601), Settle.booking("less", 999),
            Settle.booking("euro", 1_000, currency: .eur), Settle.booking("kind", .adjustment, 1_000),
        ] {
            let strange: SettlementMatching.Outcome = Self.matching([line], [stranger])
            #expect(strange.matches.isEmpty && strange.ambiguous.isEmpty, "\(stranger.id)")
        }
    }

    @Test("of many equal amounts a line names the nearest bookings, and all that it may be count") func many() throws {
        let bookings: [SettlementBooking] = (0..<400).map {
            Settle.booking("je\($0)", 1_000, after: Int64($0) * 10)
        }
        let lines: [SettlementLine] = try (0..<400).map {
            try Settle.line("t\($0)", 1_000, after: Int64($0) * 10 + 1)
        }
        let other = try Settle.line("other", 777)
        let outcome: SettlementMatching.Outcome = Self.matching(
            lines + [other], bookings + [Settle.booking("je_other", 777)])
        #expect(outcome.matches.map(\.line) == ["other"] && outcome.ambiguous.count == 400)
        #expect(outcome.candidates["t200"] == Set((151...250).map { "je\($0)" }))
        #expect(outcome.candidates.values.allSatisfy { $0.count == SettlementMatching.mostCandidates })
        // The last booking is the only one that the later line may be, and none of the nearest to the earlier.
        let few = Array(bookings.prefix(150))
        let rivals = [try Settle.line("early", 1_000), try Settle.line("late", 1_000, after: 1_490 + 3_600)]
        let contested: SettlementMatching.Outcome = Self.matching(rivals, few)
        #expect(contested.matches.isEmpty && contested.ambiguous == ["early", "late"])
        #expect(contested.candidates["late"] == ["je149"])
        #expect(contested.candidates["early"] == Set((0..<100).map { "je\($0)" }))
    }

    @Test("equal parts that the provider's names tell apart go by these, whichever was booked first") func namedParts()
        throws
    {
        let bookings = [
            Settle.booking("je2", 5_000, related: ["att_1"], sources: ["CAP2"]),
            Settle.booking("je1", 5_000, related: ["att_1"], sources: ["CAP1"], after: 50),
        ]
        let lines = [
            try Settle.line("t1", 5_000, own: "att_1", source: "CAP1", after: 1),
            try Settle.line("t2", 5_000, own: "att_1", source: "CAP2", after: 60),
        ]
        #expect(Self.pairs(lines, bookings) == ["t1=je1 provider_reference", "t2=je2 provider_reference"])
    }

    @Test("a line with an id of ours that is not booked is not given another's booking") func foreign() throws {
        let line = try Settle.line("t1", 1_000, own: "att_unknown")
        #expect(Self.pairs([line], [Settle.booking("je1", 1_000, own: "att_1")]).isEmpty)
    }

    @Test("fees and payouts have no partner") func fromLine() throws {
        for kind in SettlementLine.Kind.allCases where kind.isBookedFromLine {
            let gross: Int64 = kind == .payoutFailure ? 500 : -500
            let line = try Settle.line("t1", kind, gross, own: "x", source: "x")
            #expect(Self.pairs([line], [Settle.booking("je1", kind, gross, own: "x", sources: ["x"])]).isEmpty)
        }
    }

    /// Lines and bookings with few distinct names and amounts, so that every kind of clash comes up.
    private static func drawn(
        _ random: inout Seeded
    ) throws -> (lines: [SettlementLine], bookings: [SettlementBooking]) {
        func name(_ prefix: String, _ random: inout Seeded) -> String {
            "\(prefix)\(Int.random(in: 0..<6, using: &random))"
        }
        var lines: [SettlementLine] = []
        for index in 0..<Int.random(in: 0...12, using: &random) {
            let isRefund: Bool = Int.random(in: 0..<4, using: &random) == 0
            let amount: Int64 = .random(in: 1...4, using: &random) * (isRefund ? -100 : 100)
            lines.append(
                try Settle.line(
                    "t\(index)", isRefund ? .refund : .charge, amount,
                    own: Bool.random(using: &random) ? name("att_", &random) : nil,
                    source: Bool.random(using: &random) ? name("ch_", &random) : nil,
                    taken: Bool.random(using: &random) ? name("pi_", &random) : nil,
                    after: .random(in: -4_000...4_000, using: &random)))
        }
        var bookings: [SettlementBooking] = []
        for index in 0..<Int.random(in: 0...12, using: &random) {
            let isRefund: Bool = Int.random(in: 0..<4, using: &random) == 0
            let amount: Int64 = .random(in: 1...4, using: &random) * (isRefund ? -100 : 100)
            bookings.append(
                Settle.booking(
                    "je\(index)", isRefund ? .refund : .charge, amount, own: name("att_", &random),
                    related: Bool.random(using: &random) ? [name("att_", &random)] : [],
                    sources: Bool.random(using: &random) ? [name("ch_", &random)] : [],
                    taken: Bool.random(using: &random) ? [name("pi_", &random)] : [],
                    after: .random(in: -4_000...4_000, using: &random)))
        }
        return (lines, bookings)
    }

    @Test("order does not matter, nothing is matched twice, and every match has a ground") func properties() throws {
        var random = Seeded()
        var matches = 0
        for _ in 0..<3_000 {
            let (lines, bookings) = try Self.drawn(&random)
            let outcome: SettlementMatching.Outcome = Self.matching(lines, bookings)
            #expect(
                Self.matching(lines.shuffled(using: &random), bookings.shuffled(using: &random)) == outcome,
                "seed \(random.seed)")
            #expect(Set(outcome.matches.map(\.line)).count == outcome.matches.count, "seed \(random.seed)")
            #expect(Set(outcome.matches.map(\.booking)).count == outcome.matches.count, "seed \(random.seed)")
            #expect(outcome.ambiguous.isDisjoint(with: outcome.matches.map(\.line)), "seed \(random.seed)")
            for match in outcome.matches {
                let line = try #require(lines.first { $0.id == match.line })
                let booking = try #require(bookings.first { $0.id == match.booking })
                #expect(line.kind == booking.kind && Self.hasGround(match.rule, line, booking), "seed \(random.seed)")
            }
            let again: SettlementMatching.Outcome = Self.matching(
                lines.filter { line in !outcome.matches.contains { $0.line == line.id } },
                bookings.filter { booking in !outcome.matches.contains { $0.booking == booking.id } })
            #expect(again.matches.isDisjoint(with: outcome.matches), "seed \(random.seed)")
            matches += outcome.matches.count
        }
        #expect(matches > 3_000, "the cases are worth something")
    }

    private static func hasGround(_ rule: SettlementRule, _ line: SettlementLine, _ booking: SettlementBooking) -> Bool
    {
        let names: SettlementLine.References = line.references
        switch rule {
        case .ownReference: return names.own.map { $0 == booking.own || booking.related.contains($0) } ?? false
        case .providerReference:
            return names.source.map(booking.sources.contains) ?? false
                || names.taken.map(booking.taken.contains) ?? false
        case .amountAndTime: return line.asked == booking.gross && names.own == nil
        case .chosen, .bookedFromLine, .offset: return false
        }
    }

    @Test("a difference is told by its kind") func differences() throws {
        let line = try Settle.line("t1", 1_000, fee: 59)
        #expect(try SettlementDifference(of: line, from: Settle.booking("je", 1_000)) == nil)
        #expect(
            try SettlementDifference(of: line, from: Settle.booking("je", 1_200)) == .amount(Settle.usd(-200)))
        let euro = Settle.booking("je", 900, currency: .eur)
        #expect(
            try SettlementDifference(of: line, from: euro)
                == .currency(booked: Money(minor: 900, currency: .eur), settled: Settle.usd(1_000)))
        let shown = SettlementLine.Presentment(amount: Money(minor: 900, currency: .eur), rate: ExactDecimal("1.1"))
        #expect(try SettlementDifference(of: Settle.line("t1", 1_000, presentment: shown), from: euro) == nil)
        let dispute = try Settle.line("t2", .dispute, -1_000, fee: 1_500)
        for (booked, difference) in [(1_500, nil), (1_000, SettlementDifference.fee(Settle.usd(500))), (0, nil)] {
            let booking = Settle.booking("je", .dispute, -1_000, fee: Int64(booked))
            #expect(try SettlementDifference(of: dispute, from: booking) == difference)
        }
    }
}
