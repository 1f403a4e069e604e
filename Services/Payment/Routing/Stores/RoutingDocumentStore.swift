package import BillingCore
import HTTPKit
import JSON
package import PaymentDomain
package import Postgres

/// One version of the routing rules.
package struct RoutingVersion: Sendable {
    package let number: Int64
    /// `nil`: every payment goes to the provider of its method, and on to others that keep it.
    package let document: RoutingDocument?
    /// Why the document cannot be gone by, for people: no rule of it counts. `nil` where it can.
    package let fault: String?
    package let createdAt: Instant
    package let createdBy: String

    package init(
        number: Int64, document: RoutingDocument?, fault: String? = nil, createdAt: Instant, createdBy: String
    ) {
        self.number = number
        self.document = document
        self.fault = fault
        self.createdAt = createdAt
        self.createdBy = createdBy
    }

    /// The rules of the document; `nil` where it has none that can be gone by.
    var rules: RoutingRules? {
        do { return try document.map { try RoutingRules($0, providers: nil) } } catch { return nil }
    }
}

/// SQL over routing rules. Versions are only ever added; the newest counts.
package enum RoutingDocumentStore {
    /// The number of the version that counts, zero where there has never been one.
    static let latest: SQL = "SELECT coalesce(max(version), 0) FROM routing_documents"

    /// The version that counts; `nil` when there has never been one.
    package static func current(in db: borrowing PostgresTransaction) throws -> RoutingVersion? {
        try db.first("SELECT \(columns) FROM routing_documents ORDER BY version DESC LIMIT 1", read)
    }

    /// Newest first, below a version.
    package static func list(
        below version: Int64?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [RoutingVersion] {
        let matching: SQL = .matching(version.map { "version < \($0)" })
        return try db.query(
            "SELECT \(columns) FROM routing_documents \(matching) ORDER BY version DESC LIMIT \(limit)", read)
    }

    /// Adds a version. Two writers take turns: the table is locked against other writers until the transaction ends.
    /// - Parameter replaces: The version the writer has seen, zero for none; `nil` when it does not matter.
    /// - Returns: `nil` when another version counts than the one that was seen.
    package static func add(
        _ document: RoutingDocument?, replaces: Int64?, at now: Instant, by principal: String,
        in db: borrowing PostgresTransaction
    ) throws -> RoutingVersion? {
        _ = try db.execute("LOCK TABLE routing_documents IN SHARE ROW EXCLUSIVE MODE")
        let latest: Int64 = try db.first(Self.latest) { row in try row.next() } ?? 0
        if let replaces, replaces != latest { return nil }
        let version = RoutingVersion(
            number: latest + 1, document: document, createdAt: now, createdBy: principal)
        let text: String? = document.map { encodeString(RoutingDocumentResource($0)) }
        _ = try db.execute(
            """
            INSERT INTO routing_documents (version, document, created_at, created_by)
            VALUES (\(version.number), \(text)::jsonb, \(now), \(principal))
            """)
        return version
    }

    private static let columns: SQL = "version, document::text, created_at, created_by"

    private static func read(_ row: inout PostgresRow) throws -> RoutingVersion {
        let number: Int64 = try row.next()
        let text: String? = try row.next()
        var stored: (document: RoutingDocument?, fault: String?) = (nil, nil)
        if let text { stored = document(of: text) }
        return RoutingVersion(
            number: number, document: stored.document, fault: stored.fault, createdAt: try row.next(),
            createdBy: try row.next())
    }

    /// A document as it was stored, perhaps by another release of the service.
    private static func document(of text: String) -> (document: RoutingDocument?, fault: String?) {
        let document: RoutingDocument
        do { document = try decode(RoutingDocumentInput.self, from: parseJSON(text)).document } catch {
            return (nil, sentence((error as? InvalidInput)?.faults ?? []))
        }
        do throws(RoutingFaults) { _ = try RoutingRules(document, providers: nil) } catch {
            return (document, sentence(Problem.invalid(error).errors))
        }
        return (document, nil)
    }

    private static func sentence(_ faults: [Fault]) -> String {
        guard !faults.isEmpty else { return "it cannot be read" }
        return faults.map { "\($0.param) \($0.message)" }.joined(separator: "; ")
    }
}
