import JSON
import ServiceKit
import Testing

@Suite("When the system is at rest") struct UnrestTests {
    /// A service's report.
    private func report(
        _ service: String, published: [String: Int] = [:], handled: [String: Int] = [:], handles: [String] = [],
        outbox: Int = 0, retries: Int = 0, parked: Int = 0, inFlight: Int = 0
    ) -> JSONValue {
        func counts(_ counts: [String: Int]) -> JSONValue {
            .object(
                counts.sorted { $0.key < $1.key }.map { type, count in
                    JSONMember(
                        name: type,
                        value: .object([
                            JSONMember(name: "count", value: .number("\(count)")),
                            JSONMember(name: "id_sum", value: .string("0")),
                        ]))
                })
        }
        let backlog: [JSONMember] = [("outbox", outbox), ("retries", retries), ("parked", parked)].map {
            JSONMember(name: $0.0, value: .number("\($0.1)"))
        }
        return .object([
            JSONMember(name: "service", value: .string(service)),
            JSONMember(name: "published", value: counts(published)),
            JSONMember(name: "handled", value: counts(handled)),
            JSONMember(name: "handles", value: .array(handles.map(JSONValue.string))),
            JSONMember(name: "backlog", value: .object(backlog)),
            JSONMember(name: "in_flight", value: .number("\(inFlight)")),
        ])
    }

    @Test("nobody, or services with nothing to do, are at rest") func empty() {
        #expect(TestClockCoordinator.unrest([]).isEmpty)
        #expect(TestClockCoordinator.unrest([report("payment"), report("invoice")]).isEmpty)
    }

    @Test("what one published and all who handle it have handled is at rest") func handled() {
        let reports: [JSONValue] = [
            report("invoice", published: ["i": 7]),
            report("payment", published: ["p": 3], handled: ["i": 7], handles: ["i"]),
            report("analytics", handled: ["i": 7, "p": 3], handles: ["i", "p"]),
        ]
        #expect(TestClockCoordinator.unrest(reports).isEmpty)
    }

    @Test("each thing that goes on is named with its service") func named() {
        let table: [(JSONValue, String)] = [
            (report("invoice", outbox: 1), "invoice has outbox waiting"),
            (report("invoice", retries: 2), "invoice has retries waiting"),
            (report("payment", inFlight: 1), "payment has work in flight"),
            (report("fraud", handles: ["x"]), "fraud has not handled all x"),
            (report("fraud", handled: ["x": 4], handles: ["x"]), "fraud has not handled all x"),
            (report("fraud", handled: ["x": 6], handles: ["x"]), "fraud has not handled all x"),
        ]
        let publisher: JSONValue = report("subscription", published: ["x": 5])
        for (reported, sentence) in table {
            #expect(TestClockCoordinator.unrest([publisher, reported]) == [sentence])
            #expect(TestClockCoordinator.unrest([reported, publisher]) == [sentence])
        }
    }

    @Test("a type that two services publish counts together") func summed() {
        let reports: [JSONValue] = [
            report("a", published: ["x": 2]), report("b", published: ["x": 3]),
            report("c", handled: ["x": 5], handles: ["x"]),
        ]
        #expect(TestClockCoordinator.unrest(reports).isEmpty)
        #expect(TestClockCoordinator.unrest(Array(reports.dropFirst())) == ["c has not handled all x"])
    }

    @Test("types nobody handles, and parked messages, do not keep it from rest") func ignored() {
        #expect(TestClockCoordinator.unrest([report("a", published: ["x": 2], parked: 9)]).isEmpty)
        #expect(TestClockCoordinator.unrest([report("a", handled: ["x": 2], parked: 9)]).isEmpty)
    }

    @Test("every kind of unrest is listed, not only the first") func all() {
        let busy: JSONValue = report(
            "payment", published: ["p": 1], handles: ["i", "p"], outbox: 1, retries: 1, inFlight: 1)
        let unrest: [String] = TestClockCoordinator.unrest([busy, report("invoice", published: ["i": 1])])
        #expect(unrest.count == 5)
    }

    @Test("a report that lacks its members says nothing and does not trap") func strange() {
        let strange: [JSONValue] = [
            .null, .array([]), .object([]), .string("x"),
            .object([JSONMember(name: "published", value: .array([]))]),
            .object([JSONMember(name: "handles", value: .array([.null, .number("1")]))]),
        ]
        #expect(TestClockCoordinator.unrest(strange).isEmpty)
    }
}
