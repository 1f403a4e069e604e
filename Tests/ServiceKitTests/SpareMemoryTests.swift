import ServiceKit
import Synchronization
import Telemetry
import Testing

/// A heap full of holes: blocks that were freed between such that are kept.
private struct Holes {
    private let kept: [[UInt8]]

    init(megabytes: Int) {
        var blocks: [[UInt8]] = (0..<megabytes * 512).map { number in
            [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 2_000)
        }
        for index in blocks.indices where index % 64 != 0 { blocks[index] = [] }
        kept = blocks
    }

    var isThere: Bool { kept.count > 1 && kept[64].count == 2_000 }
}

@Suite("Spare memory", .serialized) struct SpareMemoryTests {
    private static let megabyte: Double = 1024 * 1024

    @Test("what a burst has left behind is given back when the process rests")
    func givenBack() {
        let memory = SpareMemory(processorSeconds: { 0 })
        let holes = Holes(megabytes: 384)
        let before: Double = ProcessUse.residentBytes
        memory.giveBack()
        let after: Double = ProcessUse.residentBytes
        #expect(before - after > 192 * Self.megabyte, "\(before / Self.megabyte) → \(after / Self.megabyte) MB")
        #expect(holes.isThere)
    }

    @Test("a process at work is left alone until it rests")
    func atWork() {
        let used = Mutex(0.0)
        let memory = SpareMemory(processorSeconds: { used.withLock { $0 } })
        let holes = Holes(megabytes: 384)
        let before: Double = ProcessUse.residentBytes
        used.withLock { $0 = 1_000 }
        memory.giveBack()
        #expect(ProcessUse.residentBytes > before - 8 * Self.megabyte)
        memory.giveBack()
        #expect(ProcessUse.residentBytes < before - 192 * Self.megabyte)
        #expect(holes.isThere)
    }
}
