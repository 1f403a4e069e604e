public import BillingCore

/// A request's wish to be the one that runs under its idempotency key.
public struct IdempotencyClaim: Sendable, Hashable {
    /// How long an answer is kept: a real-time day.
    public static let lifetime: Duration = .seconds(86_400)

    /// Whose key it is: the principal's lineage. Different callers never share keys.
    public let scope: String
    /// The caller's key.
    public let key: IdempotencyKey
    /// Method and path, kept for people who look at the table.
    public let operation: String
    /// What the request asks for; another request under the same key has another hash.
    public let requestHash: RequestHash
    /// The resource that the request is about to create, so that a later repeat can find it before there is an answer.
    public let resourceID: String?
    /// The real time of the request.
    public let claimedAt: Instant

    /// Makes a claim; endpoints use ``Call/claim(resourceID:)``.
    public init(
        scope: String, key: IdempotencyKey, operation: String, requestHash: RequestHash, resourceID: String? = nil,
        claimedAt: Instant
    ) {
        self.scope = scope
        self.key = key
        self.operation = operation
        self.requestHash = requestHash
        self.resourceID = resourceID
        self.claimedAt = claimedAt
    }

    /// When the answer may be forgotten.
    public var expiresAt: Instant { claimedAt.adding(Self.lifetime) }

    var identity: Identity { Identity(scope: scope, key: key.rawValue) }

    /// What makes two claims compete.
    struct Identity: Hashable {
        let scope: String
        let key: String
    }
}

/// What became of a claim.
public enum ClaimResult: Sendable, Equatable {
    /// The key is this transaction's: carry out the request.
    case fresh
    /// The request was answered before: give that answer again.
    case replay(StoredReply)
    /// The request was begun by a committed transaction, and its answer is not known yet.
    case open(resourceID: String?)
    /// The key was used for another request.
    case mismatch
    /// Another transaction is working under the key right now, or an earlier claim of this batch is.
    case twin

    /// The problem to answer with when the claim cannot go on; `nil` for the others.
    public var problem: Problem? {
        switch self {
        case .fresh, .replay, .open: nil
        case .mismatch: Problem.idempotencyMismatch
        case .twin: Problem.idempotencyTwin
        }
    }
}

extension Problem {
    /// 422: the key belongs to another request.
    public static let idempotencyMismatch = Problem(
        422, code: "idempotency_key_reused", title: "The idempotency key belongs to another request",
        detail: "A request with another method, path or body was made under this key. Use a new key.",
        param: "Idempotency-Key")

    /// 409: the same request is being carried out at this moment.
    public static let idempotencyTwin = Problem(
        409, code: "idempotency_key_in_use", title: "The same request is being carried out",
        detail: "A request under this key has not finished yet. Ask again shortly to get its answer.",
        param: "Idempotency-Key", headers: [HeaderField("Retry-After", "1")])
}
