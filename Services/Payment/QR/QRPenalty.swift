/// How hard a symbol is to read (ISO/IEC 18004:2015, 7.8.3): the mask with the least is taken.
enum QRPenalty {
    /// Dark and light modules that look like a finder pattern with light beside it.
    private static let finderLike: [[Bool]] = [
        [true, false, true, true, true, false, true, false, false, false, false],
        [false, false, false, false, true, false, true, true, true, false, true],
    ]

    static func of(_ modules: [Bool], size: Int) -> Int {
        var penalty = 0
        for index in 0..<size {
            penalty += line((0..<size).map { modules[index * size + $0] })
            penalty += line((0..<size).map { modules[$0 * size + index] })
        }
        for row in 0..<size - 1 {
            for column in 0..<size - 1 {
                let dark: Bool = modules[row * size + column]
                if modules[row * size + column + 1] == dark, modules[(row + 1) * size + column] == dark,
                    modules[(row + 1) * size + column + 1] == dark
                {
                    penalty += 3
                }
            }
        }
        let dark: Int = modules.count { $0 }
        // Ten for each five percent that the dark share is away from half.
        return penalty + abs(dark * 20 - modules.count * 10) / modules.count * 10
    }

    private static func line(_ modules: [Bool]) -> Int {
        var penalty = 0
        var run = 0
        for index in modules.indices {
            run = index > 0 && modules[index] == modules[index - 1] ? run + 1 : 1
            if run == 5 { penalty += 3 } else if run > 5 { penalty += 1 }
        }
        for start in 0...max(0, modules.count - 11) where modules.count >= 11 {
            if finderLike.contains(where: { $0.elementsEqual(modules[start..<start + 11]) }) { penalty += 40 }
        }
        return penalty
    }
}
