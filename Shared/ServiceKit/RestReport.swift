import HTTPKit
import JSON
import Messaging
import Postgres

/// Whether a service has anything to do, and how far its events have come: read in a few milliseconds however many there
/// have been, where ``Progress`` counts them all.
struct RestReport: JSONOutput, Equatable {
    let service: String
    /// The number drawn last for an event. While it stands, and nobody was writing when it was read, nothing is published.
    let position: Int64
    /// Transactions under way that write.
    let writing: Int64
    /// Events that wait for the broker.
    let outbox: Int64
    /// Events that wait for another try.
    let retries: Int64
    /// Pieces of work that are due or under way.
    let inFlight: Int64

    init(
        service: String, position: Int64, writing: Int64 = 0, outbox: Int64 = 0, retries: Int64 = 0,
        inFlight: Int64 = 0
    ) {
        self.service = service
        self.position = position
        self.writing = writing
        self.outbox = outbox
        self.retries = retries
        self.inFlight = inFlight
    }

    /// Reads it from the service's own tables. The position comes first: an event whose number was drawn before is there, or
    /// its transaction is among those that write. Work comes last: what was begun since is seen.
    init(
        service: String, inFlight: (borrowing PostgresTransaction) throws -> Int64, in db: borrowing PostgresTransaction
    ) throws {
        let position: Int64 = try Outbox.position(in: db)
        let writing: Int64? = try db.first(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = session_user AND backend_xid IS NOT NULL"
        ) { row in try row.next() }
        self.init(
            service: service, position: position, writing: writing ?? 0, outbox: Int64(try Outbox.backlog(in: db)),
            retries: Int64(try Progress.retries(in: db)), inFlight: try inFlight(db))
    }

    /// Reads another service's answer; `nil` when it is none.
    init?(_ value: JSONValue) {
        func number(_ name: String) -> Int64? { value[name]?.intValue }
        guard let service: String = value["service"]?.stringValue, let position: Int64 = number("position"),
            let writing: Int64 = number("writing"), let outbox: Int64 = number("outbox"),
            let retries: Int64 = number("retries"), let inFlight: Int64 = number("in_flight")
        else { return nil }
        self.init(
            service: service, position: position, writing: writing, outbox: outbox, retries: retries, inFlight: inFlight
        )
    }

    func write(to o: inout ObjectWriter) {
        o.field("service", service)
        o.field("position", position)
        o.field("writing", writing)
        o.field("outbox", outbox)
        o.field("retries", retries)
        o.field("in_flight", inFlight)
    }

    static var sample: Self { Self(service: "payment", position: 0) }

    /// What keeps the service from being at rest.
    var unrest: [String] {
        var unrest: [String] = []
        if writing > 0 { unrest.append("\(service) is writing") }
        if outbox > 0 { unrest.append("\(service) has outbox waiting") }
        if retries > 0 { unrest.append("\(service) has retries waiting") }
        if inFlight > 0 { unrest.append("\(service) has work in flight") }
        return unrest
    }
}
