/// A request's parameters in the form encoding of Stripe's API: `a[b]=c`, lists as `a[0]=b`.
package struct StripeForm: Sendable, Equatable {
    /// The value of a parameter.
    package indirect enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int64)
        case flag(Bool)
        case list([Value])
        case fields(StripeForm)
    }

    private var parameters: [(name: String, value: Value)] = []

    /// Nothing yet.
    package init() {}

    /// Adds a parameter.
    package mutating func add(_ name: String, _ value: Value) { parameters.append((name, value)) }

    /// Adds a text where there is one.
    package mutating func add(_ name: String, _ text: String?) {
        if let text { add(name, .text(text)) }
    }

    /// Adds nested parameters where there are any.
    package mutating func add(_ name: String, _ fields: StripeForm) {
        if !fields.parameters.isEmpty { add(name, .fields(fields)) }
    }

    /// The parameters as `application/x-www-form-urlencoded`, for a body or a query.
    package var encoded: String {
        var pairs: [String] = []
        append(to: &pairs, under: nil)
        return pairs.joined(separator: "&")
    }

    private func append(to pairs: inout [String], under parent: String?) {
        for parameter in parameters {
            let name: String = Self.percentEncoded(parameter.name)
            Self.append(parameter.value, name: parent.map { "\($0)[\(name)]" } ?? name, to: &pairs)
        }
    }

    private static func append(_ value: Value, name: String, to pairs: inout [String]) {
        switch value {
        case .text(let text): pairs.append("\(name)=\(percentEncoded(text))")
        case .integer(let number): pairs.append("\(name)=\(number)")
        case .flag(let flag): pairs.append("\(name)=\(flag)")
        case .list(let elements):
            for (index, element) in elements.enumerated() { append(element, name: "\(name)[\(index)]", to: &pairs) }
        case .fields(let form): form.append(to: &pairs, under: name)
        }
    }

    /// Keeps the unreserved characters of RFC 3986 and writes every other byte of the UTF-8 as `%XX`.
    static func percentEncoded(_ text: String) -> String {
        let digits: [UInt8] = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func == (left: StripeForm, right: StripeForm) -> Bool { left.encoded == right.encoded }
}
