/// A value that is read out of a JSON object by naming its fields once. The same initialiser decodes and describes.
///
/// The initialiser must not fail: on a fault it is handed a placeholder and its result is thrown away, so it may
/// neither trap on placeholders nor have side effects.
public protocol JSONInput: Sendable {
    /// Reads every field, in the order in which the schema is to list them.
    init(_ f: inout InputFields)
}

/// The fields of one JSON object being read, or of one JSON schema being described.
public struct InputFields: Sendable {
    /// How many faults are collected at most.
    public static let maxFaults = 100

    /// Whether the schema is being recorded; every reader then returns its placeholder.
    public let isDescribing: Bool
    let unknownFields: UnknownFields
    private let members: [JSONMember]
    private var next = 0
    private var taken = 0
    private var takenMask: UInt64 = 0
    private var takenBeyondMask: Set<Int> = []
    private var faults: [Fault] = []
    private var properties: [JSONMember] = []
    private var requiredNames: [JSONValue] = []

    init(reading members: [JSONMember], unknownFields: UnknownFields) {
        self.members = members
        self.unknownFields = unknownFields
        isDescribing = false
    }

    init(describingWith unknownFields: UnknownFields) {
        members = []
        self.unknownFields = unknownFields
        isDescribing = true
    }

    /// Whether any fault has been found so far; a cross-field check may be skipped then.
    public var hasFaults: Bool { !faults.isEmpty }

    /// Whether a fault of this member, or within it, has been found so far; what else is to be checked of it is skipped then.
    public func isFaulty(_ name: String) -> Bool {
        faults.contains { fault in
            guard fault.param.hasPrefix(name) else { return false }
            let next: UInt8? = fault.param.utf8.dropFirst(name.utf8.count).first
            return next == nil || next == UInt8(ascii: ".") || next == UInt8(ascii: "[")
        }
    }

    /// Whether the input has this member as an explicit `null`, which asks to clear a field. Does not count as reading.
    public func isNull(_ name: String) -> Bool { members.contains { $0.name == name && $0.value.isNull } }

    /// Reports a fault that concerns several fields or goes beyond what a reader checks. Does nothing when describing.
    public mutating func refuse(_ param: String, code: String, message: String) {
        report(Fault(param: param, code: code, message: message))
    }
}

/// Reads an object's fields.
/// - Parameters:
///   - type: What to read.
///   - json: The parsed input.
///   - unknownFields: What to do with members the declaration does not name.
/// - Throws: ``InvalidInput`` with every fault.
public func decode<T: JSONInput>(
    _ type: T.Type, from json: JSONValue, unknownFields: UnknownFields = .refuse
) throws(InvalidInput) -> T {
    try decode(from: json, unknownFields: unknownFields) { T(&$0) }
}

/// Reads an object's fields with a closure, where a type of its own would say nothing more.
/// - Throws: ``InvalidInput`` with every fault; what the closure returned is thrown away then.
public func decode<T>(
    from json: JSONValue, unknownFields: UnknownFields = .refuse, _ read: (inout InputFields) -> T
) throws(InvalidInput) -> T {
    guard case .object(let members) = json else {
        throw InvalidInput(faults: [Fault(code: FaultCode.invalidType, message: "must be an object")])
    }
    var fields = InputFields(reading: members, unknownFields: unknownFields)
    let value = read(&fields)
    let faults = fields.finish()
    guard faults.isEmpty else { throw InvalidInput(faults: faults) }
    return value
}

/// The JSON schema (draft 2020-12, as OpenAPI 3.1 uses it) of an input.
public func schema<T: JSONInput>(of type: T.Type, unknownFields: UnknownFields = .refuse) -> JSONValue {
    InputFields.describe(type, unknownFields: unknownFields).schema
}

extension InputFields {
    /// Runs the declaration in describing mode.
    static func describe<T: JSONInput>(_ type: T.Type, unknownFields: UnknownFields) -> (value: T, schema: JSONValue) {
        var fields = InputFields(describingWith: unknownFields)
        let value = T(&fields)
        return (value, fields.recordedSchema)
    }

    private var recordedSchema: JSONValue {
        var schema = [JSONMember(name: "type", value: "object")]
        if !requiredNames.isEmpty { schema.append(JSONMember(name: "required", value: .array(requiredNames))) }
        schema.append(JSONMember(name: "properties", value: .object(properties)))
        if unknownFields == .refuse { schema.append(JSONMember(name: "additionalProperties", value: false)) }
        return .object(schema)
    }

    /// Records one property of the schema.
    mutating func record(_ name: String, required: Bool, doc: String, _ schema: JSONValue) {
        precondition(!properties.contains { $0.name == name }, "a field is declared twice: \(name)")
        let property = required ? schema : JSONSchema.nullable(schema)
        properties.append(JSONMember(name: name, value: JSONSchema.documented(property, doc)))
        if required { requiredNames.append(.string(name)) }
    }

    /// The member's value, or nothing when it is absent or `null`. Marks it as known.
    mutating func take(_ name: String) -> JSONValue? {
        var index = next
        if index >= members.count || members[index].name != name {
            guard let found = members.firstIndex(where: { $0.name == name }) else { return nil }
            index = found
        }
        next = index + 1
        mark(index)
        let value = members[index].value
        return value.isNull ? nil : value
    }

    /// Like ``take(_:)``, and reports the absence.
    mutating func takeRequired(_ name: String) -> JSONValue? {
        if let value = take(name) { return value }
        report(Fault(param: name, code: FaultCode.required, message: "is required"))
        return nil
    }

    mutating func report(_ fault: Fault) {
        if !isDescribing, faults.count < Self.maxFaults { faults.append(fault) }
    }

    /// Reports the faults of something nested, each under the path that led there.
    mutating func report(_ nested: [Fault], under path: @autoclosure () -> String) {
        guard !nested.isEmpty else { return }
        let path = path()
        for fault in nested { report(fault.under(path)) }
    }

    /// Ends reading: adds the unknown members to the faults and hands all of them over.
    mutating func finish() -> [Fault] {
        if unknownFields == .refuse, taken < members.count {
            for (index, member) in members.enumerated() where !isTaken(index) {
                let name = String(member.name.unicodeScalars.prefix(Self.maxEchoedName))
                report(Fault(param: name, code: FaultCode.unknownField, message: "is not a field of this object"))
            }
        }
        return faults
    }

    /// How many characters of an unknown member's name are repeated in its fault.
    static var maxEchoedName: Int { 80 }

    private mutating func mark(_ index: Int) {
        guard !isTaken(index) else { return }
        taken += 1
        if index < 64 { takenMask |= 1 << UInt64(index) } else { takenBeyondMask.insert(index) }
    }

    private func isTaken(_ index: Int) -> Bool {
        index < 64 ? takenMask & (1 << UInt64(index)) != 0 : takenBeyondMask.contains(index)
    }
}
