import BillingCore

/// A text as a QR code: byte mode, error correction M, versions 1 to 20 (666 bytes).
///
/// Source: ISO/IEC 18004:2015. Error correction M survives the loss of about 15 % of the symbol.
package struct QRCode: Hashable, Sendable {
    /// The most bytes that fit.
    package static let maxBytes = 666

    /// 1 to 20.
    package let version: Int
    /// Which of the eight masks it has.
    package let mask: Int
    /// Modules on a side, without the quiet zone.
    package let size: Int
    /// Row by row; `true` is dark.
    package let modules: [Bool]

    /// Makes the smallest code that holds the text, with the mask that is easiest to read.
    /// - Returns: `nil` for more than ``maxBytes`` bytes of UTF-8.
    package init?(_ text: String) {
        let bytes: [UInt8] = Array(text.utf8)
        guard let version = QRVersion.all.first(where: { bytes.count <= $0.capacity }) else { return nil }
        let codewords: [UInt8] = QRCodewords.interleaved(bytes, version)
        var canvas = QRCanvas(version)
        canvas.drawFunctionPatterns()
        canvas.drawData(codewords)
        var best: (penalty: Int, mask: Int, canvas: QRCanvas)?
        for mask in 0..<8 {
            var masked: QRCanvas = canvas
            masked.apply(mask: mask)
            let penalty: Int = QRPenalty.of(masked.modules, size: masked.size)
            if best.map({ penalty < $0.penalty }) ?? true { best = (penalty, mask, masked) }
        }
        guard let best else { return nil }
        self.version = version.number
        mask = best.mask
        size = best.canvas.size
        modules = best.canvas.modules
    }

    /// Whether the module in a column and row is dark; outside of the symbol all are light.
    package func isDark(_ column: Int, _ row: Int) -> Bool {
        (0..<size).contains(column) && (0..<size).contains(row) && modules[row * size + column]
    }

    /// The code as a picture that scales: one path, dark on light, with the quiet zone of four modules.
    /// - Parameter label: What a screen reader says.
    package func svg(label: String) -> String {
        let quiet = 4
        let side: Int = size + 2 * quiet
        var path = ""
        for row in 0..<size {
            var column = 0
            while column < size {
                guard isDark(column, row) else {
                    column += 1
                    continue
                }
                let start: Int = column
                while isDark(column, row) { column += 1 }
                path += "M\(start + quiet) \(row + quiet)h\(column - start)v1h-\(column - start)z"
            }
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(side) \(side)" shape-rendering="crispEdges" \
            role="img" aria-label="\(label.markupEscaped)"><path fill="#fff" d="M0 0h\(side)v\(side)H0z"/>\
            <path fill="#000" d="\(path)"/></svg>
            """
    }
}
