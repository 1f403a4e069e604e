import BillingCore
import Logging
import Postgres

/// Turns an `Authorization` header into a principal.
struct Authenticator: Sendable {
    private let pool: PostgresPool
    private let keyMode: String?
    private let realm: String
    private let tokens: TokenVerifier?
    private let cache: CredentialCache
    /// Keys that nobody has, by who sends them: each costs a transaction, and none is like another for the cache.
    private let strangers: LocalBuckets
    private let clock: any WallClock

    /// - Parameter clock: The real time; business time does not end credentials.
    init(
        configuration: HTTPServerConfiguration, pool: PostgresPool, clock: any WallClock, logger: Logger
    ) {
        self.pool = pool
        self.clock = clock
        keyMode = configuration.keyMode
        realm = configuration.serviceName
        tokens = configuration.tokens.map { TokenVerifier($0, logger: logger) }
        cache = CredentialCache(lifetime: configuration.credentialCacheTime)
        strangers = LocalBuckets(configuration.unknownKeys)
    }

    /// Checks a credential.
    /// - Parameter address: The caller's; read for what is not known here.
    /// - Throws: ``Problem`` 401 when it is missing, malformed or worthless, 429 when too many keys that nobody has came from
    ///   this address; ``PostgresError`` when it cannot be checked.
    func principal(
        _ header: String?, from address: @autoclosure () -> String, deadline: ContinuousClock.Instant
    ) async throws -> Principal {
        guard let header else {
            throw unauthorized(
                "authentication_required", "Send a secret API key as: Authorization: Bearer sk_…", error: nil)
        }
        guard let credential = bearer(header) else {
            throw unauthorized("invalid_token", "The Authorization header is not Bearer with a key or token.")
        }
        let hash = RequestHash(secret: credential)
        let changes = APIKeys.changes
        let now = ContinuousClock.now
        let stranger: String?
        switch cache.look(hash, changes: changes, now: now) {
        case .known(let principal?): return principal
        case .known(nil): throw worthless
        case .renew(let principal):
            Task { _ = try? await ask(credential, hash, nil, changes, deadline: now + Self.renewalTime) }
            return principal
        case .ask(let isKnown): stranger = isKnown ? nil : Visitor.of(address())
        }
        guard let found = try await ask(credential, hash, stranger, changes, deadline: deadline) else {
            throw worthless
        }
        return found.principal
    }

    /// How long a renewal that nobody waits for may take.
    private static let renewalTime: Duration = .seconds(2)

    /// Asks, and remembers the answer.
    private func ask(
        _ credential: String, _ hash: RequestHash, _ stranger: String?, _ changes: Int,
        deadline: ContinuousClock.Instant
    ) async throws -> Found? {
        let now = ContinuousClock.now
        let found = try await find(credential, hash, stranger, deadline)
        let life = found?.validUntil.map { $0 - clock.now }
        cache.store(found?.principal, for: hash, changes: changes, validFor: life, now: now)
        return found
    }

    /// 403 for a caller without a scope.
    func forbidden(_ scope: String) -> Problem {
        Problem(
            403, code: "insufficient_scope", title: "The key does not allow this",
            detail: "This needs the scope \(scope).",
            headers: [
                HeaderField(
                    "WWW-Authenticate", "Bearer realm=\"\(realm)\", error=\"insufficient_scope\", scope=\"\(scope)\"")
            ])
    }

    /// A principal with the end of its credential.
    struct Found: Sendable {
        let principal: Principal
        let validUntil: Instant?
    }

    private func find(
        _ credential: String, _ hash: RequestHash, _ stranger: String?, _ deadline: ContinuousClock.Instant
    ) async throws -> Found? {
        if credential.hasPrefix("sk_") {
            guard let secret = APIKeySecret(credential), keyMode == nil || secret.mode == keyMode else { return nil }
            if let stranger, strangers.isOut(stranger, .now) { throw Self.tooManyUnknown }
            let now = clock.now
            let record = try await pool.transaction(deadline: deadline) { (db: borrowing PostgresTransaction) in
                try APIKeys.find(hash: hash, now: now, in: db)
            }
            if let stranger, record == nil { _ = strangers.take(stranger, .now) }
            return record.map { (record: APIKeyRecord) -> Found in
                let principal = Principal(
                    id: record.id.rawValue, lineage: record.lineage.rawValue, keyID: record.id,
                    scopes: Scopes(record.scopes))
                return Found(principal: principal, validUntil: record.expiresAt)
            }
        }
        guard let tokens else { return nil }
        return await tokens.verify(credential, now: clock.now)
    }

    private static let tooManyUnknown = Problem(
        429, code: "rate_limited", title: "Too many requests",
        detail: "Too many keys that nobody has came from this address.", headers: [HeaderField("Retry-After", "1")])

    private var worthless: Problem {
        unauthorized("invalid_token", "The key or token is unknown, malformed, expired or revoked.")
    }

    private func unauthorized(_ code: String, _ detail: String, error: String? = "invalid_token") -> Problem {
        let suffix = error.map { ", error=\"\($0)\"" } ?? ""
        return Problem(
            401, code: code, title: "The caller is not known", detail: detail,
            headers: [HeaderField("WWW-Authenticate", "Bearer realm=\"\(realm)\"\(suffix)")])
    }

    /// The credential of a `Bearer` header, at most 8 KiB.
    private func bearer(_ header: String) -> String? {
        let parts = header.utf8.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].count == 6, let scheme = parts.first, let credential = parts.last,
            Substring(scheme).lowercased() == "bearer", credential.count <= 8_192
        else { return nil }
        return String(Substring(credential))
    }
}
