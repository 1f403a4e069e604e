import BillingCore

/// Reads one line of a settlement file and collects what is wrong with it.
struct SettlementFileLine {
    private let number: Int
    private let values: [SettlementFile.Column: String]
    private(set) var faults: [SettlementFile.Fault] = []

    init(_ record: CommaSeparated.Record, _ columns: [SettlementFile.Column]) {
        number = record.line
        guard record.fields.count == columns.count else {
            values = [:]
            let message = "has \(record.fields.count) fields, and there are \(columns.count) columns"
            faults = [SettlementFile.Fault(line: record.line, column: nil, message: message)]
            return
        }
        values = Dictionary(zip(columns, record.fields)) { first, _ in first }
    }

    /// The line; `nil` when there are faults.
    mutating func read(provider: String, at now: Instant) -> SettlementLine? {
        guard faults.isEmpty else { return nil }
        let id: String? = reference(.id)
        let kind: SettlementLine.Kind? = word(.kind)
        let currency: Currency? = currency(.currency)
        let gross: Money? = money(.gross, currency)
        let fee: Money? = money(.fee, currency)
        let net: Money? = money(.net, currency)
        let occurredAt: Instant? = instant(.occurredAt)
        if let occurredAt, occurredAt - now > SettlementFile.furthestAhead {
            refuse(.occurredAt, "is more than a day in the future")
        }
        let availableAt: Instant? = instant(.availableAt)
        let references = SettlementLine.References(
            own: reference(.ownReference), source: reference(.source), taken: reference(.taken))
        if let kind, kind.isOfPayout, text(.source) == nil {
            refuse(.source, "is needed for a \(kind.rawValue): a payout and its failure are known by it")
        }
        let presentment: SettlementLine.Presentment? = presentment(of: gross)
        guard faults.isEmpty, let id, let kind, let gross, let fee, let net, let occurredAt else { return nil }
        do throws(SettlementLine.Fault) {
            return try SettlementLine(
                provider: provider, id: id, kind: kind, gross: gross, fee: fee, net: net, references: references,
                presentment: presentment, occurredAt: occurredAt, availableAt: availableAt)
        } catch {
            switch error {
            case .doesNotAddUp: refuse(.net, "is not gross less fee")
            case .sign(let kind): refuse(.gross, "has the wrong sign for a \(kind.rawValue)")
            }
            return nil
        }
    }

    private mutating func refuse(_ column: SettlementFile.Column, _ message: String) {
        faults.append(SettlementFile.Fault(line: number, column: column, message: message))
    }

    /// A value that is there; an absent one of a required column is a fault.
    private mutating func text(_ column: SettlementFile.Column) -> String? {
        if let value = values[column], !value.isEmpty { return value }
        if column.isRequired { refuse(column, "is empty") }
        return nil
    }

    private mutating func reference(_ column: SettlementFile.Column) -> String? {
        guard let text = text(column) else { return nil }
        guard text.utf8.count <= SettlementFile.longestReference, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            refuse(
                column, "must be at most \(SettlementFile.longestReference) printable ASCII characters without spaces")
            return nil
        }
        return text
    }

    private mutating func word(_ column: SettlementFile.Column) -> SettlementLine.Kind? {
        guard let text = text(column) else { return nil }
        guard let kind = SettlementLine.Kind(rawValue: text) else {
            let words: String = SettlementLine.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            refuse(column, "must be one of \(words)")
            return nil
        }
        return kind
    }

    private mutating func currency(_ column: SettlementFile.Column) -> Currency? {
        guard let text = text(column) else { return nil }
        guard let currency = Currency(text) else {
            refuse(column, "is not an active ISO 4217 currency code in capitals")
            return nil
        }
        return currency
    }

    /// An amount; without a readable currency only its presence is checked.
    private mutating func money(_ column: SettlementFile.Column, _ currency: Currency?) -> Money? {
        guard let text = text(column), let currency else { return nil }
        do throws(MoneyError) {
            let amount = try Money(decimal: text, currency: currency)
            guard amount.minor.magnitude <= SettlementLine.largestAmount.magnitude else { throw .overflow }
            return amount
        } catch {
            switch error {
            case .wrongScale(let allowed): refuse(column, "has more than the \(allowed) decimals of \(currency.code)")
            case .overflow:
                let most = Money(minor: SettlementLine.largestAmount, currency: currency)
                refuse(column, "is too large: the most is \(most)")
            default: refuse(column, "is not a plain decimal number such as -12.34")
            }
            return nil
        }
    }

    private mutating func instant(_ column: SettlementFile.Column) -> Instant? {
        guard let text = text(column) else { return nil }
        guard let instant = Instant(rfc3339: text) else {
            refuse(column, "is not an RFC 3339 time such as 2027-01-31T00:00:00Z")
            return nil
        }
        return instant
    }

    /// What the line was before it was converted; `nil` where it says the amount of settlement once more.
    private mutating func presentment(of gross: Money?) -> SettlementLine.Presentment? {
        let hasAmount: Bool = values[.presentmentAmount].map { !$0.isEmpty } ?? false
        let hasCurrency: Bool = values[.presentmentCurrency].map { !$0.isEmpty } ?? false
        guard hasAmount || hasCurrency else {
            if text(.rate) != nil { refuse(.rate, "is given without a presentment amount") }
            return nil
        }
        guard hasAmount && hasCurrency else {
            refuse(hasAmount ? .presentmentCurrency : .presentmentAmount, "goes with the other presentment column")
            return nil
        }
        let currency: Currency? = currency(.presentmentCurrency)
        guard let amount: Money = money(.presentmentAmount, currency) else { return nil }
        var rate: ExactDecimal?
        if let text = text(.rate) {
            guard let read = ExactDecimal(text), !read.isNegative, !read.isZero else {
                refuse(.rate, "is not a plain decimal number above zero")
                return nil
            }
            rate = read
        }
        guard let gross else { return nil }
        guard amount.currency != gross.currency else {
            if amount != gross { refuse(.presentmentAmount, "is in the currency of settlement and not the gross") }
            return nil
        }
        guard !(amount.isNegative && gross.isPositive), !(amount.isPositive && gross.isNegative) else {
            refuse(.presentmentAmount, "has another sign than the gross")
            return nil
        }
        return SettlementLine.Presentment(amount: amount, rate: rate)
    }
}

extension SettlementLine.Kind {
    /// Whether it is a payout or what became of one.
    fileprivate var isOfPayout: Bool { self == .payout || self == .payoutFailure }
}
