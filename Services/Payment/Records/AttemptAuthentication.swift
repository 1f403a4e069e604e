package import BillingCore
import JSON

/// What is known of the customer's authentication for an attempt: what was decided, what came of it, who bears fraud.
package struct AttemptAuthentication: Sendable, Hashable {
    /// `exempt`, `required` or `out_of_scope`; `nil` where nothing was decided here.
    package var decision: String?
    /// The exemption, the cause, or why the law does not ask.
    package var reason: String?
    /// Who authenticated: `three_d_secure`, `wallet`, `provider`, `sandbox`.
    package var method: String?
    /// The word: `authenticated`, `attempted`, `not_authenticated`, `rejected`, `unavailable/…`.
    package var result: String?
    /// The scheme's indicator.
    package var indicator: String?
    /// `issuer` or `merchant`; `nil` while it is open.
    package var liability: String?
    /// What it adds to the counters of low value when it goes through as it is.
    package var counted: Money?
    /// Whether the customer was asked to do something; `nil` where that is not known.
    package var isChallenged: Bool?
    /// The issuer let it pass, or noted an attempt, without asking the customer: it may bear fraud, but that was no strong
    /// customer authentication.
    package var isFrictionless: Bool { result == "attempted" || isChallenged == false }

    package init(decision: String? = nil, reason: String? = nil) {
        self.decision = decision
        self.reason = reason
    }

    /// Reads what is stored; members nobody knows are left out.
    package init?(stored text: String) {
        guard let json: JSONValue = try? parseJSON(text), json.objectValue != nil else { return nil }
        decision = json["decision"]?.stringValue
        reason = json["reason"]?.stringValue
        method = json["by"]?.stringValue
        result = json["result"]?.stringValue
        indicator = json["eci"]?.stringValue
        liability = json["liability"]?.stringValue
        isChallenged = json["challenged"]?.boolValue
        if let minor = json["counted"]?.intValue,
            let currency = json["counted_in"]?.stringValue.flatMap({ Currency($0) })
        {
            counted = Money(minor: minor, currency: currency)
        }
    }

    /// The members that are known, as text.
    package var stored: String {
        let texts: [(String, String?)] = [
            ("decision", decision), ("reason", reason), ("by", method), ("result", result), ("eci", indicator),
            ("liability", liability), ("counted_in", counted?.currency.code),
        ]
        var members: [JSONMember] = texts.compactMap { name, text in
            text.map { JSONMember(name: name, value: .string($0)) }
        }
        if let isChallenged { members.append(JSONMember(name: "challenged", value: .bool(isChallenged))) }
        if let counted { members.append(JSONMember(name: "counted", value: .number(String(counted.minor)))) }
        return JSONValue.object(members).description
    }
}
