import Glibc
import Synchronization

/// Hands out the 128 bits of new ids, in order within the process.
final class IDGenerator: Sendable {
    static let shared = IDGenerator()

    private struct State {
        /// The upper half of the last id: 48 bits of milliseconds above a 16-bit counter.
        var last: UInt64 = 0
        /// Random words not used yet; asking the kernel for many at once is cheaper than one by one.
        var random: [UInt64] = []
    }

    private let state = Mutex(State())

    /// How many random words are fetched at once: 256 bytes, the most one `getentropy` call gives.
    private static let batch = 32

    /// The next id. A full counter, or an instant before the last one, counts on from the last id.
    func next(at instant: Instant) -> (high: UInt64, low: UInt64) {
        let milliseconds = UInt64(max(0, instant.microseconds)) / 1_000
        let time = min(milliseconds, 1 << 48 - 1) << 16
        return state.withLock { state in
            state.last = max(time, state.last &+ 1)
            if state.random.isEmpty { state.random = Self.randomWords() }
            return (state.last, state.random.removeLast())
        }
    }

    private static func randomWords() -> [UInt64] {
        var words = [UInt64](repeating: 0, count: batch)
        let status = words.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        if status == 0 { return words }
        var generator = SystemRandomNumberGenerator()
        return words.map { _ in generator.next() }
    }
}
