/// RIPEMD-160, for Bitcoin's hash of public keys.
///
/// Source: Dobbertin, Bosselaers and Preneel, "RIPEMD-160: A Strengthened Version of RIPEMD", 1996.
package enum RIPEMD160 {
    /// The digest of a message: 20 bytes.
    package static func hash(_ message: [UInt8]) -> [UInt8] {
        var padded: [UInt8] = message
        padded.append(0x80)
        padded.append(contentsOf: repeatElement(0, count: (120 - padded.count % 64) % 64))
        let bits: UInt64 = UInt64(message.count) &* 8
        for byte in 0..<8 { padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(byte * 8))) }
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for start in stride(from: 0, to: padded.count, by: 64) {
            let words: [UInt32] = (0..<16).map { word in
                (0..<4).reduce(0 as UInt32) { $0 | UInt32(padded[start + word * 4 + $1]) << UInt32($1 * 8) }
            }
            compress(words, into: &state)
        }
        return (0..<20).map { UInt8(truncatingIfNeeded: state[$0 / 4] >> UInt32($0 % 4 * 8)) }
    }

    private static func compress(_ words: [UInt32], into state: inout [UInt32]) {
        let left: [UInt32] = line(words, from: state, leftOrder, leftShifts, leftConstants) { $0 }
        let right: [UInt32] = line(words, from: state, rightOrder, rightShifts, rightConstants) { 4 - $0 }
        let first: UInt32 = state[1] &+ left[2] &+ right[3]
        for index in 1..<4 { state[index] = state[index + 1] &+ left[(index + 2) % 5] &+ right[(index + 3) % 5] }
        state[4] = state[0] &+ left[1] &+ right[2]
        state[0] = first
    }

    /// One of the two parallel lines: five rounds of sixteen steps.
    private static func line(
        _ words: [UInt32], from state: [UInt32], _ order: [Int], _ shifts: [UInt32], _ constants: [UInt32],
        function: (Int) -> Int
    ) -> [UInt32] {
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for step in 0..<80 {
            let round: Int = step / 16
            let sum: UInt32 = a &+ mixed(function(round), b, c, d) &+ words[order[step]] &+ constants[round]
            let next: UInt32 = rotated(sum, by: shifts[step]) &+ e
            (a, e, d, c, b) = (e, d, rotated(c, by: 10), b, next)
        }
        return [a, b, c, d, e]
    }

    private static func mixed(_ function: Int, _ x: UInt32, _ y: UInt32, _ z: UInt32) -> UInt32 {
        switch function {
        case 0: x ^ y ^ z
        case 1: (x & y) | (~x & z)
        case 2: (x | ~y) ^ z
        case 3: (x & z) | (y & ~z)
        default: x ^ (y | ~z)
        }
    }

    private static func rotated(_ word: UInt32, by bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }

    private static let leftConstants: [UInt32] = [0, 0x5A82_7999, 0x6ED9_EBA1, 0x8F1B_BCDC, 0xA953_FD4E]
    private static let rightConstants: [UInt32] = [0x50A2_8BE6, 0x5C4D_D124, 0x6D70_3EF3, 0x7A6D_76E9, 0]

    private static let leftOrder: [Int] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8,
        3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12,
        1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2,
        4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13,
    ]
    private static let rightOrder: [Int] = [
        5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12,
        6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2,
        15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13,
        8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14,
        12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11,
    ]
    private static let leftShifts: [UInt32] = [
        11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8,
        7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12,
        11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5,
        11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12,
        9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6,
    ]
    private static let rightShifts: [UInt32] = [
        8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6,
        9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11,
        9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5,
        15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8,
        8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11,
    ]
}
