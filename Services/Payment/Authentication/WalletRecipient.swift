import BillingCore
import Crypto
package import PaymentWallets
package import ServiceKit

/// What a browser tells Google so that it encrypts for us.
package struct GooglePayRecipient: Sendable {
    package let recipient: GooglePayDecryptor.Recipient
    /// The public half of the key in use: an uncompressed point in base 64.
    package let publicKey: String
}

extension WalletConfiguration {
    /// Whom Google Pay's tokens are encrypted for, by the same settings as ``wallets(_:)``.
    /// - Returns: `nil` where the wallet is not configured.
    package static func googlePayRecipient(
        _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> GooglePayRecipient? {
        guard let keys: String = try file("GOOGLE_PAY_KEYS_PATH", environment),
            let merchant: String = text("GOOGLE_PAY_MERCHANT_ID", environment)
        else { return nil }
        do {
            let key = try P256.KeyAgreement.PrivateKey(derRepresentation: PEM.blocks(of: keys).first ?? [])
            let gateway: String? = text("GOOGLE_PAY_GATEWAY_ID", environment)
            return GooglePayRecipient(
                recipient: gateway.map { .gateway(id: $0, merchantID: merchant) } ?? .merchant(id: merchant),
                publicKey: Base64.standard.encode(Array(key.publicKey.x963Representation)))
        } catch {
            throw invalid("Google Pay's keys cannot be used: \(error)")
        }
    }
}
