import PaymentQR
import TestKit
import Testing

/// Reads a symbol as a scanner does once it has found its modules: format, mask, codewords, bytes. Knows nothing of how
/// it was drawn; it does not correct errors, because there are none.
private struct Scanner {
    let code: QRCode
    /// Error correction codewords of a block and blocks, by version (ISO/IEC 18004:2015, table 9, level M).
    static let blocks: [(correction: Int, count: Int)] = [
        (10, 1), (16, 1), (26, 1), (18, 2), (24, 2), (16, 4), (18, 4), (22, 4), (22, 5), (26, 5), (30, 5), (22, 8),
        (22, 9), (24, 9), (24, 10), (28, 10), (28, 11), (26, 13), (26, 14), (26, 16),
    ]

    func isFunction(_ x: Int, _ y: Int) -> Bool {
        let (size, version): (Int, Int) = (code.size, code.version)
        if x == 6 || y == 6 || (x < 9 && y < 9) || (x < 9 && y >= size - 8) || (x >= size - 8 && y < 9) { return true }
        if version >= 7, (x < 6 && y >= size - 11) || (y < 6 && x >= size - 11) { return true }
        guard version > 1 else { return false }
        // The centers are evenly spaced from the last one on, by an even number of modules.
        let count: Int = version / 7 + 2
        let step: Int = (version * 8 + count * 3 + 5) / (count * 4 - 4) * 2
        let centers: [Int] = [6] + (0..<count - 1).map { size - 7 - $0 * step }
        return centers.contains { cx in
            centers.contains { cy in
                let atFinder: Bool = [(6, 6), (6, size - 7), (size - 7, 6)].contains { $0 == (cx, cy) }
                return !atFinder && abs(x - cx) <= 2 && abs(y - cy) <= 2
            }
        }
    }

    /// The 15 bits beside the upper left finder pattern.
    var format: Int {
        let places: [(Int, Int)] =
            (0...5).map { (8, $0) } + [(8, 7), (8, 8), (7, 8)] + (0...5).reversed().map { ($0, 8) }
        return places.enumerated().reduce(0) { $0 | (code.isDark($1.element.0, $1.element.1) ? 1 << $1.offset : 0) }
    }

    func isMasked(_ x: Int, _ y: Int) -> Bool {
        let conditions: [Int] = [
            (x + y) % 2, y % 2, x % 3, (x + y) % 3, (x / 3 + y / 2) % 2, x * y % 2 + x * y % 3,
            (x * y % 2 + x * y % 3) % 2, ((x + y) % 2 + x * y % 3) % 2,
        ]
        return conditions[code.mask] == 0
    }

    var codewords: [UInt8] {
        var bits: [Bool] = []
        var pairs: [Int] = Array(stride(from: code.size - 1, to: 6, by: -2))
        pairs += [5, 3, 1]
        for (index, right) in pairs.enumerated() {
            let rows: [Int] = index.isMultiple(of: 2) ? (0..<code.size).reversed() : Array(0..<code.size)
            for y in rows {
                for x in [right, right - 1] where !isFunction(x, y) { bits.append(code.isDark(x, y) != isMasked(x, y)) }
            }
        }
        return (0..<bits.count / 8).map { index in
            bits[index * 8..<index * 8 + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }

    var text: String {
        let all: [UInt8] = codewords
        let (correction, count): (Int, Int) = Self.blocks[code.version - 1]
        let data: Int = all.count - correction * count
        var blocks: [[UInt8]] = Array(repeating: [], count: count)
        let (short, longOnes): (Int, Int) = (data / count, data % count)
        for at in 0..<short * count { blocks[at % count].append(all[at]) }
        for at in 0..<longOnes { blocks[count - longOnes + at].append(all[short * count + at]) }
        let bytes: [UInt8] = blocks.flatMap(\.self)
        var bits: [Int] = bytes.flatMap { byte in (0..<8).reversed().map { Int(byte >> UInt8($0) & 1) } }
        func take(_ width: Int) -> Int {
            defer { bits.removeFirst(width) }
            return bits.prefix(width).reduce(0) { $0 << 1 | $1 }
        }
        guard take(4) == 4 else { return "not in byte mode" }
        let length: Int = take(code.version < 10 ? 8 : 16)
        return String(decoding: (0..<length).map { _ in UInt8(take(8)) }, as: UTF8.self)
    }
}

@Suite("QR codes") struct QRCodeTests {
    @Test("every length up to the longest reads back, in the smallest version that holds it")
    func lengths() throws {
        var random = Seeded()
        let alphabet: [Character] = Array("bitcoin:?&=.%-_~0123456789ABCDEFabcdefé€")
        for length in Array(1...60) + (0..<60).map({ _ in Int.random(in: 61...600, using: &random) }) + [665, 666] {
            var text = ""
            while text.utf8.count < length { text.append(alphabet.randomElement(using: &random) ?? "a") }
            while text.utf8.count > length { text.removeLast() }
            text += String(repeating: "x", count: length - text.utf8.count)
            let code: QRCode = try #require(QRCode(text))
            let scanner = Scanner(code: code)
            #expect(scanner.text == text)
            // Level M is 00; the mask follows it (XOR 101010000010010).
            #expect((scanner.format ^ 0x5412) >> 10 == code.mask)
        }
    }

    @Test(
        "versions change exactly where the standard's capacities end",
        arguments: zip(
            1...20,
            [
                14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666,
            ]))
    func capacities(_ version: Int, _ bytes: Int) {
        #expect(QRCode(String(repeating: "a", count: bytes))?.version == version)
        #expect(QRCode(String(repeating: "a", count: bytes + 1))?.version == (version == 20 ? nil : version + 1))
    }

    @Test("a whole symbol is what two other encoders draw, error correction included")
    func golden() throws {
        // Drawn by PyPI qrcode 8 with the same mask, and read by zbar.
        let rows: [String] = GoldenSymbol.rows
        let code: QRCode = try #require(QRCode(GoldenSymbol.text))
        #expect(code.mask == GoldenSymbol.mask)
        for row in 0..<code.size {
            #expect((0..<code.size).map { code.isDark($0, row) ? "#" : "." }.joined() == rows[row])
        }
    }

    @Test("the picture has a quiet zone of four modules, every dark module, and a label that cannot break out of it")
    func picture() throws {
        let code: QRCode = try #require(QRCode("hello"))
        let svg: String = code.svg(label: #"Pay <b>"now"</b> & here"#)
        #expect(svg.contains(#"viewBox="0 0 29 29""#))
        #expect(svg.contains(#"aria-label="Pay &lt;b&gt;&quot;now&quot;&lt;/b&gt; &amp; here""#))
        // Runs of dark modules: their lengths add up to all there are.
        let runs: [Int] = svg.split(separator: "h").dropFirst().compactMap { Int($0.prefix { $0.isNumber }) }
        let positive: Int = runs.reduce(0, +)
        // Each run goes forth and back; the background's side goes forth only in the first path.
        #expect(positive - 29 == code.modules.count { $0 })
    }
}
