import Foundation
public import Telemetry

/// Where Redis is, and the limits of its client.
public struct RedisConfiguration: Sendable {
    /// Host name or address.
    public var host: String
    /// TCP port.
    public var port: Int
    /// User for `AUTH`; `nil` for the default user.
    public var user: String?
    /// Password for `AUTH`; `nil` sends none.
    public var password: Secret?
    /// Whether the connection is encrypted and the server's certificate checked.
    public var isEncrypted: Bool = false
    /// File of the certificates that an encrypted connection trusts, in PEM; `nil` for the system's.
    public var roots: String?
    /// Number of the database.
    public var database: Int = 0
    /// How long a connection may take to be made, name resolution excluded.
    public var connectTimeout: Duration = .seconds(1)
    /// Longest pause before a lost connection is tried again; the first try comes after 50 ms.
    public var reconnectBackoffMax: Duration = .seconds(2)
    /// Commands waiting or unanswered; beyond it ``RedisClient/send(_:timeout:)`` refuses at once.
    public var maxOpen: Int = 4_096
    /// A connection whose oldest command has waited this long is given up.
    public var stallTimeout: Duration = .seconds(3)

    /// Starts from the defaults above.
    public init(host: String, port: Int = 6379) {
        self.host = host
        self.port = port
    }

    /// Reads `redis://[[user]:password@]host[:port][/database]`, or `rediss://…` for TLS; `nil` for anything else. User and
    /// password may have signs as `%2F` (RFC 3986, section 2.1), and have to where they stand for something in the address.
    public init?(url: String) {
        guard let scheme = ["redis://", "rediss://"].first(where: url.hasPrefix) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let authority = parts.first else { return nil }
        let split = authority.lastIndex(of: "@")
        let address = split.map { authority[authority.index(after: $0)...] } ?? authority
        let host = address.prefix { $0 != ":" }
        let port = address.count > host.count ? Int(address.dropFirst(host.count + 1)) : 6379
        guard !host.isEmpty, let port, (1...65_535).contains(port) else { return nil }
        self.init(host: String(host), port: port)
        isEncrypted = scheme == "rediss://"
        if let split {
            let credentials = authority[..<split].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard credentials.count == 2 else { return nil }
            guard let name = String(credentials[0]).removingPercentEncoding,
                let word = String(credentials[1]).removingPercentEncoding
            else { return nil }
            user = name.isEmpty ? nil : name
            password = Secret(word)
        }
        if parts.count == 2, !parts[1].isEmpty {
            guard let number = Int(parts[1]), number >= 0 else { return nil }
            database = number
        }
    }
}

extension Duration {
    /// Whole milliseconds for `poll`, rounded up and never below zero.
    var wholeMilliseconds: Int32 {
        let parts = components
        if parts.seconds < 0 || parts.attoseconds < 0 { return 0 }
        if parts.seconds >= 1_000_000 { return 1_000_000_000 }
        return Int32(parts.seconds * 1_000 + (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
