import BillingCore
import JSON

/// What the directory says of a range of card numbers.
package struct CardRange: Sendable, Equatable {
    /// First and last number, 13 to 19 digits, the same count in both.
    package let first: String
    package let last: String
    /// The versions that the issuer speaks.
    package let versions: ClosedRange<MessageVersion>
    /// Where the issuer's script is, if it has one.
    package let methodURL: String?
    /// `acsInfoInd`: 01 authentication, 02 attempts, 03 decoupled, 04 trusted beneficiaries.
    package let abilities: Set<String>

    package init(
        first: String, last: String, versions: ClosedRange<MessageVersion>, methodURL: String? = nil,
        abilities: Set<String> = []
    ) {
        self.first = first
        self.last = last
        self.versions = versions
        self.methodURL = methodURL
        self.abilities = abilities
    }

    /// The newest version that both sides speak.
    package var version: MessageVersion { versions.upperBound }

    /// Whether the issuer can ask the cardholder on a way of its own.
    package var canDecouple: Bool { abilities.contains("03") && version >= .v220 }
}

/// `PReq`: asks for the ranges, or for what has changed since a serial number.
package struct PreparationRequest: Sendable {
    package let id: TransactionID
    let serialNumber: String?
    let profile: RequestorProfile

    /// - Parameter serialNumber: ``CardRangeCache/serialNumber``; `nil` for all ranges.
    package init(id: TransactionID = .new(), since serialNumber: String?, as profile: RequestorProfile) {
        self.id = id
        self.serialNumber = serialNumber
        self.profile = profile
    }

    /// The message.
    /// - Throws: ``InvalidField``.
    package func serialized() throws(InvalidField) -> [UInt8] {
        var fields = FieldWriter()
        try fields.text("messageType", "PReq", 4...4)
        fields.code("messageVersion", MessageVersion.v220)
        try fields.text("threeDSServerTransID", id.description, 36...36)
        try fields.text("threeDSServerRefNumber", profile.serverReference, 1...32)
        try fields.text("threeDSServerOperatorID", profile.serverOperator, 1...32)
        try fields.text("serialNum", serialNumber, 1...20)
        return fields.finished()
    }
}

/// `PRes`: the ranges, or how they changed.
struct PreparationResponse {
    /// `actionInd`.
    enum Action: String {
        case add = "A"
        case modify = "M"
        case delete = "D"
    }

    /// The longest PRes: schemes list a hundred thousand ranges.
    static let maxBytes = 32 << 20

    let serialNumber: String?
    /// In order. A range that speaks no version of ours is dropped as if it were not there.
    let changes: [(action: Action, range: CardRange?, key: RangeKey)]

    /// Reads the answer to a PReq.
    init(_ bytes: [UInt8], to id: TransactionID) throws(ErrorMessage) {
        let message = try MessageReader(bytes, expected: ["PRes", "Erro"], maxBytes: Self.maxBytes)
        if message.type == "Erro" { throw try ErrorMessage(reading: message) }
        guard message.transaction == id else { throw message.fault(.unknownTransaction, "threeDSServerTransID") }
        try message.refuseCriticalExtensions()
        let _: TransactionID = try message.value("dsTransID", TransactionID.init)
        serialNumber = try message.optionalText("serialNum", 1...20)
        var changes: [(Action, CardRange?, RangeKey)] = []
        if message.has("cardRangeData") {
            guard let list = try message.element("cardRangeData").arrayValue else {
                throw message.fault(.malformed, "cardRangeData")
            }
            changes.reserveCapacity(list.count)
            for element in list {
                guard let change = Self.change(element) else { throw message.fault(.malformed, "cardRangeData") }
                changes.append(change)
            }
        }
        self.changes = changes
    }

    private static func change(_ element: JSONValue) -> (Action, CardRange?, RangeKey)? {
        guard let first = element["startRange"]?.stringValue, let last = element["endRange"]?.stringValue,
            let key = RangeKey(first: first, last: last),
            let action = Action(rawValue: element["actionInd"]?.stringValue ?? "A")
        else { return nil }
        var methodURL: String?
        if let address = element["threeDSMethodURL"] {
            guard let text = address.stringValue, WebAddress(text, max: 256) != nil else { return nil }
            methodURL = text
        }
        let abilities: [String] = (element["acsInfoInd"]?.arrayValue ?? []).compactMap(\.stringValue)
        guard let oldest = element["acsStartProtocolVersion"]?.stringValue,
            let newest = element["acsEndProtocolVersion"]?.stringValue
        else { return action == .delete ? (action, nil, key) : nil }
        guard let versions = spoken(oldest, newest) else { return (action, nil, key) }
        let range = CardRange(
            first: first, last: last, versions: versions, methodURL: methodURL, abilities: Set(abilities))
        return (action, range, key)
    }

    /// Our versions between two of the issuer's; version texts of one length are in the order of their text.
    private static func spoken(_ oldest: String, _ newest: String) -> ClosedRange<MessageVersion>? {
        let ours: [MessageVersion] = MessageVersion.allCases.filter { oldest <= $0.rawValue && $0.rawValue <= newest }
        guard let first = ours.min(), let last = ours.max() else { return nil }
        return first...last
    }
}

/// A range's ends as numbers. Numbers of different length are never in one range.
struct RangeKey: Hashable {
    let length: Int
    let first: UInt64
    let last: UInt64

    init?(first: String, last: String) {
        guard first.utf8.count == last.utf8.count, let low = Self.number(first), let high = Self.number(last),
            low <= high
        else { return nil }
        length = first.utf8.count
        self.first = low
        self.last = high
    }

    init(length: Int, first: UInt64, last: UInt64) {
        self.length = length
        self.first = first
        self.last = last
    }

    /// 13 to 19 digits; 19 fit 64 bits.
    static func number(_ digits: String) -> UInt64? {
        guard (13...19).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        return UInt64(digits)
    }
}
