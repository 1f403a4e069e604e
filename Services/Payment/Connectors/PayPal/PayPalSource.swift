import JSON
import PaymentContract
import PaymentDomain

/// What a charge is taken from, in PayPal's words (`payment_source`).
enum PayPalSource {
    /// The customer's wallet page: PayPal's own or Venmo's.
    private static let wallets: Set<String> = ["paypal", "venmo"]

    /// - Parameter returnURL: Where the customer of a stored method comes back to from their bank.
    static func json(_ request: ChargeRequest, returnURL: String) throws(ProviderFault) -> JSONValue {
        switch request.source {
        case .redirect(let method, let returnURL): try wallet(method, returnURL: returnURL)
        case .stored(let token, _): try stored(token, request, returnURL: returnURL)
        case .walletCard(let card): try opened(card, request, returnURL: returnURL)
        }
    }

    private static func wallet(_ method: String, returnURL: String) throws(ProviderFault) -> JSONValue {
        guard wallets.contains(method) else { throw .rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED") }
        var context: [JSONMember] = [JSONMember(name: "shipping_preference", value: "NO_SHIPPING")]
        if method == "paypal" {
            // Whether the customer paid or turned back is read from the order, so one address serves both.
            context.append(JSONMember(name: "return_url", value: .string(returnURL)))
            context.append(JSONMember(name: "cancel_url", value: .string(returnURL)))
            context.append(JSONMember(name: "user_action", value: "PAY_NOW"))
            // Payments that settle days later are for direct debits, which other connectors serve.
            context.append(JSONMember(name: "payment_method_preference", value: "IMMEDIATE_PAYMENT_REQUIRED"))
        }
        let source: JSONValue = ["experience_context": .object(context)]
        return .object([JSONMember(name: method, value: source)])
    }

    private static func stored(
        _ text: String, _ request: ChargeRequest, returnURL: String
    ) throws(ProviderFault) -> JSONValue {
        let token = try PayPalToken(text)
        switch token.kind {
        case .paypal: return ["paypal": ["vault_id": .string(token.id)]]
        case .venmo: return ["venmo": ["vault_id": .string(token.id)]]
        case .billingAgreement: return ["paypal": ["billing_agreement_id": .string(token.id)]]
        case .card: return ["card": card(token.id, request, returnURL: returnURL)]
        }
    }

    /// Where a bank may ask for the customer, PayPal is told where they come back to; whether they paid or turned back is
    /// read from the order.
    private static func card(_ id: String, _ request: ChargeRequest, returnURL: String) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "vault_id", value: .string(id)),
            JSONMember(name: "stored_credential", value: credential(request)),
        ]
        guard request.initiation == .customer else { return .object(members) }
        let url: JSONValue = .string(returnURL)
        members.append(JSONMember(name: "experience_context", value: ["return_url": url, "cancel_url": url]))
        if request.stepUp {
            members.append(JSONMember(name: "attributes", value: ["verification": ["method": "SCA_ALWAYS"]]))
        }
        return .object(members)
    }

    /// What a wallet gave for this one charge, opened here: `apple_pay_request.decrypted_token` and
    /// `google_pay_request.decrypted_token` of Orders v2. A printed card's bank may ask for the customer.
    private static func opened(
        _ card: WalletCard, _ request: ChargeRequest, returnURL: String
    ) throws(ProviderFault) -> JSONValue {
        let month: String = card.expMonth < 10 ? "0\(card.expMonth)" : "\(card.expMonth)"
        let printed: JSONValue = [
            "number": .string(card.number.digits), "expiry": .string("\(card.expYear)-\(month)"),
        ]
        switch (card.wallet, card.cryptogram) {
        case (.applePay, let cryptogram?):
            let data: JSONValue = .object(
                [JSONMember(name: "cryptogram", value: .string(cryptogram))]
                    + indicator(card))
            return [
                "apple_pay": [
                    "decrypted_token": [
                        "tokenized_card": printed, "transaction_amount": try PayPalAmount.charged(request.amount),
                        "payment_data_type": "3DSECURE", "payment_data": data,
                    ]
                ]
            ]
        case (.googlePay, let cryptogram):
            var token: [JSONMember] = [
                JSONMember(name: "payment_method", value: "CARD"), JSONMember(name: "card", value: printed),
                JSONMember(
                    name: "authentication_method", value: cryptogram == nil ? "PAN_ONLY" : "CRYPTOGRAM_3DS"),
            ]
            if let cryptogram { token.append(JSONMember(name: "cryptogram", value: .string(cryptogram))) }
            var source: [JSONMember] = [JSONMember(name: "decrypted_token", value: .object(token + indicator(card)))]
            if cryptogram == nil {
                let url: JSONValue = .string(returnURL)
                source.append(
                    JSONMember(name: "experience_context", value: ["return_url": url, "cancel_url": url]))
                let method: JSONValue = request.stepUp ? "SCA_ALWAYS" : "SCA_WHEN_REQUIRED"
                source.append(JSONMember(name: "attributes", value: ["verification": ["method": method]]))
            }
            return ["google_pay": .object(source)]
        case (.applePay, nil), (nil, _): throw .rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED")
        }
    }

    private static func indicator(_ card: WalletCard) -> [JSONMember] {
        card.eci.map { [JSONMember(name: "eci_indicator", value: .string($0))] } ?? []
    }

    /// The card networks' framework for stored credentials, as `card_stored_credential` of Orders v2.
    private static func credential(_ request: ChargeRequest) -> JSONValue {
        guard case .merchant(let transaction) = request.initiation else {
            if request.keepsMethod {
                return ["payment_initiator": "CUSTOMER", "payment_type": "RECURRING", "usage": "FIRST"]
            }
            return ["payment_initiator": "CUSTOMER", "payment_type": "ONE_TIME", "usage": "SUBSEQUENT"]
        }
        var members: [JSONMember] = [
            JSONMember(name: "payment_initiator", value: "MERCHANT"),
            JSONMember(name: "payment_type", value: "RECURRING"), JSONMember(name: "usage", value: "SUBSEQUENT"),
        ]
        // Another network's shorter id is left out: PayPal would refuse the order for it, and its vault knows the first
        // payment itself.
        if let transaction, PayPalWire.isNetworkTransactionID(transaction) {
            let reference: JSONValue = ["id": .string(transaction)]
            members.append(JSONMember(name: "previous_network_transaction_reference", value: reference))
        }
        return .object(members)
    }
}

extension ChargeRequest {
    /// Whether it is taken from a card that PayPal keeps.
    var isOfCard: Bool {
        if case .stored(let token, _) = source { token.hasPrefix("card:") } else { false }
    }

    /// Whether it is taken from a wallet's card that was opened here.
    var isOfWallet: Bool {
        if case .walletCard = source { true } else { false }
    }
}
