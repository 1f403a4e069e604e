import Synchronization

/// Random numbers for ids that must differ but need not be secret: no system call, no lock.
///
/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators") over one shared counter that
/// starts at a random place of each process.
package enum FastRandom {
    private static let state = Atomic<UInt64>(UInt64.random(in: 0...UInt64.max))
    private static let mask = UInt64.random(in: 0...UInt64.max)

    /// The next number.
    package static func next() -> UInt64 {
        var bits = state.wrappingAdd(0x9e37_79b9_7f4a_7c15, ordering: .relaxed).newValue
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31) ^ mask
    }

    /// The next number, never zero.
    package static func nextNonZero() -> UInt64 {
        let bits = next()
        return bits == 0 ? 1 : bits
    }
}
