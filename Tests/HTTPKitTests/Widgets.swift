import BillingCore
import HTTPKit
import JSON
import Postgres
import Telemetry
import TestKit

/// The resource that the tests' endpoints deal in.
struct Widget: JSONOutput, Equatable {
    let id: String
    let name: String
    let amount: Int64
    let currency: String

    func write(to o: inout ObjectWriter) {
        o.field("object", "widget")
        o.field("id", id)
        o.field("name", name)
        o.field("amount", amount, doc: "Minor units")
        o.field("currency", currency)
    }

    static var sample: Self { Self(id: CustomerID.sample.rawValue, name: "Lamp", amount: 1_200, currency: "USD") }
}

enum Mood: String, CaseIterable, Sendable {
    case calm, failing, unexpected, refusing, slow
}

struct CreateWidget: JSONInput {
    let name: String
    let price: Money
    let mood: Mood
    let metadata: [String: String]

    init(_ f: inout InputFields) {
        name = f.string("name", min: 1, max: 40, doc: "What it is called")
        price = f.positiveMoney("amount", doc: "The price")
        mood = f.enumeration("mood", of: Mood.self, default: .calm)
        metadata = f.metadata()
    }
}

struct RenameWidget: JSONInput {
    let name: String
    init(_ f: inout InputFields) { name = f.string("name", min: 1, max: 40) }
}

/// What the caller turned out to be.
struct Seen: JSONOutput {
    let call: Call
    func write(to o: inout ObjectWriter) {
        o.field("principal", call.principal.id)
        o.field("key_id", call.principal.keyID)
        o.field("trace", call.trace.traceID)
        o.field("current_trace", TraceContext.current?.traceID)
        o.field("now", call.now)
        o.field("wait_ms", call.preferWait.map { $0.wholeMicroseconds / 1_000 })
        o.field("left_ms", (call.deadline - ContinuousClock.now).wholeMicroseconds / 1_000)
        o.field("address", call.clientAddress)
        o.field("user_agent", call.userAgent)
        o.field("mood", call.query.enumeration("mood", of: Mood.self)?.rawValue)
        o.field("count", call.query.int("count").map { Int64($0) })
        o.field("at", call.query.instant("at"))
    }
    static var sample: Seen { preconditionFailure("internal routes are not described") }
}

enum WidgetFailure: ProblemConvertible {
    case refused
    var problem: Problem { .conflict("widget_refused", "This widget is refused.") }
}

struct Unforeseen: Error {
    let secret = "SELECT password FROM users"
}

/// The tests' endpoints: every kind, and every way to fail.
enum Widgets {
    static let endpoints: [Endpoint] = [create, read, list, rename, remove, seen, stall]

    static let create = Endpoint.write(
        .post, "/v1/widgets", scope: "widgets:write", summary: "Create a widget", body: CreateWidget.self,
        answers: Widget.self, tellsLocation: true, problems: ["409 widget_refused"]
    ) { db, call, input in
        let id = CustomerID.new(at: call.now)
        let widget = Widget(
            id: id.rawValue, name: input.name, amount: input.price.minor, currency: input.price.currency.code)
        try db.execute(
            """
            INSERT INTO widgets (id, name, amount, currency)
            VALUES (\(widget.id), \(widget.name), \(widget.amount), \(widget.currency))
            """)
        switch input.mood {
        case .calm: break
        case .slow: try db.execute("SELECT pg_advisory_xact_lock(\(Gate.lock))")
        case .failing: throw WidgetFailure.refused
        case .unexpected: throw Unforeseen()
        case .refusing: return Reply(status: 402, widget)
        }
        return .created(widget, location: "/v1/widgets/\(widget.id)")
    }

    static let read = Endpoint.read(
        "/v1/widgets/{id}", scope: "widgets:read", summary: "Read a widget", answers: Widget.self
    ) { db, call in
        let id = try call.id(as: CustomerID.self)
        guard let found = try find(id, db) else { throw Problem.notFound("widget", id.rawValue) }
        return found
    }

    static let list = Endpoint.list(
        "/v1/widgets", scope: "widgets:read", summary: "List widgets",
        filters: [.currency("currency", doc: "Only this currency")], item: Widget.self
    ) { db, call, request in
        let after = try request.cursor(as: CustomerID.self)?.rawValue.postgresValue ?? .null
        let currency = call.query.currency("currency")?.code
        let rows = try db.query(
            """
            SELECT id, name, amount, currency FROM widgets
            WHERE (\(after)::text IS NULL OR id < \(after))
                AND (\(currency.postgresValue)::text IS NULL OR currency = \(currency.postgresValue))
            ORDER BY id DESC LIMIT \(request.fetchLimit)
            """, widget)
        return request.page(rows)
    }

    static let rename = Endpoint.write(
        .patch, "/v1/widgets/{id}", scope: "widgets:write", summary: "Rename a widget", body: RenameWidget.self,
        answers: Widget.self
    ) { db, call, input in
        let id = try call.id(as: CustomerID.self)
        guard try db.execute("UPDATE widgets SET name = \(input.name) WHERE id = \(id)") == 1,
            let found = try find(id, db)
        else { throw Problem.notFound("widget", id.rawValue) }
        return .ok(found)
    }

    static let remove = Endpoint.write(
        .delete, "/v1/widgets/{id}", scope: "widgets:write", summary: "Remove a widget", body: NoInput.self,
        answers: Widget.self
    ) { db, call, _ in
        let id = try call.id(as: CustomerID.self)
        guard let found = try find(id, db) else { throw Problem.notFound("widget", id.rawValue) }
        try db.execute("DELETE FROM widgets WHERE id = \(id)")
        return .ok(found)
    }

    static let seen = Endpoint.task(
        .get, "/internal/seen", scope: nil, summary: "Say what was seen",
        query: [.enumeration("mood", of: Mood.self), .int("count", range: 1...9), .instant("at")], body: NoInput.self,
        answers: Seen.self, isInternal: true
    ) { call, _ in .ok(Seen(call: call)) }

    static let stall = Endpoint.task(
        .post, "/v1/stalls", scope: "widgets:write", summary: "Accept", body: NoInput.self, answers: Widget.self,
        statuses: [201, 202], waits: WaitLimits(usual: .seconds(7), longest: .seconds(70))
    ) { _, _ in
        .accepted(.sample)
    }

    /// An endpoint that answers when the gate is opened.
    static func waiting(for gate: Switch) -> Endpoint {
        .task(
            .post, "/v1/waits", scope: "widgets:write", summary: "Wait", body: NoInput.self, answers: Widget.self,
            statuses: [202]
        ) { _, _ in
            try await eventually(within: .seconds(30), "the gate opens") { gate.isOn }
            return .accepted(.sample)
        }
    }

    private static func find(_ id: CustomerID, _ db: borrowing PostgresTransaction) throws -> Widget? {
        try db.first("SELECT id, name, amount, currency FROM widgets WHERE id = \(id)", widget)
    }

    private static func widget(_ row: inout PostgresRow) throws -> Widget {
        Widget(id: try row.next(), name: try row.next(), amount: try row.next(), currency: try row.next())
    }
}
