/// How a server listens and what it allows. The defaults are those of production behind the gateway.
public struct HTTPServerConfiguration: Sendable {
    /// The address to listen on.
    public var host: String
    /// The port; 0 lets the system choose one.
    public var port: Int
    /// The name in the document and in `WWW-Authenticate`.
    public var serviceName: String
    /// The version in the document.
    public var version: String
    /// The longest request body in bytes.
    public var maxBodyBytes: Int
    /// How deep JSON may nest.
    public var maxJSONDepth: Int
    /// How many requests run at once; more get 503.
    public var maxConcurrentRequests: Int
    /// When a request's answer is no longer of use, unless the caller or the endpoint says otherwise.
    public var requestTimeout: Duration
    /// The longest deadline and the longest `Prefer: wait` a caller can ask for.
    public var maxRequestTimeout: Duration
    /// When a silent connection is closed.
    public var idleTimeout: Duration
    /// Whether each request is logged.
    public var accessLog: Bool
    /// The only accepted kind of API keys, `sandbox` or `live`; `nil` accepts both.
    public var keyMode: String?
    /// How long a checked key or token is trusted without asking again.
    public var credentialCacheTime: Duration
    /// Requests per principal; `nil` sets no limit.
    public var rateLimit: RateLimit?
    /// How long Redis may take over a rate limit before this instance decides by itself.
    public var rateLimitTimeout: Duration
    /// How many keys that nobody has one address may try at an instance; past that, keys from there that the instance does not
    /// know already get 429.
    public var unknownKeys: RateLimit
    /// How JSON web tokens are checked; `nil` accepts none.
    public var tokens: TokenConfiguration?
    /// Whether a problem that its route does not declare is answered as 500 and logged: for tests, so that the document tells
    /// every problem there is.
    public var refusesUndeclaredProblems: Bool

    /// Makes a configuration; what is left out has its default.
    public init(
        host: String = "127.0.0.1", port: Int, serviceName: String, version: String = "1.0.0",
        maxBodyBytes: Int = 1 << 20, maxJSONDepth: Int = 32, maxConcurrentRequests: Int = 512,
        requestTimeout: Duration = .seconds(30), maxRequestTimeout: Duration = .seconds(120),
        idleTimeout: Duration = .seconds(75), accessLog: Bool = true, keyMode: String? = nil,
        credentialCacheTime: Duration = .seconds(5), rateLimit: RateLimit? = RateLimit(),
        rateLimitTimeout: Duration = .milliseconds(50), unknownKeys: RateLimit = RateLimit(perSecond: 10, burst: 600),
        tokens: TokenConfiguration? = nil, refusesUndeclaredProblems: Bool = false
    ) {
        self.host = host
        self.port = port
        self.serviceName = serviceName
        self.version = version
        self.maxBodyBytes = maxBodyBytes
        self.maxJSONDepth = maxJSONDepth
        self.maxConcurrentRequests = maxConcurrentRequests
        self.requestTimeout = requestTimeout
        self.maxRequestTimeout = maxRequestTimeout
        self.idleTimeout = idleTimeout
        self.accessLog = accessLog
        self.keyMode = keyMode
        self.credentialCacheTime = credentialCacheTime
        self.rateLimit = rateLimit
        self.rateLimitTimeout = rateLimitTimeout
        self.unknownKeys = unknownKeys
        self.tokens = tokens
        self.refusesUndeclaredProblems = refusesUndeclaredProblems
    }
}

/// A token bucket: a steady rate, and how much may come at once.
public struct RateLimit: Sendable, Hashable {
    /// Requests per second in the long run.
    public let perSecond: Int
    /// Requests at once after a pause.
    public let burst: Int
    /// What comes back in a second; a fraction where a limit is for minutes.
    package let rate: Double

    /// Makes a limit.
    /// - Parameters:
    ///   - perSecond: At least 1; a configuration of 0 means no limit, see ``init(configured:burst:)``.
    ///   - burst: At least 1.
    public init(perSecond: Int = 1_000, burst: Int = 2_000) {
        self.perSecond = max(1, perSecond)
        self.burst = max(1, burst)
        rate = Double(self.perSecond)
    }

    /// A limit for what people do.
    /// - Parameter perMinute: At least 1, and as many at once.
    package init(perMinute: Int) {
        burst = max(1, perMinute)
        rate = Double(burst) / 60
        perSecond = max(1, burst / 60)
    }

    /// The limit that a configuration asks for; `nil` when it says 0.
    public init?(configured perSecond: Int, burst: Int) {
        if perSecond <= 0 { return nil }
        self.init(perSecond: perSecond, burst: burst)
    }
}

/// Whose JSON web tokens are accepted.
public struct TokenConfiguration: Sendable {
    /// Where the issuer's public keys are.
    public enum KeySet: Sendable {
        /// A URL that answers with a JSON Web Key Set.
        case url(String)
        /// A file that holds one.
        case file(String)
    }

    /// The `iss` a token must have.
    public var issuer: String
    /// The audience that must be among a token's `aud`.
    public var audience: String
    /// The issuer's keys.
    public var keys: KeySet
    /// How old the keys may get before they are fetched again.
    public var refreshInterval: Duration
    /// How soon after a fetch an unknown key id may cause the next.
    public var minimumRefreshInterval: Duration
    /// How far the issuer's clock may be off.
    public var leeway: Duration

    /// Makes a configuration.
    public init(
        issuer: String, audience: String, keys: KeySet, refreshInterval: Duration = .seconds(600),
        minimumRefreshInterval: Duration = .seconds(10), leeway: Duration = .seconds(30)
    ) {
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self.refreshInterval = refreshInterval
        self.minimumRefreshInterval = minimumRefreshInterval
        self.leeway = leeway
    }
}
