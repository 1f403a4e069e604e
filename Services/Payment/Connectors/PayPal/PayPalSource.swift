import PaymentContract
import JSON

/// What a charge is taken from, in PayPal's words (`payment_source`).
enum PayPalSource {
    /// The customer's wallet page: PayPal's own or Venmo's.
    private static let wallets: Set<String> = ["paypal", "venmo"]

    static func json(_ request: ChargeRequest) throws(ProviderFault) -> JSONValue {
        switch request.source {
        case .redirect(let method, let returnURL): try wallet(method, returnURL: returnURL)
        case .stored(let token, _): try stored(token, initiation: request.initiation)
        case .walletCard: throw .rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED")
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

    /// A stored method is `kind:id`, or a bare id for PayPal's wallet: `paypal`, `venmo` and `card` name payment tokens
    /// of the vault (`vault_id`), `billing_agreement` an agreement from before the vault.
    private static func stored(
        _ token: String, initiation: ChargeRequest.Initiation
    ) throws(ProviderFault) -> JSONValue {
        let parts: [Substring] = token.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let kind: String = parts.count == 2 ? String(parts[0]) : "paypal"
        guard let id = parts.last.map(String.init), isVaultID(id) else { throw .rejected(code: "TOKEN_ID_NOT_FOUND") }
        switch kind {
        case "paypal": return ["paypal": ["vault_id": .string(id)]]
        case "venmo": return ["venmo": ["vault_id": .string(id)]]
        case "billing_agreement": return ["paypal": ["billing_agreement_id": .string(id)]]
        case "card": return ["card": ["vault_id": .string(id), "stored_credential": credential(initiation)]]
        default: throw .rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED")
        }
    }

    /// The card networks' framework for stored credentials, as `card_stored_credential` of Orders v2.
    private static func credential(_ initiation: ChargeRequest.Initiation) -> JSONValue {
        guard case .merchant(let transaction) = initiation else {
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

    /// `vault_id`: `^[0-9a-zA-Z_-]+$`, at most 255.
    private static func isVaultID(_ text: String) -> Bool {
        guard (1...255).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            PayPalWire.isLetterOrDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
    }
}
