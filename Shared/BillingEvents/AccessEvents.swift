public import BillingCore
public import JSON

/// An API key was created, rotated or revoked; the whole new state. Keyed by key id.
public struct APIKeyChangedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "api_key.changed.v1"
    /// Where it is published.
    public static let topic = Topic.access

    /// The key.
    public let keyID: APIKeyID
    /// What it is for.
    public let name: String
    /// First characters, for people.
    public let display: String
    /// SHA-256 of the key, hexadecimal.
    public let hash: String
    /// Scopes.
    public let scopes: [String]
    /// When.
    public let createdAt: Instant
    /// End.
    public let expiresAt: Instant?
    /// Revocation.
    public let revokedAt: Instant?
    /// The key that it has come of by rotations; `nil` in events from before that was told.
    public let lineageID: APIKeyID?

    /// The whole fact.
    public init(
        keyID: APIKeyID, name: String, display: String, hash: String, scopes: [String], createdAt: Instant,
        expiresAt: Instant?, revokedAt: Instant?, lineageID: APIKeyID? = nil
    ) {
        self.keyID = keyID
        self.name = name
        self.display = display
        self.hash = hash
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lineageID = lineageID
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        keyID = f.id("key_id", as: APIKeyID.self)
        name = f.string("name", doc: "What it is for")
        display = f.string("display", doc: "First characters, for people")
        hash = f.string("hash", doc: "SHA-256 of the key, hexadecimal")
        scopes = f.stringList("scopes", doc: "Scopes")
        createdAt = f.instant("created_at", doc: "When")
        expiresAt = f.optionalInstant("expires_at", doc: "End")
        revokedAt = f.optionalInstant("revoked_at", doc: "Revocation")
        lineageID = f.optionalID("lineage_id", as: APIKeyID.self, doc: "The first key before all rotations")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("key_id", keyID.rawValue)
        o.field("name", name)
        o.field("display", display)
        o.field("hash", hash)
        o.field("scopes", scopes)
        o.field("created_at", createdAt.rfc3339)
        o.field("expires_at", expiresAt?.rfc3339)
        o.field("revoked_at", revokedAt?.rfc3339)
        if let lineageID { o.field("lineage_id", lineageID.rawValue) }
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            keyID: .sample, name: "Premium", display: "sk_sandbox_1a2b", hash: "9f86d081", scopes: ["payments:read"],
            createdAt: .sample, expiresAt: .sample, revokedAt: .sample)
    }
}
