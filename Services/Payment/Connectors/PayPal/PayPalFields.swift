import PaymentContract
import BillingCore
import PaymentDomain
import JSON

/// Reads the fields of one resource; the fault names the field, never what stood in it.
struct PayPalFields {
    private let json: JSONValue
    private let resource: String

    init(_ json: JSONValue, of resource: String) {
        self.json = json
        self.resource = resource
    }

    func text(_ name: String) throws(ProviderFault) -> String {
        guard let text = json[name]?.stringValue, !text.isEmpty else { throw fault(name) }
        return text
    }

    /// The resource's own id, fit for a path.
    func id() throws(ProviderFault) -> String {
        let id: String = try text("id")
        guard PayPalWire.isID(id) else { throw fault("id") }
        return id
    }

    /// A word out of a closed list.
    func word<Word: RawRepresentable>(_ name: String) throws(ProviderFault) -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: try text(name)) else { throw fault(name) }
        return word
    }

    func money(_ name: String) throws(ProviderFault) -> Money {
        guard let money = json[name].flatMap(Self.money) else { throw fault(name) }
        return money
    }

    static func money(_ json: JSONValue) -> Money? {
        guard let code = json["currency_code"]?.stringValue, let value = json["value"]?.stringValue else { return nil }
        return PayPalAmount.money(code: code, value: value)
    }

    /// A code; `nil` when there is none or it is no code.
    static func code(_ json: JSONValue?) -> String? {
        guard let text = json?.stringValue, PayPalWire.isCode(text) else { return nil }
        return text
    }

    /// A card's brand, by the names of `CardNumber.brand`; `nil` where PayPal does not tell it.
    static func brand(_ card: JSONValue?) -> String? {
        guard let brand: String = code(card?["brand"])?.lowercased() else { return nil }
        return brand == "china_union_pay" ? "unionpay" : brand
    }

    /// Why the status is what it is.
    var reason: String? { Self.code(json["status_details"]?["reason"]) }

    /// The card network's id of the transaction.
    var networkTransactionID: String? {
        let id: String? = json["network_transaction_reference"]?["id"]?.stringValue
        return id.flatMap { PayPalWire.isNetworkTransactionID($0) ? $0 : nil }
    }

    /// The resources of a nested list; none when it is absent.
    func list<Item>(
        _ outer: String, _ inner: String, _ read: (JSONValue) throws(ProviderFault) -> Item
    ) throws(ProviderFault) -> [Item] {
        guard let value = json[outer]?[inner] else { return [] }
        guard let elements = value.arrayValue else { throw fault(inner) }
        var items: [Item] = []
        for element in elements { items.append(try read(element)) }
        return items
    }

    /// Where a link of this relation leads; `nil` when there is none.
    func link(_ relation: String) -> String? {
        let links: [JSONValue] = json["links"]?.arrayValue ?? []
        return links.first { $0["rel"]?.stringValue == relation }?["href"]?.stringValue
    }

    /// The id at the end of the link to the resource this one came out of.
    var parent: String? { link("up")?.split(separator: "/").last.map(String.init) }

    /// The id of the authorization that this capture takes from, where it does.
    var authorization: String? {
        let told: String? = json["supplementary_data"]?["related_ids"]?["authorization_id"]?.stringValue
        let isDirect: Bool = link("up")?.contains("/v2/payments/authorizations/") ?? false
        let id: String? = isDirect ? parent : told
        return id.flatMap { PayPalWire.isID($0) ? $0 : nil }
    }

    /// The id of the order this one came out of, directly or not.
    var order: String? {
        let told: String? = json["supplementary_data"]?["related_ids"]?["order_id"]?.stringValue
        let isDirect: Bool = link("up")?.contains("/v2/checkout/orders/") ?? false
        let id: String? = told ?? (isDirect ? parent : nil)
        return id.flatMap { PayPalWire.isID($0) ? $0 : nil }
    }

    private func fault(_ name: String) -> ProviderFault { .unusable("\(resource).\(name)") }
}

/// Comparing what PayPal answers with what it was asked.
enum PayPalCheck {
    /// - Throws: ``ProviderFault/unusable(_:)`` naming what differs: another amount, another currency, another id.
    static func equal<Value: Equatable>(
        _ answered: Value?, _ asked: Value, _ field: String
    ) throws(ProviderFault) {
        guard answered == asked else { throw .unusable("another \(field)") }
    }
}
