public import BillingCore

extension TypedID {
    /// An id of exactly this age. ``new(at:)`` never goes back behind an id that another test of the process has made later.
    public static func made(at instant: Instant) -> Self {
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var milliseconds = Int(instant.microseconds / 1_000)
        var time = ""
        for _ in 0..<10 {
            time = String(digits[milliseconds % 32]) + time
            milliseconds /= 32
        }
        return Self(unchecked: "\(prefix)_\(time)\(new(at: instant).rawValue.suffix(16))")
    }
}
