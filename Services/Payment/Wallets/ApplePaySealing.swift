package import Crypto
import PKI

/// How Apple Pay seals payment data. Source: Apple, "Payment token format reference" and "Restoring the symmetric key".
package enum ApplePaySealing {
    private static let tagBytes = 16

    /// The key of an `EC_v1` token out of the ECDH secret: the single-step key derivation of NIST SP 800-56A (2007)
    /// section 5.8.1 with SHA-256, one round, as 32 bytes are wanted: SHA-256(counter, secret, other info).
    /// - Parameters:
    ///   - secret: The X coordinate of the shared point.
    ///   - partyV: SHA-256 of the merchant identifier.
    package static func key(secret: [UInt8], partyV: [UInt8]) -> SymmetricKey {
        var hash = SHA256()
        hash.update(data: [0, 0, 0, 1] as [UInt8])
        hash.update(data: secret)
        // Algorithm id with its length before it, party U, party V.
        hash.update(data: [0x0D] as [UInt8] + Array("id-aes256-GCM".utf8))
        hash.update(data: Array("Apple".utf8))
        hash.update(data: partyV)
        return SymmetricKey(data: Array(hash.finalize()))
    }

    /// The key of an `EC_v1` token out of the two keys that agree on it (ECDH on P-256).
    static func key(
        own: P256.KeyAgreement.PrivateKey, ephemeral: P256.KeyAgreement.PublicKey, partyV: [UInt8]
    ) throws(WalletTokenError) -> SymmetricKey {
        do {
            let secret = try own.sharedSecretFromKeyAgreement(with: ephemeral)
            return key(secret: secret.withUnsafeBytes { Array($0) }, partyV: partyV)
        } catch {
            throw .decryption
        }
    }

    /// The key of an `RSA_v1` token: 16 bytes, wrapped for the merchant.
    static func key(wrapped: [UInt8], for own: RSADecryptionKey) throws(WalletTokenError) -> SymmetricKey {
        let bytes: [UInt8]
        do {
            bytes = try own.decryptOAEP(wrapped)
        } catch {
            throw .decryption
        }
        guard bytes.count == 16 else { throw .decryption }
        return SymmetricKey(data: bytes)
    }

    /// Opens data that ends with its tag: AES in GCM with an initialization vector of 16 zero bytes (not the usual 12)
    /// and nothing authenticated beside. Each message has a key of its own, so the vector never repeats under a key.
    /// - Throws: ``WalletTokenError/decryption``.
    package static func open(_ sealed: [UInt8], key: SymmetricKey) throws(WalletTokenError) -> [UInt8] {
        guard sealed.count > tagBytes else { throw .decryption }
        do {
            let box = try AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 16)), ciphertext: sealed.dropLast(tagBytes),
                tag: sealed.suffix(tagBytes))
            return Array(try AES.GCM.open(box, using: key))
        } catch {
            throw .decryption
        }
    }
}
