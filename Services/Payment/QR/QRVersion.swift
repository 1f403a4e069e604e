/// What differs between the sizes of a code at error correction M (ISO/IEC 18004:2015, tables 1, 9 and E.1).
struct QRVersion: Sendable {
    /// 1 to 20.
    let number: Int
    /// All codewords of the symbol.
    let codewords: Int
    /// Error correction codewords of a block.
    let correction: Int
    let blocks: Int
    /// The centers of the alignment patterns, on both axes.
    let alignment: [Int]

    var size: Int { 17 + 4 * number }
    var dataCodewords: Int { codewords - correction * blocks }
    /// Bits that say how many bytes follow.
    var countBits: Int { number < 10 ? 8 : 16 }
    /// The most bytes of text.
    var capacity: Int { (dataCodewords * 8 - 4 - countBits) / 8 }

    private init(_ number: Int, _ codewords: Int, _ correction: Int, _ blocks: Int, _ alignment: [Int]) {
        self.number = number
        self.codewords = codewords
        self.correction = correction
        self.blocks = blocks
        self.alignment = alignment
    }

    static let all: [QRVersion] = [
        QRVersion(1, 26, 10, 1, []), QRVersion(2, 44, 16, 1, [6, 18]), QRVersion(3, 70, 26, 1, [6, 22]),
        QRVersion(4, 100, 18, 2, [6, 26]), QRVersion(5, 134, 24, 2, [6, 30]), QRVersion(6, 172, 16, 4, [6, 34]),
        QRVersion(7, 196, 18, 4, [6, 22, 38]), QRVersion(8, 242, 22, 4, [6, 24, 42]),
        QRVersion(9, 292, 22, 5, [6, 26, 46]), QRVersion(10, 346, 26, 5, [6, 28, 50]),
        QRVersion(11, 404, 30, 5, [6, 30, 54]), QRVersion(12, 466, 22, 8, [6, 32, 58]),
        QRVersion(13, 532, 22, 9, [6, 34, 62]), QRVersion(14, 581, 24, 9, [6, 26, 46, 66]),
        QRVersion(15, 655, 24, 10, [6, 26, 48, 70]), QRVersion(16, 733, 28, 10, [6, 26, 50, 74]),
        QRVersion(17, 815, 28, 11, [6, 30, 54, 78]), QRVersion(18, 901, 26, 13, [6, 30, 56, 82]),
        QRVersion(19, 991, 26, 14, [6, 30, 58, 86]), QRVersion(20, 1085, 26, 16, [6, 34, 62, 90]),
    ]
}
