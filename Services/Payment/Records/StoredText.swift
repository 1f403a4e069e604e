import BillingCore
package import JSON
package import PaymentContract

/// How what a customer has to do is stored, and shown: a JSON object with its kind.
extension NextAction {
    /// The stored text.
    package var stored: String { json.description }

    /// The kind's name.
    package var kind: String {
        switch self {
        case .redirect: "redirect"
        case .challenge: "three_d_secure"
        }
    }

    /// Where the customer goes; `nil` for a kind without an address.
    package var url: String? {
        if case .redirect(let url) = self { return url }
        return nil
    }

    /// The object.
    package var json: JSONValue {
        switch self {
        case .redirect(let url): ["type": "redirect", "url": .string(url)]
        case .challenge: ["type": "three_d_secure"]
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
        default: return nil
        }
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
