import BillingCore
import PaymentDomain

/// A decrypted Google Pay message.
struct GooglePayMessage {
    private static let maxIDBytes = 512

    private let id: String
    private let expiration: Instant
    private let details: TokenFields

    init(
        _ plain: [UInt8], for recipient: GooglePayDecryptor.Recipient, at now: Instant
    ) throws(WalletTokenError) {
        let message = try TokenFields(parsing: plain, path: "encryptedMessage")
        guard let expiration = Instant(milliseconds: try message.text("messageExpiration")) else {
            throw message.fault("messageExpiration")
        }
        guard now < expiration else { throw .messageExpired }
        self.expiration = expiration
        if case .gateway(_, let merchantID) = recipient {
            guard try message.optionalText("gatewayMerchantId") == merchantID else { throw .gatewayMerchant }
        }
        id = try message.text("messageId")
        guard (1...Self.maxIDBytes).contains(id.utf8.count) else { throw message.fault("messageId") }
        guard try message.text("paymentMethod") == "CARD" else { throw .unsupportedMethod }
        details = try message.object("paymentMethodDetails")
    }

    func credential() throws(WalletTokenError) -> WalletCredential {
        let kind: WalletCredential.Kind
        switch try details.text("authMethod") {
        case "PAN_ONLY": kind = .card
        case "CRYPTOGRAM_3DS":
            guard let cryptogram = WalletCryptogram(base64: try details.text("cryptogram")) else {
                throw details.fault("cryptogram")
            }
            kind = .networkToken(cryptogram: cryptogram, eci: try details.eci())
        default: throw .unsupportedMethod
        }
        guard let number = CardNumber(try details.text("pan")) else { throw details.fault("pan") }
        let singleUse = SingleUse(id: "\(Wallet.googlePay.rawValue):\(id)", keepUntil: expiration)
        return WalletCredential(
            wallet: .googlePay, number: number, expiry: try expiry(), kind: kind, singleUse: singleUse, amount: nil)
    }

    private func expiry() throws(WalletTokenError) -> CardExpiry {
        let month: Int64 = try details.integer("expirationMonth")
        let year: Int64 = try details.integer("expirationYear")
        guard (1...12).contains(month) else { throw details.fault("expirationMonth") }
        guard let expiry = CardExpiry(year: Int(year), month: Int(month)) else {
            throw details.fault("expirationYear")
        }
        return expiry
    }
}

extension TokenFields {
    /// The electronic commerce indicator, one or two digits; `nil` where the network gives none.
    func eci() throws(WalletTokenError) -> String? {
        guard let text = try optionalText("eciIndicator"), !text.isEmpty else { return nil }
        guard text.utf8.count <= 2, text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw fault("eciIndicator")
        }
        return text
    }
}
