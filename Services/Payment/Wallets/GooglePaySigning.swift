import BillingCore
package import Crypto
import JSON

/// Google's root signing keys, as published at
/// https://payments.developers.google.com/paymentmethodtoken/keys.json (and `…/test/keys.json`).
///
/// The publisher's cache headers say how long a copy is good. Nobody fetches them here: they are read once, at start
/// (docs/operations.md, "Google's root keys").
package struct GooglePayRootKeys: Sendable {
    struct Key: Sendable {
        let key: P256.Signing.PublicKey
        let expiration: Instant
    }

    let keys: [Key]

    /// Reads the keys for `ECv2`. Keys of other versions, and those without an expiration, which this version demands,
    /// are left out.
    /// - Throws: ``WalletConfigurationError/unreadableRootKeys``, ``WalletConfigurationError/noRoots`` when none is
    ///   left.
    package init(json: [UInt8]) throws(WalletConfigurationError) {
        let document: JSONValue
        do {
            document = try parseJSON(json, limits: JSONLimits(maxBytes: 65_536, maxDepth: 8))
        } catch {
            throw .unreadableRootKeys
        }
        guard let entries = document["keys"]?.arrayValue else { throw .unreadableRootKeys }
        var keys: [Key] = []
        for entry in entries where entry["protocolVersion"]?.stringValue == GooglePaySigning.version {
            guard let expiration = entry["keyExpiration"] else { continue }
            guard let text = expiration.stringValue, let instant = Instant(milliseconds: text),
                let value = entry["keyValue"]?.stringValue, let der = Base64.standard.decode(value),
                let key = GooglePaySigning.publicKey(der)
            else { throw .unreadableRootKeys }
            keys.append(Key(key: key, expiration: instant))
        }
        guard !keys.isEmpty else { throw .noRoots }
        self.keys = keys
    }
}

/// Google's signatures: ECDSA on P-256 with SHA-256 over fields, each preceded by its length.
package enum GooglePaySigning {
    static let version = "ECv2"
    static let sender = "Google"

    /// The bytes that are signed: for each text the count of its UTF-8 bytes in four bytes, lowest first, and the
    /// bytes. Source: developers.google.com/pay/api/web/guides/resources/payment-data-cryptography, "Verify the
    /// signatures".
    package static func lengthPrefixed(_ texts: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(texts.reduce(0) { $0 + 4 + $1.utf8.count })
        for text in texts {
            let count = UInt32(truncatingIfNeeded: text.utf8.count)
            withUnsafeBytes(of: count.littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: text.utf8)
        }
        return bytes
    }

    /// A public key in X.509's SubjectPublicKeyInfo.
    package static func publicKey(_ der: [UInt8]) -> P256.Signing.PublicKey? {
        do {
            return try P256.Signing.PublicKey(derRepresentation: der)
        } catch {
            // Whatever is wrong with it: it is not a key.
            return nil
        }
    }

    /// Whether the key made this signature (DER) over these bytes.
    package static func verifies(_ signature: [UInt8], over bytes: [UInt8], by key: P256.Signing.PublicKey) -> Bool {
        do {
            return key.isValidSignature(try P256.Signing.ECDSASignature(derRepresentation: signature), for: bytes)
        } catch {
            // A signature of the wrong shape is a wrong signature.
            return false
        }
    }
}

extension Instant {
    /// Reads whole milliseconds since the Unix epoch: decimal digits only.
    init?(milliseconds text: String) {
        guard (1...15).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let milliseconds = Int64(text)
        else { return nil }
        self.init(microseconds: milliseconds * 1_000)
    }
}
