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
        let hash: SQL = withSums ? "sum(('x' || substr(md5(id), 1, 8))::bit(32)::bigint)::text" : "''"
        let published: JSONValue = try byType("SELECT type, count(*), \(hash) FROM outbox GROUP BY type", in: db)
        let handled: JSONValue = try byType(
            "SELECT type, count(*), \(hash) FROM (SELECT type, event_id AS id FROM inbox) AS i GROUP BY type", in: db)
        let types: [String] = consumers.flatMap(\.handledTypes)
        return [
            JSONMember(name: "service", value: .string(service)),
            JSONMember(name: "published", value: published),
            JSONMember(name: "handled", value: handled),
            JSONMember(name: "handles", value: .array(types.map(JSONValue.string))),
            JSONMember(name: "backlog", value: try backlog(consumers, in: db)),
        ]
    }

    private static func byType(_ sql: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        let rows: [JSONMember] = try db.query(sql) { row in
            let type: String = try row.next()
            let count: Int64 = try row.next()
            let sum: String = try row.next()
            return JSONMember(
                name: type,
                value: .object([
                    JSONMember(name: "count", value: .number(String(count))),
                    JSONMember(name: "id_sum", value: .string(sum)),
                ]))
        }
        return .object(rows.sorted { $0.name < $1.name })
    }

    private static func backlog(
        _ consumers: [EventConsumer], in db: borrowing PostgresTransaction
    ) throws -> JSONValue {
        let retries: Int = try db.first("SELECT count(*) FROM event_retries") { row in try row.next() } ?? 0
        return .object([
            JSONMember(name: "outbox", value: .number(String(try Outbox.backlog(in: db)))),
            JSONMember(name: "retries", value: .number(String(retries))),
            JSONMember(name: "parked", value: .number(String(try ParkingLot.count(in: db)))),
        ])
    }
}
