package import BillingCore
import Crypto

/// Turns Google Pay tokens of version `ECv2` into credentials.
///
/// Source of every rule: developers.google.com/pay/api/web/guides/resources/payment-data-cryptography.
package struct GooglePayDecryptor: Sendable, CustomStringConvertible, CustomReflectable {
    /// Whom Google encrypts for.
    package enum Recipient: Sendable, Equatable {
        /// A merchant that decrypts by itself, by the id Google gave it.
        case merchant(id: String)
        /// A gateway, by the id Google gave it, and the merchant's id at the gateway, which every message repeats.
        case gateway(id: String, merchantID: String)

        var signedName: String {
            switch self {
            case .merchant(let id): "merchant:\(id)"
            case .gateway(let id, _): "gateway:\(id)"
            }
        }
    }

    private let roots: GooglePayRootKeys
    private let recipient: Recipient
    private let keys: [P256.KeyAgreement.PrivateKey]

    /// Makes a decryptor.
    /// - Parameters:
    ///   - roots: Google's keys, for production or for test.
    ///   - recipient: Who we are to Google.
    ///   - privateKeys: Our P-256 keys in DER (PKCS #8, or SEC 1), the one in use first. During a rotation there are
    ///     two.
    /// - Throws: ``WalletConfigurationError``.
    package init(
        roots: GooglePayRootKeys, recipient: Recipient, privateKeys: [[UInt8]]
    ) throws(WalletConfigurationError) {
        guard !privateKeys.isEmpty else { throw .noKeys }
        guard privateKeys.count <= WalletToken.maxKeys else { throw .tooManyKeys }
        switch recipient {
        case .merchant(let id): guard !id.isEmpty else { throw .emptyIdentifier }
        case .gateway(let id, let merchantID):
            guard !id.isEmpty, !merchantID.isEmpty else { throw .emptyIdentifier }
        }
        var keys: [P256.KeyAgreement.PrivateKey] = []
        for (position, der) in privateKeys.enumerated() {
            do {
                keys.append(try P256.KeyAgreement.PrivateKey(derRepresentation: der))
            } catch {
                throw .unreadableKey(position)
            }
        }
        self.roots = roots
        self.recipient = recipient
        self.keys = keys
    }

    /// Checks and opens a token.
    /// - Parameters:
    ///   - token: The token's JSON as the browser sent it, UTF-8.
    ///   - now: Against which the root keys, the intermediate key and the message must not have expired.
    /// - Returns: What the token holds. Whether it was used before is for the caller to find out, by
    ///   ``WalletCredential/singleUse``.
    /// - Throws: ``WalletTokenError``, of the first check that fails.
    package func decrypt(_ token: [UInt8], at now: Instant) throws(WalletTokenError) -> WalletCredential {
        let message = try GooglePayToken(token).verified(by: roots, for: recipient.signedName, at: now)
        for key in keys {
            guard let plain = message.opened(with: key) else { continue }
            return try GooglePayMessage(plain, for: recipient, at: now).credential()
        }
        throw .decryption
    }

    /// Names the recipient.
    package var description: String { "GooglePayDecryptor(\(recipient.signedName))" }
    /// Shows no keys.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
