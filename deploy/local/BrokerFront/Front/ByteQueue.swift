/// Bytes that come in at the end and leave at the beginning, in memory that is used again.
struct ByteQueue: ~Copyable {
    /// More than this is given back once the queue is empty.
    private static let kept: Int = 1 << 20

    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    deinit { memory.deallocate() }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// What is there; valid until the queue is changed.
    var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[start..<end]) }

    /// Room behind the end, to be written to and then counted with ``grow(_:)``.
    mutating func room(for least: Int) -> UnsafeMutableRawBufferPointer {
        if memory.count - end < least { makeRoom(least) }
        return UnsafeMutableRawBufferPointer(rebasing: memory[end...])
    }

    /// So many bytes were written to the room.
    mutating func grow(_ count: Int) { end += count }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        room(for: bytes.count).copyMemory(from: bytes)
        grow(bytes.count)
    }

    mutating func removeFirst(_ count: Int) {
        start += count
        guard isEmpty else { return }
        (start, end) = (0, 0)
        if memory.count > Self.kept { replaceMemory(0) }
    }

    private mutating func makeRoom(_ least: Int) {
        if memory.count - count >= max(least, memory.count / 2) {
            memory.copyMemory(from: UnsafeRawBufferPointer(bytes))
            (start, end) = (0, count)
        } else {
            replaceMemory(max(memory.count * 2, count + least))
        }
    }

    private mutating func replaceMemory(_ size: Int) {
        let fresh: UnsafeMutableRawBufferPointer = .allocate(byteCount: size, alignment: 16)
        fresh.copyMemory(from: UnsafeRawBufferPointer(bytes))
        memory.deallocate()
        (memory, start, end) = (fresh, 0, count)
    }
}
