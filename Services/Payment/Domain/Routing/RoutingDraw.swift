import BillingCore

/// Numbers that follow from a payment's id and a seed alone: every instance draws the same, today and tomorrow. Evenly
/// spread, not secret.
struct RoutingDraw {
    private var state: UInt64

    /// FNV-1a (Fowler, Noll and Vo) over the id; the seed is mixed in before.
    init(_ id: PaymentID, seed: UInt64) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ Self.mixed(seed)
        for byte in id.rawValue.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        state = hash
    }

    /// A number from zero up to below a bound above zero, each as likely as the others to 2^-64.
    mutating func below(_ bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state).multipliedFullWidth(by: bound).high
    }

    /// SplitMix64's finalizer: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed: UInt64 = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
