public import BillingCore

/// Settlement lines in a file of comma-separated values, for providers whose reports come by mail or by hand.
///
/// The first line names the columns, in any order. Amounts are in major units with at most the currency's decimals.
/// Reading is strict: a file with any fault gives no line at all, and every fault with its line.
public enum SettlementFile {
    /// The columns; those after `occurred_at` may be left out or empty.
    public enum Column: String, Sendable, CaseIterable {
        case id, kind, currency, gross, fee, net
        case occurredAt = "occurred_at"
        case availableAt = "available_at"
        case ownReference = "own_reference"
        case source, taken
        case presentmentAmount = "presentment_amount"
        case presentmentCurrency = "presentment_currency"
        case rate

        /// Whether every line has it.
        public var isRequired: Bool {
            switch self {
            case .id, .kind, .currency, .gross, .fee, .net, .occurredAt: true
            case .availableAt, .ownReference, .source, .taken, .presentmentAmount, .presentmentCurrency, .rate: false
            }
        }
    }

    /// What is wrong, and where.
    public struct Fault: Hashable, Sendable {
        /// Counted from 1, the line of column names included.
        public let line: Int
        /// `nil` when the whole line is at fault.
        public let column: Column?
        /// What is wrong, to be read after the column.
        public let message: String
    }

    /// Everything that is wrong with a file, in order; after ``limit`` faults the rest is not told.
    public struct Refused: Error, Equatable, Sendable {
        /// In the order of lines.
        public let faults: [Fault]
    }

    /// How many faults are told at most.
    public static let limit = 1_000
    /// How far ahead of its import a line may be dated: whoever knows the day alone may write its end, in any time zone.
    static let furthestAhead: Duration = .seconds(86_400)
    /// The longest id or reference.
    static let longestReference = 255

    /// Reads a file.
    /// - Parameter now: When it is imported; a line that is dated more than a day later is a fault.
    /// - Throws: ``Refused``.
    public static func read(
        _ text: String, provider: String, at now: Instant
    ) throws(Refused) -> [SettlementLine] {
        let records: [CommaSeparated.Record]
        do throws(CommaSeparated.Fault) {
            records = try CommaSeparated.records(text)
        } catch {
            throw Refused(faults: [Fault(line: error.line, column: nil, message: error.message)])
        }
        guard let head: CommaSeparated.Record = records.first else {
            throw Refused(faults: [Fault(line: 1, column: nil, message: "the line of column names is missing")])
        }
        let columns: [Column] = try columns(of: head)
        var lines: [SettlementLine] = []
        var faults: [Fault] = []
        var seen: [String: Int] = [:]
        for record in records.dropFirst() where faults.count < limit {
            var reader = SettlementFileLine(record, columns)
            guard let line: SettlementLine = reader.read(provider: provider, at: now) else {
                faults += reader.faults
                continue
            }
            if let first = seen.updateValue(record.line, forKey: line.id) {
                faults.append(Fault(line: record.line, column: .id, message: "is the id of line \(first) too"))
            }
            lines.append(line)
        }
        guard faults.isEmpty else { throw Refused(faults: Array(faults.prefix(limit))) }
        return lines
    }

    private static func columns(of head: CommaSeparated.Record) throws(Refused) -> [Column] {
        let most: Int = Column.allCases.count
        guard head.fields.count <= most else {
            let message = "has \(head.fields.count) fields, and there are only \(most) columns"
            throw Refused(faults: [Fault(line: head.line, column: nil, message: message)])
        }
        var columns: [Column] = []
        var faults: [Fault] = []
        for name in head.fields {
            guard let column = Column(rawValue: name) else {
                let shown = String(name.unicodeScalars.prefix(40))
                faults.append(Fault(line: head.line, column: nil, message: "there is no column \"\(shown)\""))
                continue
            }
            if columns.contains(column) {
                faults.append(Fault(line: head.line, column: column, message: "is named twice"))
            }
            columns.append(column)
        }
        for column in Column.allCases where column.isRequired && !columns.contains(column) {
            faults.append(Fault(line: head.line, column: column, message: "is missing"))
        }
        guard faults.isEmpty else { throw Refused(faults: faults) }
        return columns
    }
}
