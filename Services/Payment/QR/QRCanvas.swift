/// The modules of a symbol while it is drawn.
struct QRCanvas: Sendable {
    let version: QRVersion
    let size: Int
    private(set) var modules: [Bool]
    /// Modules that carry no data, and that masks leave alone.
    private var isFunction: [Bool]

    init(_ version: QRVersion) {
        self.version = version
        size = version.size
        modules = Array(repeating: false, count: version.size * version.size)
        isFunction = modules
    }

    private mutating func set(_ column: Int, _ row: Int, _ dark: Bool) {
        modules[row * size + column] = dark
        isFunction[row * size + column] = true
    }

    /// Everything but data; the format is reserved until the mask is known.
    mutating func drawFunctionPatterns() {
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (column, row) in [(3, 3), (size - 4, 3), (3, size - 4)] { drawFinder(column, row) }
        let centers: [Int] = version.alignment
        for column in centers {
            for row in centers where !isAtFinder(column, row) {
                for dy in -2...2 { for dx in -2...2 { set(column + dx, row + dy, max(abs(dx), abs(dy)) != 1) } }
            }
        }
        drawFormat(mask: 0)
        drawVersion()
    }

    private func isAtFinder(_ column: Int, _ row: Int) -> Bool {
        let last: Int = version.alignment.last ?? 0
        return (column, row) == (6, 6) || (column, row) == (6, last) || (column, row) == (last, 6)
    }

    private mutating func drawFinder(_ column: Int, _ row: Int) {
        for dy in -4...4 {
            for dx in -4...4 {
                let (x, y): (Int, Int) = (column + dx, row + dy)
                guard (0..<size).contains(x), (0..<size).contains(y) else { continue }
                let distance: Int = max(abs(dx), abs(dy))
                set(x, y, distance != 2 && distance != 4)
            }
        }
    }

    /// Two copies of 15 bits: error correction M, the mask, and their own correction (BCH 15,5).
    private mutating func drawFormat(mask: Int) {
        let data: Int = 0b00 << 3 | mask
        var rest: Int = data
        for _ in 0..<10 { rest = rest << 1 ^ (rest >> 9) * 0x537 }
        let bits: Int = (data << 10 | rest) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0...5 { set(8, index, bit(index)) }
        set(8, 7, bit(6))
        set(8, 8, bit(7))
        set(7, 8, bit(8))
        for index in 9..<15 { set(14 - index, 8, bit(index)) }
        for index in 0..<8 { set(size - 1 - index, 8, bit(index)) }
        for index in 8..<15 { set(8, size - 15 + index, bit(index)) }
        set(8, size - 8, true)
    }

    /// Two copies of 18 bits from version 7 on (BCH 18,6).
    private mutating func drawVersion() {
        guard version.number >= 7 else { return }
        var rest: Int = version.number
        for _ in 0..<12 { rest = rest << 1 ^ (rest >> 11) * 0x1F25 }
        let bits: Int = version.number << 12 | rest
        for index in 0..<18 {
            let (far, near): (Int, Int) = (size - 11 + index % 3, index / 3)
            set(far, near, bits >> index & 1 == 1)
            set(near, far, bits >> index & 1 == 1)
        }
    }

    /// Fills the data in: pairs of columns from the right, up and down in turn, past the vertical timing pattern.
    mutating func drawData(_ codewords: [UInt8]) {
        var bit = 0
        var right: Int = size - 1
        while right >= 1 {
            if right == 6 { right = 5 }
            let goesUp: Bool = (right + 1) & 2 == 0
            for step in 0..<size {
                let row: Int = goesUp ? size - 1 - step : step
                for column in [right, right - 1] where !isFunction[row * size + column] && bit < codewords.count * 8 {
                    modules[row * size + column] = codewords[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1
                    bit += 1
                }
            }
            right -= 2
        }
    }

    /// Turns the data modules of a mask's pattern over and writes the mask into the format.
    mutating func apply(mask: Int) {
        drawFormat(mask: mask)
        for row in 0..<size {
            for column in 0..<size where !isFunction[row * size + column] && Self.pattern(mask, column, row) {
                modules[row * size + column].toggle()
            }
        }
    }

    private static func pattern(_ mask: Int, _ x: Int, _ y: Int) -> Bool {
        switch mask {
        case 0: (x + y) % 2 == 0
        case 1: y % 2 == 0
        case 2: x % 3 == 0
        case 3: (x + y) % 3 == 0
        case 4: (x / 3 + y / 2) % 2 == 0
        case 5: x * y % 2 + x * y % 3 == 0
        case 6: (x * y % 2 + x * y % 3) % 2 == 0
        default: ((x + y) % 2 + x * y % 3) % 2 == 0
        }
    }
}
