/// Readers for words from a list, maps, objects, lists and values of other targets.
extension InputFields {
    /// Reads a word out of a closed list.
    public mutating func enumeration<E>(_ name: String, of type: E.Type, doc: String = "") -> E
    where E: CaseIterable & RawRepresentable & Sendable, E.RawValue == String {
        if isDescribing { record(name, required: true, doc: doc, JSONSchema.enumeration(type)) }
        if !isDescribing, let value = takeRequired(name), let word = word(value, name, type) { return word }
        return JSONSchema.firstCase(type)
    }

    /// Reads a word out of a closed list that has a default.
    public mutating func enumeration<E>(_ name: String, of type: E.Type, default fallback: E, doc: String = "") -> E
    where E: CaseIterable & RawRepresentable & Sendable, E.RawValue == String {
        if isDescribing {
            let schema = JSONSchema.adding(JSONSchema.enumeration(type), "default", .string(fallback.rawValue))
            record(name, required: false, doc: doc, schema)
        }
        guard !isDescribing, let value = take(name) else { return fallback }
        return word(value, name, type) ?? fallback
    }

    /// Reads a word out of a closed list that may be left out.
    public mutating func optionalEnumeration<E>(_ name: String, of type: E.Type, doc: String = "") -> E?
    where E: CaseIterable & RawRepresentable & Sendable, E.RawValue == String {
        if isDescribing { record(name, required: false, doc: doc, JSONSchema.enumeration(type)) }
        guard !isDescribing, let value = take(name) else { return nil }
        return word(value, name, type)
    }

    /// Reads a map of strings, such as `metadata`; absent is empty. Lengths count Unicode scalars.
    public mutating func stringMap(
        _ name: String, maxKeys: Int = 50, maxKey: Int = 40, maxValue: Int = 500, doc: String = ""
    ) -> [String: String] {
        optionalStringMap(name, maxKeys: maxKeys, maxKey: maxKey, maxValue: maxValue, doc: doc) ?? [:]
    }

    /// Reads a map of strings and tells absent from empty, for partial updates; see
    /// ``stringMap(_:maxKeys:maxKey:maxValue:doc:)``.
    public mutating func optionalStringMap(
        _ name: String, maxKeys: Int = 50, maxKey: Int = 40, maxValue: Int = 500, doc: String = ""
    ) -> [String: String]? {
        if isDescribing {
            let schema = JSONSchema.stringMap(maxKeys: maxKeys, maxKey: maxKey, maxValue: maxValue)
            record(name, required: false, doc: doc, schema)
        }
        guard !isDescribing, let value = take(name), let members = members(value, name) else { return nil }
        if members.count > maxKeys {
            refuse(name, code: FaultCode.tooMany, message: "must have at most \(maxKeys) keys")
            return nil
        }
        var map: [String: String] = [:]
        map.reserveCapacity(members.count)
        for member in members {
            if text(.string(member.name), name, min: 1, max: maxKey) == nil { continue }
            map[member.name] = text(member.value, "\(name).\(member.name)", min: 0, max: maxValue)
        }
        return map
    }

    /// Reads a nested object.
    public mutating func object<T: JSONInput>(_ name: String, as type: T.Type, doc: String = "") -> T {
        let isDescribing = isDescribing
        if !isDescribing, let value = takeRequired(name), let object = object(value, name, type) { return object }
        let (placeholder, schema) = Self.describe(type, unknownFields: unknownFields)
        if isDescribing { record(name, required: true, doc: doc, schema) }
        return placeholder
    }

    /// Reads a nested object that may be left out.
    public mutating func optionalObject<T: JSONInput>(_ name: String, as type: T.Type, doc: String = "") -> T? {
        if isDescribing {
            record(name, required: false, doc: doc, Self.describe(type, unknownFields: unknownFields).schema)
        }
        guard !isDescribing, let value = take(name) else { return nil }
        return object(value, name, type)
    }

