import BillingCore
public import JSON
public import Messaging
public import Postgres

/// How far a service's events have come, from its own tables: instance-independent and exact.
///
/// Every event that was published and is handled by a consumer must be handled exactly once: the counts and hash sums of
/// the two sides are equal when nothing is under way.
public enum Progress {
    /// Published and handled events by type, and what waits.
    /// - Parameter withSums: Whether the ids' hash sums are wanted beside the counts; they cost a look at every row.
    public static func report(
        service: String, consumers: [EventConsumer], withSums: Bool, in db: borrowing PostgresTransaction
    ) throws -> [JSONMember] {
        let published: [EventTally] = try EventTally.published(withSums: withSums, in: db)
        let handled: [EventTally] = try EventTally.handled(withSums: withSums, in: db)
        let types: [String] = consumers.flatMap(\.handledTypes)
        return [
            JSONMember(name: "service", value: .string(service)),
            JSONMember(name: "published", value: byType(published)),
            JSONMember(name: "handled", value: byType(handled)),
            JSONMember(name: "handles", value: .array(types.map(JSONValue.string))),
            JSONMember(name: "backlog", value: try backlog(consumers, in: db)),
        ]
    }

    private static func byType(_ tallies: [EventTally]) -> JSONValue {
        .object(
            tallies.map { tally in
                JSONMember(
                    name: tally.type,
                    value: .object([
                        JSONMember(name: "count", value: .number(String(tally.count))),
                        JSONMember(name: "id_sum", value: .string(tally.idSum ?? "")),
                    ]))
            })
    }

    private static func backlog(
        _ consumers: [EventConsumer], in db: borrowing PostgresTransaction
    ) throws -> JSONValue {
        .object([
            JSONMember(name: "outbox", value: .number(String(try Outbox.backlog(in: db)))),
            JSONMember(name: "retries", value: .number(String(try retries(in: db)))),
            JSONMember(name: "parked", value: .number(String(try ParkingLot.count(in: db)))),
        ])
    }

    /// How many events wait for another try.
    static func retries(in db: borrowing PostgresTransaction) throws -> Int {
        try db.first("SELECT count(*) FROM event_retries") { row in try row.next() } ?? 0
    }
}
