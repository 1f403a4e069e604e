import BillingCore
import JSON
import PaymentDomain
import PaymentWallets
import Testing

/// What all the tests share.
enum World {
    /// When all of it happens.
    static let now = Instant(seconds: 1_803_902_400)
    /// A network token's number with a right check digit, and a card's.
    static let token = "4895370012003478"
    static let card = "4111111111111111"
    static let cryptogram = "AgAAAAAABk4DWZ4C28yUQAAAAAA="

    static func text(_ json: JSONValue) -> String { String(decoding: json.serialized, as: UTF8.self) }
}

extension JSONValue {
    /// The same object with one member set, added or (`nil`) taken out.
    func with(_ name: String, _ value: JSONValue?) -> JSONValue {
        var members: [JSONMember] = objectValue ?? []
        let place: Int? = members.firstIndex { $0.name == name }
        switch (place, value) {
        case (let place?, let value?): members[place].value = value
        case (let place?, nil): members.remove(at: place)
        case (nil, let value?): members.append(JSONMember(name: name, value: value))
        case (nil, nil): break
        }
        return .object(members)
    }

    /// The same with a member of a nested object changed.
    func with(_ outer: String, _ name: String, _ value: JSONValue?) -> JSONValue {
        with(outer, (self[outer] ?? .object([])).with(name, value))
    }
}

extension WalletCredential {
    /// Everything that tells one credential from another, for comparing.
    var facts: String {
        var kindText = "card"
        if case .networkToken(let cryptogram, let eci) = kind { kindText = "\(cryptogram.base64) \(eci ?? "-")" }
        let paid: String = amount.map(\.description) ?? "-"
        return "\(number.digits) \(expiry.year)-\(expiry.month) \(kindText) \(singleUse.id) \(paid)"
    }
}

/// Runs a body that has to end with this error.
func expectRefusal(
    _ expected: WalletTokenError, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> WalletCredential
) {
    #expect(throws: expected, sourceLocation: sourceLocation) { try body() }
}
