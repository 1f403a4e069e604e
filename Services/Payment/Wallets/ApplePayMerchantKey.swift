import Crypto
import PKI

/// A key that Apple Pay encrypts tokens for: the private half of a payment processing certificate.
package struct ApplePayMerchantKey: Sendable, CustomStringConvertible, CustomReflectable {
    enum Half: Sendable {
        case ellipticCurve(P256.KeyAgreement.PrivateKey, partyV: [UInt8])
        case rsa(RSADecryptionKey)
    }

    let half: Half
    /// SHA-256 over the public key as X.509 has it (SubjectPublicKeyInfo); tokens name the key by it.
    package let publicKeyHash: [UInt8]

    /// A key for `EC_v1`.
    /// - Parameters:
    ///   - der: The P-256 private key in DER (PKCS #8, or SEC 1).
    ///   - merchantID: The merchant identifier of the certificate, such as `merchant.com.example`.
    /// - Throws: ``WalletConfigurationError/unreadableKey(_:)``, ``WalletConfigurationError/emptyIdentifier``.
    package init(ellipticCurve der: [UInt8], merchantID: String) throws(WalletConfigurationError) {
        guard !merchantID.isEmpty else { throw .emptyIdentifier }
        do {
            let key = try P256.KeyAgreement.PrivateKey(derRepresentation: der)
            half = .ellipticCurve(key, partyV: Array(SHA256.hash(data: Array(merchantID.utf8))))
            publicKeyHash = Array(SHA256.hash(data: Array(key.publicKey.derRepresentation)))
        } catch {
            throw .unreadableKey(0)
        }
    }

    /// A key for `RSA_v1`.
    /// - Parameter der: The RSA private key of 2,048 bits or more in DER (PKCS #8, or PKCS #1).
    /// - Throws: ``WalletConfigurationError/unreadableKey(_:)``.
    package init(rsa der: [UInt8]) throws(WalletConfigurationError) {
        do {
            let key = try RSADecryptionKey(der: der)
            half = .rsa(key)
            publicKeyHash = Array(SHA256.hash(data: key.publicKeyInfo))
        } catch {
            throw .unreadableKey(0)
        }
    }

    /// Shows no key.
    package var description: String { "ApplePayMerchantKey" }
    /// Shows no key.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
