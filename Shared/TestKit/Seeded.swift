import Glibc

/// Random numbers that can be had again: the seed is printed, and `REFRAIN_TEST_SEED` sets it.
public struct Seeded: RandomNumberGenerator {
    /// What the numbers follow from.
    public let seed: UInt64
    private var state: UInt64

    /// Draws a seed, or takes the given one, and prints it beside the place that uses it.
    public init(_ seed: UInt64? = nil, place: String = #fileID, line: Int = #line) {
        let given: UInt64? = getenv("REFRAIN_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        self.seed = seed ?? given ?? UInt64.random(in: 1...999_999_999)
        state = self.seed
        print("\(place):\(line): REFRAIN_TEST_SEED=\(self.seed)")
    }

    /// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed: UInt64 = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
