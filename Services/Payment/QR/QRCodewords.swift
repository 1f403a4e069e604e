/// Turns bytes into the codewords of a symbol: data, padding and error correction, interleaved.
enum QRCodewords {
    static func interleaved(_ bytes: [UInt8], _ version: QRVersion) -> [UInt8] {
        let data: [UInt8] = padded(bytes, version)
        let short: Int = version.dataCodewords / version.blocks
        let longBlocks: Int = version.dataCodewords % version.blocks
        var blocks: [[UInt8]] = []
        var corrections: [[UInt8]] = []
        let divisor: [UInt8] = generator(version.correction)
        var at = 0
        for block in 0..<version.blocks {
            // The longer blocks come last.
            let length: Int = short + (block >= version.blocks - longBlocks ? 1 : 0)
            let codewords: [UInt8] = Array(data[at..<at + length])
            at += length
            blocks.append(codewords)
            corrections.append(remainder(codewords, divisor))
        }
        return woven(blocks, length: short + 1) + woven(corrections, length: version.correction)
    }

    /// Mode, count, bytes, terminator, and padding up to what the version holds.
    private static func padded(_ bytes: [UInt8], _ version: QRVersion) -> [UInt8] {
        var bits = QRBits()
        bits.append(0b0100, count: 4)
        bits.append(bytes.count, count: version.countBits)
        for byte in bytes { bits.append(Int(byte), count: 8) }
        bits.append(0, count: min(4, version.dataCodewords * 8 - bits.count))
        bits.append(0, count: (8 - bits.count % 8) % 8)
        var data: [UInt8] = bits.bytes
        var pad: UInt8 = 0xEC
        while data.count < version.dataCodewords {
            data.append(pad)
            pad ^= 0xEC ^ 0x11
        }
        return data
    }

    private static func woven(_ blocks: [[UInt8]], length: Int) -> [UInt8] {
        (0..<length).flatMap { index in blocks.compactMap { index < $0.count ? $0[index] : nil } }
    }

    /// The product of (x − 2^i) over the field, without its leading one.
    private static func generator(_ degree: Int) -> [UInt8] {
        var result: [UInt8] = Array(repeating: 0, count: degree - 1) + [1]
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in 0..<degree {
                result[index] = product(result[index], root)
                if index + 1 < degree { result[index] ^= result[index + 1] }
            }
            root = product(root, 2)
        }
        return result
    }

    private static func remainder(_ data: [UInt8], _ divisor: [UInt8]) -> [UInt8] {
        var result: [UInt8] = Array(repeating: 0, count: divisor.count)
        for byte in data {
            let factor: UInt8 = byte ^ result[0]
            result.removeFirst()
            result.append(0)
            for index in divisor.indices { result[index] ^= product(divisor[index], factor) }
        }
        return result
    }

    /// Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
    private static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var product = 0
        for bit in (0..<8).reversed() {
            product = product << 1 ^ (product >> 7) * 0x11D
            if right >> UInt8(bit) & 1 == 1 { product ^= Int(left) }
        }
        return UInt8(product)
    }
}

/// Bits, most significant first.
private struct QRBits {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ value: Int, count length: Int) {
        for bit in (0..<length).reversed() {
            if count % 8 == 0 { bytes.append(0) }
            if value >> bit & 1 == 1 { bytes[count / 8] |= 0x80 >> UInt8(count % 8) }
            count += 1
        }
    }
}
