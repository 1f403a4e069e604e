import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentPayPal
import Testing

/// The answers have the shape of Transaction Search v1 as PayPal documents it; the double of PayPal has no such API.
@Suite("Settlement lines of PayPal") struct PayPalSettlementTests {
    private static let from = Instant(seconds: 1_800_000_000)

    private static func detail(
        _ id: String, _ code: String, _ amount: String, _ currency: String = "USD", fee: String? = nil,
        status: String = "S", invoice: String? = nil, reference: String? = nil,
        date: String = "2027-01-15T08:00:00+0000"
    ) -> JSONValue {
        var info: [JSONMember] = [
            JSONMember(name: "transaction_id", value: .string(id)),
            JSONMember(name: "transaction_event_code", value: .string(code)),
            JSONMember(name: "transaction_initiation_date", value: .string(date)),
            JSONMember(name: "transaction_updated_date", value: .string(date)),
            JSONMember(name: "transaction_amount", value: Say.amount(amount, currency)),
            JSONMember(name: "transaction_status", value: .string(status)),
        ]
        if let fee { info.append(JSONMember(name: "fee_amount", value: Say.amount(fee, currency))) }
        if let invoice { info.append(JSONMember(name: "invoice_id", value: .string(invoice))) }
        if let reference {
            info.append(JSONMember(name: "paypal_reference_id", value: .string(reference)))
            info.append(JSONMember(name: "paypal_reference_id_type", value: "TXN"))
        }
        return ["transaction_info": .object(info)]
    }

    private static func page(_ details: [JSONValue], pages: Int64 = 1) -> FakePayPal.Step {
        .answer(
            200,
            [
                "transaction_details": .array(details), "account_number": "X", "page": 1,
                "total_items": .number(String(details.count)), "total_pages": .number(String(pages)),
            ])
    }

    /// As PayPal refuses a list of more than ten thousand.
    private static let tooLarge: FakePayPal.Step = .answer(
        400,
        [
            "name": "RESULTSET_TOO_LARGE", "debug_id": "d", "maximum_items": 10_000, "total_items": 12_000,
            "message": "Result set size is greater than the maximum limit. Change the filter criteria and try again.",
        ])

    private static func read(
        _ details: JSONValue..., page number: String? = nil, pages: Int64 = 1
    ) async throws -> (page: ProviderSettlementPage, world: FakeWorld) {
        let world = FakeWorld([page(details, pages: pages)])
        let window = SettlementWindow(from: from, to: from + .seconds(3_600), page: number)
        return (try await world.adapter.settlementLines(in: window), world)
    }

    @Test("each event code is its kind, and a strange sign an adjustment") func kinds() async throws {
        let table: [(String, String, SettlementLine.Kind)] = [
            ("T0006", "10.00", .charge), ("T0003", "10.00", .charge), ("T0006", "-10.00", .adjustment),
            ("T1107", "-10.00", .refund), ("T1106", "-10.00", .dispute), ("T1201", "-10.00", .dispute),
            ("T1202", "10.00", .disputeReversal), ("T1110", "-10.00", .dispute), ("T1111", "10.00", .disputeReversal),
            ("T0106", "-20.00", .fee), ("T1108", "0.30", .fee), ("T0400", "-10.00", .payout),
            ("T0403", "-10.00", .payout), ("T0200", "10.00", .adjustment), ("T1900", "-10.00", .adjustment),
        ]
        for (code, amount, kind) in table {
            let read = try await Self.read(Self.detail("TX1", code, amount))
            #expect(read.page.lines.map(\.kind) == [kind], "\(code) \(amount)")
        }
    }

