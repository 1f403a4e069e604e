import JSON

/// What pages need to show wallets' buttons.
package struct LinkWallets: Sendable {
    /// Google Pay, with tokens that are opened here, or that a provider is the gateway for.
    package struct GooglePay: Sendable {
        /// Whom Google encrypts for.
        package enum Recipient: Sendable {
            /// This merchant (`DIRECT`), by the public half of the key in use: an uncompressed point in base 64.
            case direct(publicKey: String)
            /// This service as a gateway, by the id Google gave it, with the merchant's id here.
            case gateway(id: String, merchantID: String)
            /// A provider that takes the card, by what Google is told of it as a gateway.
            case provider([String: String])
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
                case .provider(let parameters):
                    [
                        "type": "PAYMENT_GATEWAY",
                        "parameters": .object(
                            parameters.sorted { $0.key < $1.key }.map {
                                JSONMember(name: $0.key, value: .string($0.value))
                            }),
                    ]
                }
            let isForProvider: Bool = if case .provider = recipient { true } else { false }
            return [
                "environment": isTest ? "TEST" : "PRODUCTION", "merchant": .text(merchantID),
                "tokenization": tokenization, "for_provider": .bool(isForProvider),
            ]
        }
    }

    /// Whom Google shows its sheet for, where a provider is the gateway.
    package struct GoogleMerchant: Sendable {
        /// The merchant's id with Google; its test surroundings take none.
        package let id: String?
        /// Google's test surroundings, whose cards are not real.
        package let isTest: Bool

        package init(id: String?, isTest: Bool) {
            self.id = id
            self.isTest = isTest
        }
    }

    /// ISO 3166: where the merchant takes payments.
    package let country: String
    /// With tokens that are opened here.
    package let google: GooglePay?
    /// For tokens that a provider is the gateway for; `nil`: pages ask for none.
    package let googleMerchant: GoogleMerchant?
    package let apple: (any AppleMerchant)?

    package init(
        country: String, google: GooglePay?, googleMerchant: GoogleMerchant? = nil, apple: (any AppleMerchant)?
    ) {
        self.country = country
        self.google = google
        self.googleMerchant = googleMerchant
        self.apple = apple
    }
}
