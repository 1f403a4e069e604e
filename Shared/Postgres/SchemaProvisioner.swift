import CPostgres
import Logging

/// Creates schemas and the roles that own them: one role per schema, which can use that schema and nothing else.
public struct SchemaProvisioner: Sendable {
    private let url: String

    /// Prepares provisioning.
    /// - Parameter url: A connection URL of a superuser, naming the database to work in.
    public init(url: String) {
        self.url = url
    }

    /// Creates the schema and its role, or brings existing ones in line. Blocks the calling thread.
    ///
    /// The role may log in with the password, owns the schema, finds its tables without a prefix, and has no rights in
    /// `public` or in other roles' schemas. The password reaches the server as a SCRAM verifier only.
    public func provision(schema: String, role: String, password: String) throws {
        var configuration = PostgresConfiguration(url: url, applicationName: "refrain-provision")
        configuration.lockTimeout = .zero
        let session = PostgresSession(configuration, logger: Logger(label: "postgres.provisioner"))
        try session.connect()
        defer { session.close() }
        let verifier: String = try session.passwordVerifier(role: role, password: password)
        try session.transaction { db in
            try db.execute("SELECT pg_advisory_xact_lock(hashtextextended('refrain.provision', 0))")
            let exists: Bool? = try db.first("SELECT true FROM pg_roles WHERE rolname = \(role)") { row in
                try row.next()
            }
            let verb: SQL = exists == nil ? "CREATE ROLE" : "ALTER ROLE"
            // Utility statements take no parameters; both pieces are quoted.
            let secret = SQL(stringLiteral: Identifier.literal(verifier))
            try db.execute(
                ("\(verb) \(identifier: role) LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD \(secret)"
                    as SQL).unprepared)
            try grant(schema: schema, role: role, db)
        }
    }

    private func grant(schema: String, role: String, _ db: borrowing PostgresTransaction) throws {
        let database: String? = try db.first("SELECT current_database()") { row in try row.next() }
        guard let database else { throw PostgresError.misuse("the session has no database") }
        let owner: String? = try db.first(
            "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = \(schema)"
        ) { row in try row.next() }
        if owner == nil {
            try db.execute("CREATE SCHEMA \(identifier: schema) AUTHORIZATION \(identifier: role)")
        } else if owner != role {
            try db.execute("ALTER SCHEMA \(identifier: schema) OWNER TO \(identifier: role)")
        }
        try db.pipeline([
            "REVOKE ALL ON SCHEMA \(identifier: schema) FROM PUBLIC",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "REVOKE ALL ON DATABASE \(identifier: database) FROM PUBLIC",
            "GRANT CONNECT, TEMPORARY ON DATABASE \(identifier: database) TO \(identifier: role)",
            "ALTER ROLE \(identifier: role) IN DATABASE \(identifier: database) SET search_path = \(identifier: schema)",
        ])
    }
}

extension PostgresSession {
    /// What the server stores in place of the password, computed here so that no log can hold the password.
    fileprivate func passwordVerifier(role: String, password: String) throws(PostgresError) -> String {
        try connection.passwordVerifier(role: role, password: password)
    }
}

extension Connection {
    fileprivate func passwordVerifier(role: String, password: String) throws(PostgresError) -> String {
        guard let handle else { throw .lost("the session is closed") }
        guard !password.utf8.contains(0), let text = PQencryptPasswordConn(handle, password, role, "scram-sha-256")
        else { throw .refusedValue("the password cannot be used") }
        defer { PQfreemem(text) }
        return String(cString: text)
    }
}
