import BillingCore
import Postgres

/// What an invoice says about whom it is addressed to.
struct Addressee: Equatable, Sendable {
    let name: String
    let email: String
    let country: String
}

/// A customer as known here.
struct BilledCustomer: Equatable, Sendable {
    let id: CustomerID
    var name: String
    var email: String
    let country: String
    let timeZone: String
}

/// The `customers` table: a projection of Subscription's customers. Rows are written in the order of their ids.
enum CustomerStore {
    /// Takes over customers as they are now. `customers` has each id once.
    static func put(_ customers: [BilledCustomer], at now: Instant) -> SQL {
        let sorted: [BilledCustomer] = customers.sorted { $0.id < $1.id }
        return """
            INSERT INTO customers (id, name, email, country, time_zone, updated_at)
            SELECT c.id, c.name, c.email, c.country, c.time_zone, \(now)
            FROM unnest(
                \(sorted.map(\.id))::text[], \(sorted.map(\.name))::text[], \(sorted.map(\.email))::text[],
                \(sorted.map(\.country))::text[], \(sorted.map(\.timeZone))::text[])
                AS c(id, name, email, country, time_zone)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, country = excluded.country,
                time_zone = excluded.time_zone, updated_at = excluded.updated_at
            """
    }

    /// Reads customers and keeps their rows locked until the transaction ends.
    static func lock(_ ids: [CustomerID], in db: borrowing PostgresTransaction) throws -> [CustomerID: BilledCustomer] {
        keyed(
            try db.query(
                """
                SELECT id, name, email, country, time_zone FROM customers WHERE id = ANY(\(ids)) ORDER BY id FOR UPDATE
                """, read))
    }

    private static func read(_ row: inout PostgresRow) throws -> BilledCustomer {
        BilledCustomer(
            id: try row.next(), name: try row.next(), email: try row.next(), country: try row.next(),
            timeZone: try row.next())
    }

    private static func keyed(_ customers: [BilledCustomer]) -> [CustomerID: BilledCustomer] {
        Dictionary(customers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
