import BillingCore
import PaymentDomain

/// Decrypted Apple Pay payment data.
package struct ApplePayPayment {
    private let fields: TokenFields

    /// Reads the JSON object.
    package init(_ plain: [UInt8]) throws(WalletTokenError) {
        fields = try TokenFields(parsing: plain, path: "data")
    }

    /// The credential. Only `3DSecure` data is read; `EMV` data is for terminals in regions that use it.
    package func credential(_ singleUse: SingleUse) throws(WalletTokenError) -> WalletCredential {
        guard try fields.text("paymentDataType") == "3DSecure" else { throw .unsupportedMethod }
        let payment = try fields.object("paymentData")
        guard let cryptogram = WalletCryptogram(base64: try payment.text("onlinePaymentCryptogram")) else {
            throw payment.fault("onlinePaymentCryptogram")
        }
        guard let number = CardNumber(try fields.text("applicationPrimaryAccountNumber")) else {
            throw fields.fault("applicationPrimaryAccountNumber")
        }
        return WalletCredential(
            wallet: .applePay, number: number, expiry: try expiry(),
            kind: .networkToken(cryptogram: cryptogram, eci: try payment.eci()), singleUse: singleUse,
            amount: try amount())
    }

    /// `YYMMDD`, as EMV tag 5F24 has it.
    private func expiry() throws(WalletTokenError) -> CardExpiry {
        let digits: [UInt8] = Array(try fields.text("applicationExpirationDate").utf8)
        guard digits.count == 6, digits.allSatisfy({ (48...57).contains($0) }) else {
            throw fields.fault("applicationExpirationDate")
        }
        func pair(_ at: Int) -> Int { Int(digits[at]) * 10 + Int(digits[at + 1]) - 528 }
        guard (1...31).contains(pair(4)), let expiry = CardExpiry(year: 2000 + pair(0), month: pair(2)) else {
            throw fields.fault("applicationExpirationDate")
        }
        return expiry
    }

    /// Minor units of the currency, whose ISO 4217 numeric code is a string of three digits.
    private func amount() throws(WalletTokenError) -> Money {
        guard let currency = Currency(numericCode: try fields.text("currencyCode")) else {
            throw fields.fault("currencyCode")
        }
        let minor: Int64 = try fields.integer("transactionAmount")
        guard minor >= 0 else { throw fields.fault("transactionAmount") }
        return Money(minor: minor, currency: currency)
    }
}