    /// Reads a list of objects; a fault inside is reported like `items[2].price`.
    public mutating func list<T: JSONInput>(
        _ name: String, of type: T.Type, count: ClosedRange<Int> = 0...1_000, doc: String = ""
    ) -> [T] {
        if isDescribing {
            let item = Self.describe(type, unknownFields: unknownFields).schema
            record(name, required: true, doc: doc, JSONSchema.array(of: item, count: count))
        }
        guard !isDescribing, let value = takeRequired(name) else { return [] }
        return objects(value, name, type, count) ?? []
    }

    /// Reads a list of objects that may be left out; see ``list(_:of:count:doc:)``.
    public mutating func optionalList<T: JSONInput>(
        _ name: String, of type: T.Type, count: ClosedRange<Int> = 0...1_000, doc: String = ""
    ) -> [T]? {
        if isDescribing {
            let item = Self.describe(type, unknownFields: unknownFields).schema
            record(name, required: false, doc: doc, JSONSchema.array(of: item, count: count))
        }
        guard !isDescribing, let value = take(name) else { return nil }
        return objects(value, name, type, count)
    }

    /// Reads a list of strings; lengths count Unicode scalars.
    /// - Parameter required: Whether absence is a fault; otherwise an absent list is empty. By default it is where the list
    ///   must have an element.
    public mutating func strings(
        _ name: String, count: ClosedRange<Int> = 0...1_000, max: Int = 500, required: Bool? = nil, doc: String = ""
    ) -> [String] {
        let isRequired: Bool = required ?? (count.lowerBound > 0)
        if isDescribing {
            let schema = JSONSchema.array(of: JSONSchema.string(min: 0, max: max), count: count)
            record(name, required: isRequired, doc: doc, schema)
        }
        guard !isDescribing else { return [] }
        let given = isRequired ? takeRequired(name) : take(name)
        guard let given, let elements = elements(given, name, count) else { return [] }
        return elements.enumerated().compactMap { text($1, "\(name)[\($0)]", min: 0, max: max) }
    }
}

/// Checks behind the readers: each returns the value, or reports a fault and returns nothing.
extension InputFields {
    private mutating func word<E>(_ value: JSONValue, _ name: String, _ type: E.Type) -> E?
    where E: CaseIterable & RawRepresentable, E.RawValue == String {
        guard case .string(let text) = value else {
            refuse(name, code: FaultCode.invalidType, message: "must be a string")
            return nil
        }
        if let word = E(rawValue: text) { return word }
        let allowed = E.allCases.map(\.rawValue).joined(separator: ", ")
        refuse(name, code: FaultCode.unknownValue, message: "must be one of: \(allowed)")
        return nil
    }

    private mutating func members(_ value: JSONValue, _ name: String) -> [JSONMember]? {
        if case .object(let members) = value { return members }
        refuse(name, code: FaultCode.invalidType, message: "must be an object")
        return nil
    }

    private mutating func object<T: JSONInput>(
        _ value: JSONValue, _ path: @autoclosure () -> String, _ type: T.Type
    ) -> T? {
        guard case .object(let members) = value else {
            refuse(path(), code: FaultCode.invalidType, message: "must be an object")
            return nil
        }
        var fields = InputFields(reading: members, unknownFields: unknownFields)
        let object = T(&fields)
        let faults = fields.finish()
        report(faults, under: path())
        return object
    }

    private mutating func objects<T: JSONInput>(
        _ value: JSONValue, _ name: String, _ type: T.Type, _ count: ClosedRange<Int>
    ) -> [T]? {
        guard let elements = elements(value, name, count) else { return nil }
        var objects: [T] = []
        objects.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            if let object = object(element, "\(name)[\(index)]", type) { objects.append(object) }
        }
        return objects
    }

    /// The elements of an array whose length is within bounds.
    mutating func elements(_ value: JSONValue, _ name: String, _ count: ClosedRange<Int>) -> [JSONValue]? {
        guard case .array(let elements) = value else {
            refuse(name, code: FaultCode.invalidType, message: "must be an array")
            return nil
        }
        if elements.count < count.lowerBound {
            refuse(name, code: FaultCode.tooFew, message: "must have at least \(count.lowerBound) elements")
            return nil
        }
        if elements.count > count.upperBound {
            refuse(name, code: FaultCode.tooMany, message: "must have at most \(count.upperBound) elements")
            return nil
        }
        return elements
    }
}
