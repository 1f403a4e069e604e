/// A frame ends before what it promises, or promises what cannot be.
struct Unreadable: Error {}

/// Reads a frame's fields from front to back; every read checks that the frame has so much.
struct FrameReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset: Int

    /// Starts behind the frame's length.
    init(_ frame: UnsafeRawBufferPointer) {
        bytes = frame
        offset = 4
    }

    mutating func take(_ count: Int) throws(Unreadable) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - offset else { throw Unreadable() }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func skip(_ count: Int) throws(Unreadable) { _ = try take(count) }

    mutating func number<I: FixedWidthInteger>(_ type: I.Type) throws(Unreadable) -> I {
        I(bigEndian: try take(MemoryLayout<I>.size).loadUnaligned(as: I.self))
    }

    /// How many elements follow; an array that is null has none.
    mutating func count() throws(Unreadable) -> Int { max(Int(try number(Int32.self)), 0) }

    /// Skips a string that may be null.
    mutating func skipString() throws(Unreadable) { try skip(max(Int(try number(Int16.self)), 0)) }

    /// A topic's name. Kafka allows 249 bytes; a longer one names no topic.
    mutating func topic() throws(Unreadable) -> [UInt8] {
        let length: Int = Int(try number(Int16.self))
        guard length <= 249 else { throw Unreadable() }
        return Array(try take(length))
    }
}
