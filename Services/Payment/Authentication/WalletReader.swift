package import BillingCore
package import PaymentDomain
package import PaymentContract
package import PaymentWallets

/// Reads wallets' tokens.
package protocol WalletReader: Sendable {
    /// Checks and opens a token.
    /// - Returns: `nil` for a wallet that is not configured.
    /// - Throws: `WalletTokenError`, of the first check that fails.
    func read(
        _ wallet: Wallet, _ token: [UInt8], at now: Instant
    ) throws(WalletTokenError) -> WalletCredential?
}

/// The wallets of the configuration; with neither, none is accepted.
package struct ConfiguredWallets: WalletReader {
    let google: GooglePayDecryptor?
    let apple: ApplePayDecryptor?

    package init(google: GooglePayDecryptor? = nil, apple: ApplePayDecryptor? = nil) {
        self.google = google
        self.apple = apple
    }

    package func read(
        _ wallet: Wallet, _ token: [UInt8], at now: Instant
    ) throws(WalletTokenError) -> WalletCredential? {
        switch wallet {
        case .googlePay: try google?.decrypt(token, at: now)
        case .applePay: try apple?.decrypt(token, at: now)
        }
    }
}

extension WalletCredential {
    /// What a charge takes of it.
    package var card: WalletCard {
        switch kind {
        case .card:
            WalletCard(
                wallet: wallet, number: number, expMonth: expiry.month, expYear: expiry.year, cryptogram: nil, eci: nil)
        case .networkToken(let cryptogram, let eci):
            WalletCard(
                wallet: wallet, number: number, expMonth: expiry.month, expYear: expiry.year,
                cryptogram: cryptogram.base64, eci: eci)
        }
    }
}

extension WalletTokenError {
    /// Its name in answers and audit lines; nothing of the token is in it.
    package var code: String {
        switch self {
        case .tooLarge: "too_large"
        case .malformed: "malformed"
        case .unsupportedVersion: "unsupported_version"
        case .intermediateKeySignature, .messageSignature, .signature: "signature"
        case .intermediateKeyExpired, .certificateChain, .leafMarker, .intermediateMarker: "certificates"
        case .messageExpired, .signingTimeMissing, .signingTimeOutsideWindow: "stale"
        case .gatewayMerchant, .unknownMerchantKey, .applicationData: "other_recipient"
        case .decryption: "decryption"
        case .unsupportedMethod: "unsupported_method"
        }
    }
}
