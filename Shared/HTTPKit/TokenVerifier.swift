import BillingCore
import FoundationEssentials
import JSON
import JWTKit
import Logging

/// Checks JSON web tokens: signature by the issuer's keys, then issuer, audience and times.
///
/// Only RS256, ES256 and EdDSA are accepted, and each key only for the algorithm of its own kind, so a token can choose
/// neither `none` nor a shared-secret algorithm with a public key as the secret.
struct TokenVerifier: Sendable {
    private let configuration: TokenConfiguration
    private let keys: TokenKeySet

    init(_ configuration: TokenConfiguration, logger: Logger) {
        self.configuration = configuration
        keys = TokenKeySet(configuration, logger: logger)
    }

    /// - Returns: The principal, or `nil` for a token that is not acceptable for any reason.
    func verify(_ token: String, now: Instant) async -> Authenticator.Found? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Self.decode(parts[2]), let algorithm = header["alg"]?.stringValue,
            TokenAlgorithm(rawValue: algorithm) != nil, header["crit"] == nil
        else { return nil }
        let keyID = header["kid"]?.stringValue
        guard let key = await keys.key(keyID, algorithm: algorithm) else { return nil }
        let signed = Array("\(parts[0]).\(parts[1])".utf8)
        guard Self.isSigned(signed, signature, by: key) else { return nil }
        return principal(claims, now: now)
    }

    private func principal(_ claims: JSONValue, now: Instant) -> Authenticator.Found? {
        let leeway = configuration.leeway
        guard claims["iss"]?.stringValue == configuration.issuer, isForUs(claims["aud"]),
            let subject = claims["sub"]?.stringValue, !subject.isEmpty, subject.utf8.count <= 255,
            let expiry = Self.time(claims["exp"]), now < expiry + leeway
        else { return nil }
        if let notBefore = claims["nbf"] {
            guard let start = Self.time(notBefore), now + leeway >= start else { return nil }
        }
        let principal = Principal(id: "\(configuration.issuer)|\(subject)", scopes: Self.scopes(claims))
        return Authenticator.Found(principal: principal, validUntil: expiry + leeway)
    }

    private func isForUs(_ audience: JSONValue?) -> Bool {
        if let text = audience?.stringValue { return text == configuration.audience }
        return audience?.arrayValue?.contains(.string(configuration.audience)) ?? false
    }

    /// `scope` with spaces between, or `scp` as the same or as an array.
    private static func scopes(_ claims: JSONValue) -> Scopes {
        let claim = claims["scope"] ?? claims["scp"]
        if let text = claim?.stringValue { return Scopes(text.split(separator: " ").map(String.init)) }
        return Scopes(claim?.arrayValue?.compactMap(\.stringValue) ?? [])
    }

    /// A NumericDate: seconds since 1970, a fraction allowed and dropped.
    private static func time(_ value: JSONValue?) -> Instant? {
        guard case .number(let lexeme) = value else { return nil }
        guard let seconds = Int64(lexeme.prefix { $0 != "." }), seconds >= 0 else { return nil }
        return Instant(seconds: seconds)
    }

    private static func isSigned(_ bytes: [UInt8], _ signature: [UInt8], by key: any JWTAlgorithm) -> Bool {
        do {
            return try key.verify(signature, signs: bytes)
        } catch {
            // A signature of the wrong shape is a wrong signature.
            return false
        }
    }

    private static func object(_ part: Substring) -> JSONValue? {
        guard let bytes = decode(part) else { return nil }
        do {
            let value = try parseJSON(bytes, limits: JSONLimits(maxBytes: 8_192, maxDepth: 8))
            return value.objectValue == nil ? nil : value
        } catch {
            // Whoever sends garbage learns no more than that the token is not acceptable.
            return nil
        }
    }

    /// Base 64 with the URL-safe alphabet and no padding.
    private static func decode(_ part: Substring) -> [UInt8]? {
        var text: [UInt8] = []
        for byte in part.utf8 {
            switch byte {
            case UInt8(ascii: "-"): text.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): text.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
            default: text.append(byte)
            }
        }
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(text)).map { Array($0) }
    }
}

/// The accepted signature algorithms.
enum TokenAlgorithm: String, CaseIterable, Sendable {
    case rs256 = "RS256"
    case es256 = "ES256"
    case eddsa = "EdDSA"
}
