import JSON

/// What pages need to show wallets' buttons.
package struct LinkWallets: Sendable {
    /// Google Pay, with tokens that are opened here.
    package struct GooglePay: Sendable {
        /// Whom Google encrypts for.
        package enum Recipient: Sendable {
            /// This merchant (`DIRECT`), by the public half of the key in use: an uncompressed point in base 64.
            case direct(publicKey: String)
            /// This service as a gateway, by the id Google gave it, with the merchant's id here.
            case gateway(id: String, merchantID: String)
        }

        /// The merchant's id with Google; its test surroundings take none.
        package let merchantID: String?
        package let recipient: Recipient
        /// Google's test surroundings, whose cards are not real.
        package let isTest: Bool

        package init(merchantID: String?, recipient: Recipient, isTest: Bool) {
            self.merchantID = merchantID
            self.recipient = recipient
            self.isTest = isTest
        }

        /// The script that shows Google's sheet; Google allows it to be loaded from here only.
        static let script = "https://pay.google.com/gp/p/js/pay.js"

        var json: JSONValue {
            let tokenization: JSONValue =
                switch recipient {
                case .direct(let key):
                    ["type": "DIRECT", "parameters": ["protocolVersion": "ECv2", "publicKey": .string(key)]]
                case .gateway(let id, let merchant):
                    [
                        "type": "PAYMENT_GATEWAY",
                        "parameters": ["gateway": .string(id), "gatewayMerchantId": .string(merchant)],
                    ]
                }
            return [
                "environment": isTest ? "TEST" : "PRODUCTION", "merchant": .text(merchantID),
                "tokenization": tokenization,
            ]
        }
    }

    /// ISO 3166: where the merchant takes payments.
    package let country: String
    package let google: GooglePay?
    package let apple: (any AppleMerchant)?

    package init(country: String, google: GooglePay?, apple: (any AppleMerchant)?) {
        self.country = country
        self.google = google
        self.apple = apple
    }
}