    @Test("amounts, fees and references are taken over, what has not moved money is left out") func reads() async throws
    {
        let (page, world) = try await Self.read(
            Self.detail("CAP1", "T0006", "12.34", fee: "-0.66", invoice: "att_1"),
            Self.detail("REF1", "T1107", "-5.00", fee: "0.10", invoice: "re_1", reference: "CAP1"),
            Self.detail("CB1", "T1201", "-12.34", invoice: "att_1", reference: "CAP1"),
            Self.detail("PEND", "T0006", "1.00", status: "P"), Self.detail("DENY", "T0006", "1.00", status: "D"),
            pages: 3)
        #expect(page.next == "1799481600.604800.2" && page.lines.map(\.id) == ["CAP1", "REF1", "CB1"])
        #expect(page.lines.map(\.fee.minor) == [66, -10, 0] && page.lines.map(\.net.minor) == [1_168, -490, -1_234])
        #expect(
            page.lines.map(\.references) == [
                SettlementLine.References(own: "att_1", source: "CAP1"),
                SettlementLine.References(own: "re_1", source: "REF1", taken: "CAP1"),
                SettlementLine.References(source: "CB1", taken: "CAP1"),
            ])
        #expect(page.lines.allSatisfy { $0.occurredAt == Self.from })
        #expect(
            world.fake.lines == [
                "GET /v1/reporting/transactions?start_date=2027-01-09T08:00:00Z&end_date=2027-01-15T09:00:00Z"
                    + "&fields=transaction_info&balance_affecting_records_only=Y&page_size=500&page=1"
            ])
        #expect(try await Self.read(page: "1799481600.604800.3", pages: 3).page.next == nil)
        let earlier = try await Self.read(page: "1799481600.2", pages: 3)
        #expect(earlier.page.next == "1799481600.604800.3", "an earlier release stopped here")
        #expect(earlier.world.fake.lines.first?.hasSuffix("&page=2") == true)
    }

    @Test("a payment that was partially refunded is the line that it was, and the refund one beside it")
    func partiallyRefunded() async throws {
        let before = try await Self.read(Self.detail("CAP1", "T0006", "100.00", fee: "-3.20", invoice: "att_1"))
        let after = try await Self.read(
            Self.detail("CAP1", "T0006", "100.00", fee: "-3.20", status: "F", invoice: "att_1"),
            Self.detail("REF1", "T1107", "-20.00", invoice: "re_1", reference: "CAP1"))
        #expect(after.page.lines.map(\.id) == ["CAP1", "REF1"])
        #expect(after.page.lines.first == before.page.lines.first)
        #expect(after.page.lines.map(\.gross.minor) == [10_000, -2_000])
    }

    @Test("a page of more than a mebibyte is read") func longPage() async throws {
        var note: [JSONMember] = Self.detail("TX1", "T0006", "10.00").objectValue ?? []
        note.append(JSONMember(name: "shipping_info", value: .string(String(repeating: "x", count: 1_200_000))))
        #expect(try await Self.read(.object(note)).page.lines.map(\.id) == ["TX1"])
    }

    @Test("a withdrawal is known by its own name, and one that came back by the name of what it undoes")
    func withdrawals() async throws {
        let (page, _) = try await Self.read(
            Self.detail("W1", "T0400", "-10.00"), Self.detail("R1", "T1101", "10.00", reference: "W1"),
            Self.detail("R2", "T1101", "10.00"))
        #expect(page.lines.map(\.kind) == [.payout, .payoutFailure, .payoutFailure])
        #expect(page.lines.map(\.references.source) == ["W1", "W1", "R2"])
    }

    @Test("both sides of a conversion between balances are known to be one by the transaction they name")
    func conversion() async throws {
        let (page, _) = try await Self.read(
            Self.detail("CAP1", "T0006", "10.00", "GBP", fee: "-0.30", invoice: "att_1"),
            Self.detail("CV1", "T0200", "-9.70", "GBP", reference: "CAP1"),
            Self.detail("CV2", "T0200", "12.10", "USD", reference: "CAP1"))
        let found: [SettlementConversion] = SettlementConversion.find(in: page.lines)
        #expect(found.map { $0.lines.map(\.id) } == [["CV1", "CV2"]])
    }

    /// Reads a window to its end.
    /// - Parameter slices: What PayPal lists, request by request; `nil` where that would be too long.
    /// - Returns: The ids of the lines, and the spans that were asked for.
    private static func readAll(
        _ slices: [[JSONValue]?], from: Instant, to: Instant
    ) async throws -> (lines: [String], spans: [String]) {
        let world = FakeWorld(slices.map { $0.map { page($0) } ?? tooLarge })
        var lines: [String] = []
        var window = SettlementWindow(from: from, to: to)
        while !window.isOver {
            let read: ProviderSettlementPage = try await world.adapter.settlementLines(in: window)
            lines += read.lines.map(\.id)
            window = window.advanced(next: read.next)
        }
        #expect(world.fake.isOver)
        let spans: [String] = world.fake.lines.map { line in
            line.split(separator: "&").prefix(2).compactMap { $0.split(separator: "=").last }.joined(separator: " ")
        }
        return (lines, spans)
    }

    @Test("once a day what began within a month is read again: what took weeks to complete is a line then")
    func completedLate() async throws {
        let check: JSONValue = Self.detail(
            "CHECK1", "T0006", "12.34", fee: "-0.66", invoice: "att_1", date: "2027-01-04T08:00:00+0000")
        let midnight: Instant = Self.from + .seconds(16 * 3_600)
        let night = try await Self.readAll(
            [[], [], [check], [], []], from: midnight - .seconds(120), to: midnight + .seconds(180))
        #expect(night.lines == ["CHECK1"])
        #expect(
            night.spans == [
                "2026-12-16T23:58:00Z 2026-12-23T23:58:00Z", "2026-12-23T23:58:00Z 2026-12-30T23:58:00Z",
                "2026-12-30T23:58:00Z 2027-01-06T23:58:00Z", "2027-01-06T23:58:00Z 2027-01-13T23:58:00Z",
                "2027-01-13T23:58:00Z 2027-01-16T00:03:00Z",
            ])
        let day = try await Self.readAll([[]], from: Self.from, to: Self.from + .seconds(300))
        #expect(day.spans == ["2027-01-09T08:00:00Z 2027-01-15T08:05:00Z"], "one request at other times")
    }

    @Test("the longest span is read in pieces that PayPal takes, without a gap") func span() async throws {
        let adapter = FakeWorld([]).adapter
        #expect(adapter.settlementHorizon(at: Self.from) == Self.from - .seconds(3 * 3_600))
        let read = try await Self.readAll(
            Array(repeating: [], count: 9), from: Self.from, to: Self.from + adapter.longestSettlementSpan)
        let ends: [[Substring]] = read.spans.map { $0.split(separator: " ") }
        #expect(ends.first?.first == "2026-12-16T08:00:00Z" && ends.last?.last == "2027-02-15T08:00:00Z")
        for (one, next) in zip(ends, ends.dropFirst()) { #expect(one.last == next.first) }
    }

    @Test("a span whose list is too long is read in halves, and so is what follows, without a gap") func tooLong()
        async throws
    {
        let first: JSONValue = Self.detail("CAP1", "T0006", "10.00")
        let last: JSONValue = Self.detail("CAP2", "T0006", "10.00")
        let read = try await Self.readAll(
            [nil, nil, [first], [], [], [last]], from: Self.from, to: Self.from + .seconds(300))
        #expect(read.lines == ["CAP1", "CAP2"])
        #expect(
            read.spans == [
                "2027-01-09T08:00:00Z 2027-01-15T08:05:00Z", "2027-01-09T08:00:00Z 2027-01-12T08:02:30Z",
                "2027-01-09T08:00:00Z 2027-01-10T20:01:15Z", "2027-01-10T20:01:15Z 2027-01-12T08:02:30Z",
                "2027-01-12T08:02:30Z 2027-01-13T20:03:45Z", "2027-01-13T20:03:45Z 2027-01-15T08:05:00Z",
            ])
    }

    @Test("what is too long for the shortest span stops the reading and says so") func tooLongForAny() async throws {
        let world = FakeWorld(Array(repeating: Self.tooLarge, count: 20))
        var window = SettlementWindow(from: Self.from, to: Self.from + .seconds(300))
        var fault: ProviderFault?
        do throws(ProviderFault) {
            while !window.isOver {
                let read: ProviderSettlementPage = try await world.adapter.settlementLines(in: window)
                window = window.advanced(next: read.next)
            }
        } catch { fault = error }
        #expect(fault == .unusable("not readable: RESULTSET_TOO_LARGE"))
        #expect(world.fake.lines.count == 14, "halved down to a minute")
    }

    @Test(
        "answers that cannot be make the page unusable",
        arguments: [
            Twist("transaction_details.0.transaction_info.transaction_id", "a/b"),
            Twist("transaction_details.0.transaction_info.transaction_id", nil),
            Twist("transaction_details.0.transaction_info.transaction_amount", nil),
            Twist("transaction_details.0.transaction_info.transaction_amount.value", "1.001"),
            Twist("transaction_details.0.transaction_info.fee_amount.currency_code", "EUR"),
            Twist("transaction_details.0.transaction_info.fee_amount", "1"),
            Twist("transaction_details.0.transaction_info.transaction_status", "X"),
            Twist("transaction_details.0.transaction_info.transaction_initiation_date", "yesterday"),
            Twist("transaction_details.0.transaction_info.transaction_event_code", nil),
            Twist("transaction_details.0.transaction_info", nil), Twist("transaction_details", nil),
            Twist("total_pages", nil),
        ])
    func hostile(twist: Twist) async throws {
        guard case .answer(_, let json) = Self.page([Self.detail("CAP1", "T0006", "12.34", fee: "-0.66")]) else {
            return
        }
        let world = FakeWorld([.answer(200, twist.applied(to: json))])
        do {
            let page = try await world.adapter.settlementLines(
                in: SettlementWindow(from: Self.from, to: Self.from + .seconds(60)))
            Issue.record("\(twist.testDescription) was believed: \(page)")
        } catch {
            guard case .unusable = error else { Issue.record("\(twist.testDescription): \(error)"); return }
        }
    }
}
