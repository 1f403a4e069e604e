import BillingCore
import Foundation
import PaymentContract
import PaymentDomain
import PaymentStripe
import Testing

@Suite("Settlement lines of Stripe") struct StripeSettlementTests {
    private static let span = SettlementWindow(from: StripeWorld.now, to: StripeWorld.now + .seconds(60))

    private static func entry(
        _ id: String, category: String, amount: Int, fee: Int = 0, source: String, rate: String = "null",
        currency: String = "usd"
    ) -> String {
        """
        {"id":"\(id)","object":"balance_transaction","type":"any","reporting_category":"\(category)","amount":\(amount),
        "fee":\(fee),"net":\(amount - fee),"currency":"\(currency)","created":1900000001,"available_on":1900172801,
        "status":"pending","exchange_rate":\(rate),"source":\(source)}
        """
    }

    private static func list(_ entries: [String], more: Bool = false) -> FakeTransport.Step {
        .answer(200, #"{"object":"list","has_more":\#(more),"data":[\#(entries.joined(separator: ","))]}"#)
    }

    private static func read(_ entries: String..., more: Bool = false) async throws -> ProviderSettlementPage {
        try await StripeWorld(list(entries, more: more)).adapter.settlementLines(in: span)
    }

    @Test("each category is its kind, and a strange sign an adjustment") func kinds() async throws {
        let table: [(String, Int, SettlementLine.Kind)] = [
            ("charge", 100, .charge), ("refund", -100, .refund), ("dispute", -100, .dispute),
            ("dispute", 100, .disputeReversal), ("dispute_reversal", 100, .disputeReversal), ("fee", -100, .fee),
            ("network_cost", -100, .fee), ("tax", -100, .fee), ("payout", -100, .payout),
            ("payout_reversal", 100, .payoutFailure), ("refund_failure", 100, .adjustment), ("topup", 100, .adjustment),
            ("charge", -100, .adjustment), ("refund", 100, .adjustment), ("payout", 100, .adjustment),
        ]
        for (category, amount, kind) in table {
            let page = try await Self.read(Self.entry("txn_1", category: category, amount: amount, source: "null"))
            #expect(page.lines.map(\.kind) == [kind], "\(category) \(amount)")
        }
    }

    @Test("our ids come out of what a line is about") func references() async throws {
        let charge = #"{"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{"attempt_id":"att_1"}}"#
        let refund =
            #"{"id":"re_1","object":"refund","charge":"ch_1","payment_intent":null,"metadata":{"refund_id":"re_ours"}}"#
        let dispute =
            #"{"id":"dp_1","object":"dispute","charge":"ch_1","payment_intent":"pi_1","metadata":{"attempt_id":"x"}}"#
        let page = try await Self.read(
            Self.entry("txn_1", category: "charge", amount: 1_000, fee: 59, source: charge),
            Self.entry("txn_2", category: "refund", amount: -400, source: refund),
            Self.entry("txn_3", category: "dispute", amount: -1_000, fee: 1_500, source: dispute),
            Self.entry("txn_4", category: "payout", amount: -100, source: #""po_1""#), more: true)
        #expect(page.next == "txn_4")
        #expect(
            page.lines.map(\.references) == [
                SettlementLine.References(own: "att_1", source: "ch_1", taken: "pi_1"),
                SettlementLine.References(own: "re_ours", source: "re_1", taken: "ch_1"),
                SettlementLine.References(source: "dp_1", taken: "pi_1"),
                SettlementLine.References(source: "po_1"),
            ])
        #expect(page.lines[2].net.minor == -2_500 && page.lines[0].availableAt == Instant(seconds: 1_900_172_801))
    }

    @Test("a page is read whose disputes carry much evidence; where it would be too long, a quarter of it is asked for")
    func muchEvidence() async throws {
        let dispute: String =
            #"{"id":"dp_1","object":"dispute","charge":"ch_1","payment_intent":"pi_1","metadata":{},"#
            + #""evidence":{"access_activity_log":"\#(String(repeating: "x", count: 1_200_000))"}}"#
        let entry: String = Self.entry("txn_1", category: "dispute", amount: -1_000, source: dispute)
        let world = StripeWorld(.fault(.tooLong(ProviderHTTPRequest.longestAnswer)), Self.list([entry], more: true))
        let page: ProviderSettlementPage = try await world.adapter.settlementLines(in: Self.span)
        #expect(page.next == "txn_1")
        #expect(page.lines.map(\.references) == [SettlementLine.References(source: "dp_1", taken: "pi_1")])
        #expect(world.transport.requests.map { $0.url.contains("limit=25") } == [false, true])
    }

    @Test("a converted charge keeps what it was before, with the rate as given") func converted() async throws {
        let charge = """
            {"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{},"amount":1000,"amount_captured":1000,
            "currency":"eur"}
            """
        let refund = #"{"id":"re_1","object":"refund","charge":"ch_1","amount":400,"currency":"eur"}"#
        let page = try await Self.read(
            Self.entry("txn_1", category: "charge", amount: 1_085, source: charge, rate: "1.085"),
            Self.entry("txn_2", category: "refund", amount: -434, source: refund, rate: "1.085"))
        #expect(page.lines[0].asked == Money(minor: 1_000, currency: .eur))
        #expect(page.lines[0].presentment?.rate == ExactDecimal("1.085"))
        #expect(page.lines[1].asked == Money(minor: -400, currency: .eur))
    }

    /// A charge of 100.00 of which 60.00 were captured.
    private static func captured(_ currency: String = "usd") -> String {
        """
        {"id":"ch_1","object":"charge","payment_intent":"pi_1","metadata":{"attempt_id":"att_1"},"amount":10000,
        "amount_captured":6000,"currency":"\(currency)"}
        """
    }

    /// Its refunds: one of ours, and that of what was not captured, whose movement is given.
    private static func refunds(_ rest: String) -> FakeTransport.Step {
        list([
            #"{"id":"re_2","object":"refund","amount":100,"balance_transaction":{"reporting_category":"refund"}}"#,
            #"{"id":"re_1","object":"refund","amount":4000,"balance_transaction":\#(rest)}"#,
        ])
    }

    @Test("a part that was captured is one line over that part, whether Stripe reports it in one movement or in two")
    func capturedInPart() async throws {
        let rest: String = Self.entry(
            "txn_2", category: "partial_capture_reversal", amount: -4_000, fee: -116, source: #""re_1""#)
        let whole: String = Self.entry(
            "txn_1", category: "charge", amount: 10_000, fee: 320, source: Self.captured())
        let part: String = Self.entry("txn_1", category: "charge", amount: 6_000, fee: 204, source: Self.captured())
        let two = StripeWorld(Self.list([whole, rest], more: true), Self.refunds(rest))
        // As it is since the API version basil: no refunds are read.
        let one = StripeWorld(Self.list([part]))
        for world in [two, one] {
            let page: ProviderSettlementPage = try await world.adapter.settlementLines(in: Self.span)
            #expect(page.lines.map(\.id) == ["txn_1"] && page.lines.map(\.kind) == [.charge])
            #expect(page.lines.map(\.gross.minor) == [6_000] && page.lines.map(\.fee.minor) == [204])
            #expect(
                page.lines.map(\.references) == [
                    SettlementLine.References(own: "att_1", source: "ch_1", taken: "pi_1")
                ])
            #expect(world.transport.left == 0)
        }
        let url: String = two.transport.requests[1].url
        #expect(url.contains("/v1/refunds?charge=ch_1") && url.contains("expand[0]=data.balance_transaction"), "\(url)")
        let apart = StripeWorld(Self.list([rest], more: true))
        let page: ProviderSettlementPage = try await apart.adapter.settlementLines(in: Self.span)
        #expect(page == ProviderSettlementPage(lines: [], next: "txn_2"), "it is part of the line on another page")
    }

    @Test("a converted part is what was captured, at what both movements come to") func convertedInPart() async throws {
        let rest: String = Self.entry(
            "txn_2", category: "partial_capture_reversal", amount: -4_340, source: #""re_1""#, rate: "1.085")
        let whole: String = Self.entry(
            "txn_1", category: "charge", amount: 10_850, source: Self.captured("eur"), rate: "1.085")
        let world = StripeWorld(Self.list([whole]), Self.refunds(rest))
        let line: SettlementLine = try #require(try await world.adapter.settlementLines(in: Self.span).lines.first)
        #expect(line.gross == Money(minor: 6_510, currency: .usd))
        #expect(line.asked == Money(minor: 6_000, currency: .eur))
        // Over the part alone: there is no refund of the rest, or it was taken back from another movement.
        let part: String = Self.entry(
            "txn_1", category: "charge", amount: 6_510, source: Self.captured("eur"), rate: "1.085")
        for refunds in [Self.list([]), Self.refunds(rest)] {
            let world = StripeWorld(Self.list([part]), refunds)
            let page: ProviderSettlementPage = try await world.adapter.settlementLines(in: Self.span)
            #expect(page.lines == [line])
            #expect(world.transport.left == 0)
        }
    }

    @Test("one of several captures is a line of its own, and no refunds are read for it") func oneOfSeveral()
        async throws
    {
        let world = StripeWorld(
            Self.list([Self.entry("txn_1", category: "charge", amount: 2_000, fee: 88, source: Self.captured())]))
        let page: ProviderSettlementPage = try await world.adapter.settlementLines(in: Self.span)
        #expect(page.lines.map(\.gross.minor) == [2_000])
        #expect(world.transport.requests.count == 1)
    }

    @Test("a charge that failed is taken back at what it was, under its name") func failedCharge() async throws {
        let charge = """
            {"id":"py_1","object":"charge","payment_intent":"pi_1","metadata":{},"amount":1000,"amount_captured":0,
            "currency":"eur"}
            """
        let page = try await Self.read(
            Self.entry("txn_1", category: "charge_failure", amount: -1_085, source: charge, rate: "1.085"))
        #expect(page.lines.map(\.kind) == [.adjustment])
        #expect(page.lines.map(\.asked) == [Money(minor: -1_000, currency: .eur)])
        #expect(page.lines.map(\.references) == [SettlementLine.References(source: "py_1", taken: "pi_1")])
    }

    @Test("the span and the page are asked for as Stripe counts them") func asking() async throws {
        let world = StripeWorld(.answer(200, #"{"object":"list","has_more":false,"data":[]}"#))
        let window = SettlementWindow(from: Self.span.from, to: Self.span.to, page: "txn_9")
        let page = try await world.adapter.settlementLines(in: window)
        #expect(page == ProviderSettlementPage(lines: [], next: nil))
        let url: String = world.transport.requests[0].url
        for part in [
            "created[gte]=1900000000", "created[lt]=1900000060", "starting_after=txn_9", "expand[0]=data.source",
            "limit=100",
        ] { #expect(url.contains(part), "\(url)") }
    }

    @Test(
        "a line that does not add up, or tells what cannot be, makes the page unusable",
        arguments: [
            (#""net":97"#, #""net":96"#), (#""fee":3"#, #""fee":-9223372036854775808"#),
            (#""amount":100"#, #""amount":9223372036854775808"#), (#""amount":100"#, #""amount":1e30"#),
            (#""created":1900000001"#, #""created":9223372036854775807"#), (#""created":1900000001"#, #""created":-1"#),
            (#""available_on":1900172801"#, #""available_on":253402300800"#),
            (#""exchange_rate":null"#, #""exchange_rate":1e-9999999999"#),
            (#""exchange_rate":null"#, #""exchange_rate":9e38"#),
        ])
    func faulty(told: String, broken: String) async throws {
        let sound = Self.entry("txn_1", category: "charge", amount: 100, fee: 3, source: "null")
        #expect(try await Self.read(sound).lines.count == 1)
        let line: String = sound.replacingOccurrences(of: told, with: broken)
        await #expect(throws: ProviderFault.self) { _ = try await Self.read(line) }
    }
}
