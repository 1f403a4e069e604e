import BillingCore
import BillingEvents
import JSON
import Testing

@Suite("Events on the wire") struct EventWireTests {
    private static let types: [String] = EventCatalog.all.map { $0.type }

    private func event(_ name: String) throws -> any EventBody.Type {
        try #require(EventCatalog.all.first { $0.type == name })
    }

    private func raw<Body: EventBody>(_ type: Body.Type, body: [UInt8]) -> RawEvent {
        RawEvent(
            id: .sample, type: Body.type, source: "test", time: .sample, key: "cus_1", traceparent: nil,
            topic: Body.topic.rawValue, body: body)
    }

    /// The bytes of the sample, after decoding them and encoding them again.
    private func roundTrip<Body: EventBody>(_ type: Body.Type) throws -> (before: String, after: String) {
        let before: [UInt8] = encode(Body.sample)
        let decoded: Envelope<Body> = try raw(type, body: before).decode(as: Body.self)
        return (String(decoding: before, as: UTF8.self), encodeString(decoded.body))
    }

    @Test("an event survives being written and read", arguments: types)
    func roundTrips(_ name: String) throws {
        let (before, after) = try roundTrip(try event(name))
        #expect(before == after)
    }

    private func encodedSample<Body: EventBody>(_ type: Body.Type) -> [UInt8] { encode(Body.sample) }

    private func reencoded<Body: EventBody>(_ type: Body.Type, _ body: [UInt8]) throws -> String {
        encodeString(try raw(type, body: body).decode(as: Body.self).body)
    }

    /// A fixture is what a version of the wire format looked like when it was published first. A missing one is written
    /// on request; one that is there is never rewritten: fields may be added, and any other change is a new version of the
    /// event.
    @Test("today's code reads and writes the committed wire format", arguments: types)
    func fixtures(_ name: String) throws {
        let type: any EventBody.Type = try event(name)
        let path = "Tests/BillingEventsTests/Fixtures/\(name).json"
        if Repository.isUpdating, try Repository.bytes(path) == nil {
            try Repository.write(encodedSample(type) + [0x0A], to: path)
        }
        let fixture: [UInt8] = try #require(try Repository.bytes(path), "no fixture: \(path)")
        let body: [UInt8] = fixture.last == 0x0A ? Array(fixture.dropLast()) : fixture
        let committed: [JSONMember] = try members(body)
        let names = Set(committed.map(\.name))
        let read: [JSONMember] = try members(Array(try reencoded(type, body).utf8))
        #expect(read.filter { names.contains($0.name) } == committed, "a committed event reads differently today")
        #expect(read.allSatisfy { names.contains($0.name) || $0.value == .null }, "what it does not say is made up")
        let sample: [JSONMember] = try members(encodedSample(type))
        #expect(sample.filter { names.contains($0.name) } == committed, "the encoding has changed")
    }

    private func members(_ body: [UInt8]) throws -> [JSONMember] { try #require(try parseJSON(body).objectValue) }

    @Test("an event with a field from the future is read without it", arguments: types)
    func unknownFields(_ name: String) throws {
        let type: any EventBody.Type = try event(name)
        let sample: [UInt8] = encodedSample(type)
        let extended: [UInt8] = Array(sample.dropLast()) + Array(#","added_later":{"a":[1]}}"#.utf8)
        #expect(try reencoded(type, extended) == String(decoding: sample, as: UTF8.self))
    }

    @Test("a body that lacks its fields is malformed, and every missing one is named", arguments: types)
    func missingFields(_ name: String) throws {
        let type: any EventBody.Type = try event(name)
        do {
            _ = try reencoded(type, Array("{}".utf8))
            Issue.record("an empty body was accepted")
        } catch RawEvent.Malformed.body(let reason) {
            let first: String? = try parseJSON(encodedSample(type), limits: JSONLimits()).objectValue?.first?.name
            #expect(reason.contains(try #require(first)))
        }
    }

    @Test("a body that is no JSON is malformed", arguments: ["", "{", "[]", "{\"a\":1,\"a\":2}", "null", "\u{FEFF}{}"])
    func notJSON(_ text: String) {
        #expect(throws: RawEvent.Malformed.self) {
            try raw(CustomerCreatedV1.self, body: Array(text.utf8)).decode(as: CustomerCreatedV1.self)
        }
    }
}

@Suite("CloudEvents headers") struct EventHeaderTests {
    private let good: [String: String] = [
        "ce_id": EventID.sample.rawValue, "ce_type": "payment.succeeded.v1", "ce_source": "payment",
        "ce_specversion": "1.0", "ce_time": "2027-01-31T00:00:00Z",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ]

    private func read(_ headers: [String: String], key: String? = "cus_1") throws(RawEvent.Malformed) -> RawEvent {
        try RawEvent(headers: headers, key: key, topic: Topic.payments.rawValue, body: [])
    }

    @Test("are read") func reads() throws {
        let event: RawEvent = try read(good)
        #expect(event.id == .sample)
        #expect(event.type == "payment.succeeded.v1")
        #expect(event.source == "payment")
        #expect(event.time.rfc3339 == "2027-01-31T00:00:00Z")
        #expect(event.key == "cus_1")
        #expect(event.traceparent == good["traceparent"])
    }

    @Test("the first that is missing is named", arguments: ["ce_id", "ce_type", "ce_specversion", "ce_time"])
    func missing(_ name: String) {
        var headers: [String: String] = good
        headers[name] = nil
        #expect(throws: RawEvent.Malformed.header(name)) { try read(headers) }
    }

    @Test(
        "one that cannot be is refused",
        arguments: [("ce_id", "pay_1"), ("ce_type", ""), ("ce_specversion", "0.3"), ("ce_time", "yesterday")])
    func wrong(_ name: String, _ value: String) {
        var headers: [String: String] = good
        headers[name] = value
        #expect(throws: RawEvent.Malformed.header(name)) { try read(headers) }
    }

    @Test("an event without a key has no place in an order and is refused") func keyless() {
        #expect(throws: RawEvent.Malformed.header("key")) { try read(good, key: nil) }
        #expect(throws: RawEvent.Malformed.header("key")) { try read(good, key: "") }
    }
}
