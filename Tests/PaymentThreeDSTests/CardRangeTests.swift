import BillingCore
import JSON
import PaymentThreeDS
import TestKit
import Testing

@Suite("Card ranges") struct CardRangeTests {
    private func element(
        _ first: String, _ last: String, action: String = "A", oldest: String = "2.1.0", newest: String = "2.2.0",
        method: String? = nil
    ) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "startRange", value: .string(first)), JSONMember(name: "endRange", value: .string(last)),
            JSONMember(name: "actionInd", value: .string(action)),
            JSONMember(name: "acsStartProtocolVersion", value: .string(oldest)),
            JSONMember(name: "acsEndProtocolVersion", value: .string(newest)),
            JSONMember(name: "acsInfoInd", value: ["01", "03"]),
        ]
        if let method { members.append(JSONMember(name: "threeDSMethodURL", value: .string(method))) }
        return .object(members)
    }

    private func answer(_ request: PreparationRequest, _ ranges: [JSONValue], serial: String = "1") -> [UInt8] {
        message(
            [
                ("messageType", "PRes"), ("messageVersion", "2.2.0"),
                ("threeDSServerTransID", .string(request.id.description)), ("dsTransID", .string(directoryID)),
                ("serialNum", .string(serial)), ("cardRangeData", .array(ranges)),
            ], [])
    }

    private func filled(_ ranges: [JSONValue]) throws -> CardRangeCache {
        let request = PreparationRequest(since: nil, as: profile)
        return try CardRangeCache().updated(by: answer(request, ranges), to: request, at: start)
    }

    @Test("a number finds its range by length and value, with version and method URL") func finds() throws {
        let cache = try filled([
            element("5200000000000000", "5200000099999999", newest: "2.1.0"),
            element("4000000000000000", "4000000099999999", method: "https://acs.example/method"),
            element("400000000000000", "400000009999999"), element("6000000000000000", "6000000000000000"),
        ])
        #expect(cache.count == 4 && cache.serialNumber == "1")
        #expect(cache.range(of: "4000000000000000")?.methodURL == "https://acs.example/method")
        #expect(cache.range(of: "4000000099999999")?.version == .v220)
        #expect(cache.range(of: "4000000099999999")?.canDecouple == true)
        #expect(cache.range(of: "4000000100000000") == nil && cache.range(of: "3999999999999999") == nil)
        #expect(cache.range(of: "5200000000000007")?.version == .v210)
        #expect(cache.range(of: "5200000000000007")?.canDecouple == false)
        #expect(cache.range(of: "400000000000000")?.methodURL == nil)
        #expect(cache.range(of: "6000000000000000") != nil && cache.range(of: "6000000000000001") == nil)
        for text in ["", "4", "40000000000000000000", "400000000000000x", "４０００００００００００００００"] {
            #expect(cache.range(of: text) == nil)
        }
    }

    @Test("before the first answer nothing is known of a card; after it one in no range is not enrolled") func absence()
        throws
    {
        #expect(CardRangeCache().absence == .noAnswer)
        #expect(try filled([]).absence == .notEnrolled)
    }

    @Test("a later answer adds, changes and takes away; one without a serial number starts anew") func changes() throws
    {
        let cache = try filled([
            element("4000000000000000", "4000000099999999"), element("5200000000000000", "5200000099999999"),
        ])
        let request = PreparationRequest(since: cache.serialNumber, as: profile)
        #expect(try parseJSON(request.serialized())["serialNum"] == "1")
        let later = try cache.updated(
            by: answer(
                request,
                [
                    element("4000000000000000", "4000000099999999", action: "M", method: "https://b.example/"),
                    element("5200000000000000", "5200000099999999", action: "D"),
                    element("6000000000000000", "6000000099999999"),
                ], serial: "2"), to: request, at: start)
        #expect(later.count == 2 && later.serialNumber == "2")
        #expect(later.range(of: "4000000000000002")?.methodURL == "https://b.example/")
        #expect(later.range(of: "5200000000000007") == nil && later.range(of: "6000000000000007") != nil)
        let anew = PreparationRequest(since: nil, as: profile)
        #expect(try later.updated(by: answer(anew, []), to: anew, at: start).count == 0)
    }

    @Test("a range whose issuer speaks no version of ours is as if it were not there") func versions() throws {
        let cache = try filled([
            element("4000000000000000", "4000000000000099", oldest: "2.3.1", newest: "2.3.1"),
            element("4000000000000100", "4000000000000199", oldest: "2.2.0", newest: "2.3.1"),
            element("4000000000000200", "4000000000000299", oldest: "1.0.2", newest: "2.1.0"),
        ])
        #expect(cache.range(of: "4000000000000002") == nil)
        #expect(cache.range(of: "4000000000000102")?.version == .v220)
        #expect(cache.range(of: "4000000000000202")?.version == .v210)
    }

    @Test("an answer that is no good leaves the ranges as they were") func refused() throws {
        let cache = try filled([element("4000000000000000", "4000000099999999")])
        let request = PreparationRequest(since: "1", as: profile)
        let bad: [[JSONValue]] = [
            [element("4000000000000000", "400000000000000")], [element("9", "9")], ["x"],
            [element("4000000000000002", "4000000000000001")],
            [element("5000000000000000", "5000000000000001", action: "Z")],
            [element("5000000000000000", "5000000000000001", method: "http://acs.example/")],
            [element("4000000050000000", "4000000150000000")],
        ]
        for ranges in bad {
            #expect(throws: ErrorMessage.self) {
                try cache.updated(by: answer(request, ranges), to: request, at: start)
            }
        }
        let other = PreparationRequest(since: "1", as: profile)
        #expect(throws: ErrorMessage.self) { try cache.updated(by: answer(other, []), to: request, at: start) }
        let error = ErrorMessage(.invalidSerialNumber, detail: "serialNum", about: "PReq", component: .directoryServer)
        let refusal = #expect(throws: ErrorMessage.self) {
            try cache.updated(by: error.serialized, to: request, at: start)
        }
        #expect(refusal?.code == .invalidSerialNumber)
    }

    @Test("ranges are asked for once a day") func age() throws {
        #expect(CardRangeCache().isStale(at: start))
        let cache = try filled([])
        #expect(!cache.isStale(at: start + .seconds(86_399)) && cache.isStale(at: start + .seconds(86_400)))
    }

    @Test("among many ranges each number finds the one that a plain search finds") func many() throws {
        var random = Seeded()
        var ranges: [JSONValue] = []
        var ends: [(UInt64, UInt64)] = []
        var next: UInt64 = 4_000_000_000_000_000
        for _ in 0..<3_000 {
            let first: UInt64 = next + UInt64.random(in: 0...1_000, using: &random)
            let last: UInt64 = first + UInt64.random(in: 0...1_000, using: &random)
            ranges.append(element(String(first), String(last)))
            ends.append((first, last))
            next = last + 1
        }
        let cache = try filled(ranges.shuffled(using: &random))
        #expect(cache.count == 3_000)
        for _ in 0..<2_000 {
            let number = UInt64.random(in: 3_999_999_999_999_000...next + 1_000, using: &random)
            let expected = ends.first { $0.0 <= number && number <= $0.1 }
            #expect(cache.range(of: String(number))?.first == expected.map { String($0.0) }, "seed \(random.seed)")
        }
    }
}
