import JSON
import Postgres

/// Something a service needs before it can do its work.
public struct ReadinessCheck: Sendable {
    /// The name shown by `/readyz`.
    public let name: String
    /// Returns what is missing, or `nil` when nothing is. It is given two seconds.
    public let check: @Sendable () async -> String?

    /// Makes a check.
    public init(_ name: String, _ check: @escaping @Sendable () async -> String?) {
        self.name = name
        self.check = check
    }

    /// Whether the database answers.
    static func database(_ pool: PostgresPool) -> ReadinessCheck {
        ReadinessCheck("database") {
            do {
                _ = try await pool.transaction(readOnly: true, deadline: .now + .seconds(2)) {
                    (db: borrowing PostgresTransaction) in try db.execute("SELECT 1")
                }
                return nil
            } catch let error as PostgresError {
                return error.label
            } catch {
                return "unavailable"
            }
        }
    }
}

/// Runs all checks side by side.
enum Readiness {
    /// The answer of `/readyz`: 200 when nothing is missing, 503 with what is.
    static func answer(_ checks: [ReadinessCheck], isStopping: Bool) async -> RawReply {
        var missing: [(name: String, what: String)] = []
        if isStopping { missing.append(("server", "shutting down")) }
        let results = await withTaskGroup(of: (String, String?).self) { group in
            for check in checks { group.addTask { (check.name, await timed(check)) } }
            return await group.reduce(into: [(String, String?)]()) { $0.append($1) }
        }
        for case (let name, let what?) in results.sorted(by: { $0.0 < $1.0 }) { missing.append((name, what)) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("status")
        writer.string(missing.isEmpty ? "ready" : "not_ready")
        writer.key("missing")
        writer.beginObject()
        for (name, what) in missing {
            writer.key(name)
            writer.string(what)
        }
        writer.endObject()
        writer.endObject()
        return RawReply(status: missing.isEmpty ? 200 : 503, body: writer.bytes)
    }

    private static func timed(_ check: ReadinessCheck) async -> String? {
        await withTaskGroup(of: String?.self) { group in
            group.addTask { await check.check() }
            group.addTask {
                do {
                    try await Task.sleep(for: .seconds(2))
                    return "no answer within two seconds"
                } catch {
                    // The check was quicker and cancelled this wait.
                    return nil
                }
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
