/// Keccak with 256 bits of output and the padding of the original submission, as Ethereum uses it.
///
/// Source: The Keccak reference, version 3.0 (2011); FIPS 202 is the same permutation with another padding.
package enum Keccak256 {
    private static let rateBytes = 136

    /// The digest of a message: 32 bytes.
    package static func hash(_ message: [UInt8]) -> [UInt8] { sponge(message, padding: 0x01) }

    /// Absorbs the message and squeezes 32 bytes.
    /// - Parameter padding: What follows the message: `0x01` for Keccak, `0x06` for SHA-3.
    package static func sponge(_ message: [UInt8], padding: UInt8) -> [UInt8] {
        var padded: [UInt8] = message
        padded.append(padding)
        padded.append(contentsOf: repeatElement(0, count: (rateBytes - padded.count % rateBytes) % rateBytes))
        padded[padded.count - 1] |= 0x80
        var lanes: [UInt64] = Array(repeating: 0, count: 25)
        for start in stride(from: 0, to: padded.count, by: rateBytes) {
            for lane in 0..<(rateBytes / 8) {
                var word: UInt64 = 0
                for byte in (0..<8).reversed() { word = word << 8 | UInt64(padded[start + lane * 8 + byte]) }
                lanes[lane] ^= word
            }
            permute(&lanes)
        }
        return (0..<32).map { UInt8(truncatingIfNeeded: lanes[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    private static func permute(_ lanes: inout [UInt64]) {
        var columns: [UInt64] = Array(repeating: 0, count: 5)
        for constant in roundConstants {
            for x in 0..<5 { columns[x] = lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] }
            for x in 0..<5 {
                let mixed: UInt64 = columns[(x + 4) % 5] ^ rotated(columns[(x + 1) % 5], by: 1)
                for y in stride(from: 0, to: 25, by: 5) { lanes[x + y] ^= mixed }
            }
            var carried: UInt64 = lanes[1]
            for step in 0..<24 {
                let lane: Int = targets[step]
                let kept: UInt64 = lanes[lane]
                lanes[lane] = rotated(carried, by: rotations[step])
                carried = kept
            }
            for y in stride(from: 0, to: 25, by: 5) {
                for x in 0..<5 { columns[x] = lanes[y + x] }
                for x in 0..<5 { lanes[y + x] = columns[x] ^ (~columns[(x + 1) % 5] & columns[(x + 2) % 5]) }
            }
            lanes[0] ^= constant
        }
    }

    private static func rotated(_ word: UInt64, by bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }

    /// How far each lane turns (rho), in the order in which pi visits them.
    private static let rotations: [UInt64] = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ]

    /// Where each lane goes (pi).
    private static let targets: [Int] = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ]

    private static let roundConstants: [UInt64] = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808A, 0x8000_0000_8000_8000,
        0x0000_0000_0000_808B, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
        0x0000_0000_0000_008A, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000A,
        0x0000_0000_8000_808B, 0x8000_0000_0000_008B, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
        0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800A, 0x8000_0000_8000_000A,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]
}
