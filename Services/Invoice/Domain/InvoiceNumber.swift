/// The gapless number of an invoice: `INV-000001`, with more digits after a million.
public struct InvoiceNumber: Hashable, Comparable, Sendable {
    /// The series every invoice is numbered in.
    public static let series = "INV"
    private static let digits = 6

    /// The position in the series, from 1.
    public let sequence: Int64

    /// Makes a number; nothing for a position below 1.
    public init?(sequence: Int64) {
        guard sequence > 0 else { return nil }
        self.sequence = sequence
    }

    /// Orders by position, not by text.
    public static func < (left: InvoiceNumber, right: InvoiceNumber) -> Bool { left.sequence < right.sequence }
}

extension InvoiceNumber: LosslessStringConvertible {
    /// Reads the text form; only the one way of writing a number is accepted.
    public init?(_ description: String) {
        let prefix = "\(Self.series)-"
        guard description.hasPrefix(prefix) else { return nil }
        let rest: Substring = description.dropFirst(prefix.count)
        guard rest.utf8.allSatisfy({ (48...57).contains($0) }), let sequence = Int64(rest) else { return nil }
        self.init(sequence: sequence)
        guard self.description == description else { return nil }
    }

    /// The text form.
    public var description: String {
        let text = String(sequence)
        return "\(Self.series)-" + String(repeating: "0", count: max(0, Self.digits - text.utf8.count)) + text
    }
}
