package import BillingCore
package import Postgres

/// A customer as it is stored.
package struct Customer: Sendable, Equatable {
    package let id: CustomerID
    package var email: String
    package var name: String
    package let country: String
    package let currency: Currency?
    package let timeZone: TimeZoneID
    package var metadata: [String: String]
    package let createdAt: Instant
}

package enum CustomerStore {
    private static let columns: SQL = "id, email, name, country, currency, time_zone, metadata, created_at"

    /// Adds a customer.
    /// - Returns: `false` when the id is taken; nothing is changed then.
    static func insert(_ customer: Customer, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.execute(
            """
            INSERT INTO customers (\(columns))
            VALUES (\(customer.id), \(customer.email), \(customer.name), \(customer.country),
                \(customer.currency?.code), \(customer.timeZone.name), \(MetadataColumn.encode(customer.metadata))::jsonb,
                \(customer.createdAt))
            ON CONFLICT (id) DO NOTHING
            """) == 1
    }

    /// Reads one customer; `nil` when there is none.
    static func find(_ id: CustomerID, in db: borrowing PostgresTransaction) throws -> Customer? {
        try db.first("SELECT \(columns) FROM customers WHERE id = \(id)", read)
    }

    /// Reads one customer and keeps its row locked until the transaction ends.
    static func lock(_ id: CustomerID, in db: borrowing PostgresTransaction) throws -> Customer? {
        try db.first("SELECT \(columns) FROM customers WHERE id = \(id) FOR UPDATE", read)
    }

    /// Stores what can change.
    static func update(_ customer: Customer, in db: borrowing PostgresTransaction) throws {
        try db.execute(
            """
            UPDATE customers SET email = \(customer.email), name = \(customer.name),
                metadata = \(MetadataColumn.encode(customer.metadata))::jsonb
            WHERE id = \(customer.id)
            """)
    }

    /// A page, newest first.
    /// - Parameter email: Of customers with this address only, whatever its case.
    package static func list(
        email: String? = nil, after cursor: CustomerID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [Customer] {
        var sql: SQL = "SELECT \(columns) FROM customers WHERE true"
        if let email { sql += " AND lower(email) = lower(\(email))" }
        if let cursor {
            sql += " AND (created_at, id) < (SELECT c.created_at, c.id FROM customers c WHERE c.id = \(cursor))"
        }
        return try db.query(sql + " ORDER BY created_at DESC, id DESC LIMIT \(limit)", read)
    }

    private static func read(_ row: inout PostgresRow) throws -> Customer {
        let id: CustomerID = try row.next()
        let email: String = try row.next()
        let name: String = try row.next()
        let country: String = try row.next()
        let currency: Currency? = try row.next()
        let zone: String = try row.next()
        let metadata: String = try row.next()
        let createdAt: Instant = try row.next()
        guard let timeZone = TimeZoneID(zone) else { throw StoredValueFault.unknownZone(zone) }
        return Customer(
            id: id, email: email, name: name, country: country, currency: currency, timeZone: timeZone,
            metadata: try MetadataColumn.decode(metadata), createdAt: createdAt)
    }
}
