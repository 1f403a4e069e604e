/// Where the database is and how long and how much the library may wait, queue and keep.
public struct PostgresConfiguration: Sendable, CustomStringConvertible, CustomReflectable {
    /// A libpq connection URL or keyword string.
    public var url: String
    /// The role to log in as, in place of the URL's.
    public var role: String?
    /// The role's password, in place of the URL's.
    public var password: String?
    /// The one schema on the session's search path; `nil` keeps the server's default.
    public var schema: String?
    /// The name shown in `pg_stat_activity`.
    public var applicationName: String = "refrain"
    /// Connections a pool may hold, each on its own thread; opened when first needed.
    public var connections: Int = 8
    /// Callers that may wait for a connection before more are refused.
    public var queueLimit: Int = 1024
    /// How long a caller may wait for a connection.
    public var queueTimeout: Duration = .seconds(5)
    /// How long the server may work on one statement; zero is without limit.
    public var statementTimeout: Duration = .seconds(30)
    /// How long a statement may wait for a lock; zero is without limit.
    public var lockTimeout: Duration = .seconds(10)
    /// How long a transaction may sit idle before the server ends it; zero is without limit.
    public var idleInTransactionTimeout: Duration = .seconds(60)
    /// How long opening a connection may take.
    public var connectTimeout: Duration = .seconds(5)
    /// The first pause after a failed connection attempt; it doubles up to `reconnectPauseLimit`.
    public var reconnectPause: Duration = .milliseconds(50)
    /// The longest pause between connection attempts.
    public var reconnectPauseLimit: Duration = .seconds(2)
    /// Whether plans may read a whole table where an index leads to its rows. A plan is made once a session; one made while
    /// a young table was nearly empty would go on reading all of it long after it has grown.
    public var plansReadWholeTables: Bool = true
    /// How long what was found behind a COMMIT (``CommitLook``) is waited for before it counts as missed.
    package var lookPatience: Duration = .milliseconds(20)
    /// Prepared statements a session keeps; the least recently used go first.
    public var preparedStatementLimit: Int = 256

    /// Makes a configuration with the defaults for everything that is a tunable.
    public init(
        url: String, role: String? = nil, password: String? = nil, schema: String? = nil,
        applicationName: String = "refrain", connections: Int = 8
    ) {
        self.url = url
        self.role = role
        self.password = password
        self.schema = schema
        self.applicationName = applicationName
        self.connections = connections
    }

    /// Role, schema and limits; never the URL or the password, which may be secret.
    public var description: String {
        "PostgresConfiguration(role: \(role ?? "-"), schema: \(schema ?? "-"), connections: \(connections))"
    }

    /// Shows no more than the description does.
    public var customMirror: Mirror { Mirror(self, children: ["configuration": description]) }
}

/// Whose tables a session sees: two with the same origin mean the same tables by the same names.
package struct DatabaseOrigin: Sendable, Equatable {
    private let url: String
    private let role: String?
    private let schema: String?

    /// The origin of sessions that are opened so.
    package init(_ configuration: PostgresConfiguration) {
        url = configuration.url
        role = configuration.role
        schema = configuration.schema
    }
}
