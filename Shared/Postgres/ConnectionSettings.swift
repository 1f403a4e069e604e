import CPostgres

/// A configuration turned into the keywords libpq connects with: session settings cost no round trip of their own.
struct ConnectionSettings: Sendable {
    let keywords: [(name: String, value: String)]
    let origin: DatabaseOrigin
    let connectTimeout: Duration
    /// How long the server may stay silent within an answer before the connection counts as dead.
    let silenceMilliseconds: Int32
    let lookPatience: Duration
    let preparedStatementLimit: Int
    let reconnectPause: Duration
    let reconnectPauseLimit: Duration

    private static let silenceGrace: Duration = .seconds(10)
    /// A peer that vanished from the network is noticed within a minute, also where something is on its way to it (in
    /// milliseconds). A shorter limit on that would cut the probes of a silent peer short.
    private static let keepalive: [(name: String, value: String)] = [
        ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
        ("tcp_user_timeout", "60000"),
    ]

    init(_ configuration: PostgresConfiguration) {
        // What stands before the URL is a default that the URL may change; what follows it is not.
        var keywords: [(name: String, value: String)] = Self.keepalive + [("dbname", configuration.url)]
        if let role = configuration.role { keywords.append(("user", role)) }
        if let password = configuration.password { keywords.append(("password", password)) }
        keywords.append(("application_name", configuration.applicationName))
        keywords.append(("client_encoding", "UTF8"))
        keywords.append(("options", Self.options(configuration)))
        self.keywords = keywords
        origin = DatabaseOrigin(configuration)
        connectTimeout = configuration.connectTimeout
        lookPatience = configuration.lookPatience
        preparedStatementLimit = max(8, configuration.preparedStatementLimit)
        reconnectPause = configuration.reconnectPause
        reconnectPauseLimit = configuration.reconnectPauseLimit
        let statement: Duration = configuration.statementTimeout
        silenceMilliseconds =
            statement == .zero ? -1 : Int32(clamping: (statement + Self.silenceGrace).wholeMilliseconds)
    }

    /// The pause before the next attempt after so many failures in a row, with jitter so that sessions spread out.
    func pause(afterFailures failures: Int) -> Duration {
        let doubled: Duration = reconnectPause * (1 << min(max(failures - 1, 0), 10))
        return min(doubled, reconnectPauseLimit) * Double.random(in: 0.5...1)
    }

    /// The `-c name=value` list sent with the start-up packet, after the URL's own.
    private static func options(_ configuration: PostgresConfiguration) -> String {
        var settings: [(String, String)] = [
            ("TimeZone", "UTC"),
            ("DateStyle", "ISO"),
            ("IntervalStyle", "iso_8601"),
            ("bytea_output", "hex"),
            ("standard_conforming_strings", "on"),
            // Batches travel as arrays. The planner takes short ones for cheaper than the ten elements that it assumes
            // otherwise, and would plan such a statement again at every use.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", configuration.plansReadWholeTables ? "on" : "off"),
            ("statement_timeout", milliseconds(configuration.statementTimeout)),
            ("lock_timeout", milliseconds(configuration.lockTimeout)),
            ("idle_in_transaction_session_timeout", milliseconds(configuration.idleInTransactionTimeout)),
        ]
        if let schema = configuration.schema { settings.append(("search_path", Identifier.quoted(schema))) }
        let own: String = settings.map { name, value in "-c \(name)=\(escaped(value))" }.joined(separator: " ")
        guard let given = givenOptions(configuration.url) else { return own }
        return "\(given) \(own)"
    }

    private static func milliseconds(_ duration: Duration) -> String { String(duration.wholeMilliseconds) }

    /// The server splits the list at blanks and reads backslashes as escapes.
    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { result, character in
            if character == " " || character == "\\" { result.append("\\") }
            result.append(character)
        }
    }

    /// The `options` keyword of the URL, which would otherwise be replaced by ours.
    private static func givenOptions(_ url: String) -> String? {
        guard let parsed = PQconninfoParse(url, nil) else { return nil }
        defer { PQconninfoFree(parsed) }
        var option: UnsafeMutablePointer<PQconninfoOption> = parsed
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "options" { return option.pointee.val.map { String(cString: $0) } }
            option += 1
        }
        return nil
    }
}

extension Duration {
    /// Whole milliseconds, rounded up so that a short time is never zero, which would mean "without limit".
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflowed) = seconds.multipliedReportingOverflow(by: 1000)
        if overflowed { return .max }
        return scaled.addingReportingOverflow((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000).partialValue
    }
}
