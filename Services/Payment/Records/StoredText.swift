import BillingCore
package import JSON
package import PaymentContract

/// How what a customer has to do is stored, and shown: a JSON object with its kind.
extension NextAction {
    /// The stored text.
    package var stored: String { json.description }

    /// The stored text, with the page of this service where a challenge has one.
    package func stored(challengeAt url: String?) -> String {
        guard self == .challenge, let url else { return stored }
        let json: JSONValue = ["type": "three_d_secure", "url": .string(url)]
        return json.description
    }

    /// The page that ``stored(challengeAt:)`` wrote down.
    package static func challengeURL(stored text: String) -> String? {
        (try? parseJSON(text))?["url"]?.stringValue
    }

    /// The kinds by their names.
    package enum Kind: String, Sendable, CaseIterable {
        case redirect
        case challenge = "three_d_secure"
        case transfer
    }

    /// Its kind.
    package var kind: Kind {
        switch self {
        case .redirect: .redirect
        case .challenge: .challenge
        case .transfer: .transfer
        }
    }

    /// Where the customer goes; `nil` for a kind without an address.
    package var url: String? {
        if case .redirect(let url) = self { return url }
        return nil
    }

    /// What is to be transferred; `nil` for any other kind.
    package var transfer: CryptoTransfer? {
        if case .transfer(let transfer) = self { return transfer }
        return nil
    }

    /// The object.
    package var json: JSONValue {
        switch self {
        case .redirect(let url): ["type": "redirect", "url": .string(url)]
        case .challenge: ["type": "three_d_secure"]
        case .transfer(let transfer):
            [
                "type": "transfer", "asset": .string(transfer.asset), "address": .string(transfer.address),
                "amount": .string(transfer.amount), "uri": .string(transfer.uri),
                "expires_at": .string(transfer.expiresAt.rfc3339),
            ]
        }
    }

    /// Reads what ``stored`` wrote; `nil` for anything else.
    package init?(stored text: String) {
        guard let json: JSONValue = try? parseJSON(text), let type: String = json["type"]?.stringValue else {
            return nil
        }
        switch type {
        case "redirect":
            guard let url: String = json["url"]?.stringValue else { return nil }
            self = .redirect(url: url)
        case "three_d_secure": self = .challenge
        case "transfer":
            guard let transfer = CryptoTransfer(stored: json) else { return nil }
            self = .transfer(transfer)
        default: return nil
        }
    }
}

extension CryptoTransfer {
    fileprivate init?(stored json: JSONValue) {
        guard let asset: String = json["asset"]?.stringValue, let address: String = json["address"]?.stringValue,
            let amount: String = json["amount"]?.stringValue, let uri: String = json["uri"]?.stringValue,
            let expiresAt: Instant = (json["expires_at"]?.stringValue).flatMap({ Instant(rfc3339: $0) })
        else { return nil }
        self.init(asset: asset, address: address, amount: amount, uri: uri, expiresAt: expiresAt)
    }
}

/// How a payer is stored.
extension ChargePayer {
    package var stored: String {
        let fields: [(String, String?)] = [
            ("name", name), ("email", email), ("country", country), ("line1", line1), ("city", city),
            ("postal_code", postalCode),
        ]
        let members: [JSONMember] = fields.compactMap { name, value in
            value.map { JSONMember(name: name, value: .string($0)) }
        }
        return JSONValue.object(members).description
    }

    package init?(stored text: String) {
        guard let json: JSONValue = try? parseJSON(text), let country: String = json["country"]?.stringValue else {
            return nil
        }
        self.init(
            name: json["name"]?.stringValue, email: json["email"]?.stringValue, country: country,
            line1: json["line1"]?.stringValue, city: json["city"]?.stringValue,
            postalCode: json["postal_code"]?.stringValue)
    }
}
