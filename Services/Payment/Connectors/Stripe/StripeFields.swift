import PaymentContract
import BillingCore
import PaymentDomain
import JSON

/// The members of a JSON object from Stripe, read strictly: what is not there, or of another kind, makes the answer
/// unusable, with the member's path as the reason.
struct StripeFields: Sendable, Equatable {
    let value: JSONValue
    private let path: String

    /// Reads a whole body.
    init(body: [UInt8]) throws(ProviderFault) {
        do throws(JSONFault) {
            value = try parseJSON(body, limits: JSONLimits(maxBytes: ProviderHTTPRequest.longestAnswer))
        } catch {
            throw .unusable("not JSON: \(error.code.rawValue)")
        }
        path = "$"
        guard value.objectValue != nil else { throw .unusable("not a JSON object") }
    }

    private init(_ value: JSONValue, path: String) throws(ProviderFault) {
        guard value.objectValue != nil else { throw .unusable("\(path) is not an object") }
        self.value = value
        self.path = path
    }

    /// Checks that this is an object of the kind and gives its id.
    func id(of kind: String) throws(ProviderFault) -> String {
        guard try text("object") == kind else { throw unusable("object", "is not \(kind)") }
        let id: String = try text("id")
        guard isStripeID(id) else { throw unusable("id", "is malformed") }
        return id
    }

    func text(_ name: String) throws(ProviderFault) -> String { try required(optionalText(name), name) }
    func integer(_ name: String) throws(ProviderFault) -> Int64 { try required(optionalInteger(name), name) }
    func fields(_ name: String) throws(ProviderFault) -> StripeFields { try required(optionalFields(name), name) }

    func flag(_ name: String) throws(ProviderFault) -> Bool {
        try required(read(name, \.boolValue, "is not a boolean"), name)
    }

    func optionalText(_ name: String) throws(ProviderFault) -> String? {
        try read(name, \.stringValue, "is not a string")
    }

    func optionalInteger(_ name: String) throws(ProviderFault) -> Int64? {
        try read(name, \.intValue, "is not an integer")
    }

    /// The nested object; `nil` when there is none or only its id.
    func optionalFields(_ name: String) throws(ProviderFault) -> StripeFields? {
        guard let nested: JSONValue = value[name], !nested.isNull, nested.stringValue == nil else { return nil }
        return try StripeFields(nested, path: "\(path).\(name)")
    }

    /// The id of another object, which stands there itself or expanded.
    func optionalReference(_ name: String) throws(ProviderFault) -> String? {
        guard let nested: StripeFields = try optionalFields(name) else { return try optionalText(name) }
        return try nested.text("id")
    }

    /// The objects of a list.
    func list(_ name: String) throws(ProviderFault) -> [StripeFields] {
        let elements: [JSONValue] = try required(read(name, \.arrayValue, "is not a list"), name)
        var fields: [StripeFields] = []
        for element in elements { fields.append(try StripeFields(element, path: "\(path).\(name)[]")) }
        return fields
    }

    /// An amount with the currency beside it.
    func money(_ name: String) throws(ProviderFault) -> Money {
        let code: String = try text("currency")
        let amount: Int64 = try integer(name)
        guard code == code.lowercased(), let currency = Currency(code.uppercased()) else {
            throw unusable("currency", "is unknown")
        }
        do throws(UnitRefusal) {
            return try StripeAmount.money(units: amount, currency: currency)
        } catch {
            throw unusable(name, error.stripeCode)
        }
    }

    /// Seconds since the Unix epoch, up to the year 9999.
    func instant(_ name: String) throws(ProviderFault) -> Instant {
        let seconds: Int64 = try integer(name)
        guard (0..<253_402_300_800).contains(seconds) else { throw unusable(name, "is no time") }
        return Instant(seconds: seconds)
    }

    /// The fault for a member that makes no sense.
    func unusable(_ name: String, _ reason: String) -> ProviderFault { .unusable("\(path).\(name) \(reason)") }

    private func read<Value>(
        _ name: String, _ kind: (JSONValue) -> Value?, _ reason: String
    ) throws(ProviderFault) -> Value? {
        guard let member: JSONValue = value[name], !member.isNull else { return nil }
        guard let result: Value = kind(member) else { throw unusable(name, reason) }
        return result
    }

    private func required<Value>(_ value: Value?, _ name: String) throws(ProviderFault) -> Value {
        guard let value else { throw unusable(name, "is missing") }
        return value
    }
}

/// Whether a text can be an id of Stripe's and stand in a path: 1 to 255 of `A-Z a-z 0-9 _`.
func isStripeID(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (1...255).contains(bytes.count) else { return false }
    return bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
