/// The place of a piece of work in a distributed trace, as W3C Trace Context carries it.
///
/// Set once where work enters the process (an HTTP request, a message) through ``current``; log lines take the trace
/// id from there, and outgoing calls and events send ``traceparent`` of a ``child()``.
public struct TraceContext: Sendable, Hashable {
    /// The upper 64 bits of the trace id.
    public let traceHigh: UInt64
    /// The lower 64 bits of the trace id.
    public let traceLow: UInt64
    /// The span id, never zero.
    public let span: UInt64
    /// The trace flags; bit 0 says that the trace is sampled.
    public let flags: UInt8

    /// The context of the running task; `nil` outside any traced work.
    @TaskLocal public static var current: TraceContext?

    /// Reads a `traceparent` header.
    /// - Parameter traceparent: `00-<32 hex>-<16 hex>-<2 hex>`, lower case; later versions may append fields.
    /// - Returns: `nil` when the text is malformed or an id is all zeroes, as the recommendation demands.
    public init?(traceparent: String) {
        var text = traceparent
        let parsed: TraceContext? = text.withUTF8 { (bytes: UnsafeBufferPointer<UInt8>) -> TraceContext? in
            guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
                let version = parseHex(bytes, 0, 2), version != 0xff,
                version == 0 ? bytes.count == 55 : (bytes.count == 55 || bytes[55] == dash),
                let high = parseHex(bytes, 3, 16), let low = parseHex(bytes, 19, 16), high | low != 0,
                let span = parseHex(bytes, 36, 16), span != 0,
                let flags = parseHex(bytes, 53, 2)
            else { return nil }
            return TraceContext(traceHigh: high, traceLow: low, span: span, flags: UInt8(truncatingIfNeeded: flags))
        }
        guard let parsed else { return nil }
        self = parsed
    }

    private init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.flags = flags
    }

    /// Starts a trace with random ids.
    /// - Parameter sampled: Whether the trace is to be recorded downstream.
    public static func new(sampled: Bool = true) -> TraceContext {
        TraceContext(
            traceHigh: FastRandom.next(), traceLow: FastRandom.nextNonZero(), span: FastRandom.nextNonZero(),
            flags: sampled ? 1 : 0)
    }

    /// A new span of the same trace.
    public func child() -> TraceContext {
        TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: FastRandom.nextNonZero(), flags: flags)
    }

    /// The trace id as 32 lower-case hexadecimal digits.
    public var traceID: String {
        hexText { (bytes: inout [UInt8]) in
            appendHex(traceHigh, to: &bytes)
            appendHex(traceLow, to: &bytes)
        }
    }

    /// The header value that carries this context to the next process.
    public var traceparent: String {
        hexText { (bytes: inout [UInt8]) in
            bytes.append(contentsOf: [digitZero, digitZero, dash])
            appendHex(traceHigh, to: &bytes)
            appendHex(traceLow, to: &bytes)
            bytes.append(dash)
            appendHex(span, to: &bytes)
            bytes.append(dash)
            bytes.append(hexDigit(UInt64(flags >> 4)))
            bytes.append(hexDigit(UInt64(flags & 15)))
        }
    }
}

private let dash = UInt8(ascii: "-")
private let digitZero = UInt8(ascii: "0")

/// Builds a short ASCII text in place.
private func hexText(_ build: (inout [UInt8]) -> Void) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(56)
    build(&bytes)
    return String(decoding: bytes, as: UTF8.self)
}

private func hexDigit(_ value: UInt64) -> UInt8 {
    let nibble = UInt8(truncatingIfNeeded: value & 15)
    return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}

/// Appends 16 hexadecimal digits.
func appendHex(_ value: UInt64, to bytes: inout [UInt8]) {
    for shift in stride(from: UInt64(60), through: 0, by: -4) { bytes.append(hexDigit(value >> shift)) }
}

/// Reads `count` lower-case hexadecimal digits (at most 16) starting at `offset`.
private func parseHex(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int, _ count: Int) -> UInt64? {
    var value: UInt64 = 0
    for index in offset..<(offset + count) {
        switch bytes[index] {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "a") + 10)
        default: return nil
        }
    }
    return value
}
