/// Numbers and strings.
extension JSONParser {
    /// Reads a number and keeps its characters.
    mutating func number() throws(JSONFault) -> String {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let whole = at
        try digits(from: start)
        if bytes[whole] == UInt8(ascii: "0"), at - whole > 1 { throw JSONFault(.invalidNumber, at: start) }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try digits(from: start)
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try digits(from: start)
        }
        return String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
    }

    private mutating func digits(from start: Int) throws(JSONFault) {
        let first = at
        while at < bytes.count, bytes[at] &- 0x30 < 10 { at += 1 }
        guard at > first else {
            throw at == bytes.count ? JSONFault(.unexpectedEnd, at: at) : JSONFault(.invalidNumber, at: start)
        }
    }

    /// Reads a string, quotes included, and returns what it stands for.
    mutating func string() throws(JSONFault) -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = try text(UnsafeBufferPointer(rebasing: bytes[start..<at]), at: start)
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw JSONFault(byte == 0 ? .nulCharacter : .controlCharacter, at: at) }
            at += 1
        }
        throw JSONFault(.unexpectedEnd, at: at)
    }

    /// Reads the rest of a string that has at least one escape, at which the parser stands.
    private mutating func escapedString(from start: Int) throws(JSONFault) -> String {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<at]))
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                guard let text = String(validating: scratch, as: UTF8.self) else {
                    throw JSONFault(.invalidUTF8, at: start)
                }
                return text
            case UInt8(ascii: "\\"):
                try escape()
            default:
                guard byte >= 0x20 else { throw JSONFault(byte == 0 ? .nulCharacter : .controlCharacter, at: at) }
                scratch.append(byte)
                at += 1
            }
        }
        throw JSONFault(.unexpectedEnd, at: at)
    }

    /// Reads one escape, at whose backslash the parser stands, into `scratch`.
    private mutating func escape() throws(JSONFault) {
        let start = at
        guard at + 1 < bytes.count else { throw JSONFault(.unexpectedEnd, at: bytes.count) }
        at += 2
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): scratch.append(0x22)
        case UInt8(ascii: "\\"): scratch.append(0x5C)
        case UInt8(ascii: "/"): scratch.append(0x2F)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"): try unicodeEscape(from: start)
        default: throw JSONFault(.invalidEscape, at: start)
        }
    }

    private mutating func unicodeEscape(from start: Int) throws(JSONFault) {
        var code = try fourHexDigits(from: start)
        if code & 0xFC00 == 0xD800 {
            guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") else {
                throw JSONFault(.loneSurrogate, at: start)
            }
            at += 2
            let low = try fourHexDigits(from: start)
            guard low & 0xFC00 == 0xDC00 else { throw JSONFault(.loneSurrogate, at: start) }
            code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
        }
        guard code != 0 else { throw JSONFault(.nulCharacter, at: start) }
        guard let scalar = Unicode.Scalar(code) else { throw JSONFault(.loneSurrogate, at: start) }
        scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private mutating func fourHexDigits(from start: Int) throws(JSONFault) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard at < bytes.count else { throw JSONFault(.unexpectedEnd, at: at) }
            let byte = bytes[at]
            let lower = byte | 0x20
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): code = code << 4 | UInt32(byte &- 0x30)
            case _ where lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "f"):
                code = code << 4 | UInt32(lower &- 0x57)
            default: throw JSONFault(.invalidEscape, at: start)
            }
            at += 1
        }
        return code
    }

    /// Makes a string of bytes that hold no escape; refuses invalid UTF-8.
    private func text(_ slice: UnsafeBufferPointer<UInt8>, at start: Int) throws(JSONFault) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw JSONFault(.invalidUTF8, at: start) }
        return text
    }
}
