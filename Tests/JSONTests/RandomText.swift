import TestKit

extension Seeded {
    /// Text of any scalars but U+0000, controls and characters outside the first plane included.
    mutating func text(upTo length: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...length, using: &self) {
            let limits: [UInt32] = [0x20, 0x7F, 0x7FF, 0xD7FF, 0x10FFFF]
            let limit = limits.randomElement(using: &self) ?? 0x7F
            if let scalar = Unicode.Scalar(UInt32.random(in: 1...limit, using: &self)) { scalars.append(scalar) }
        }
        return String(scalars)
    }
}
