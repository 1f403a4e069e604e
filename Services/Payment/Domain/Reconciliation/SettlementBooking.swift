public import BillingCore

/// A movement of a provider's account in our books that a settlement line should confirm.
public struct SettlementBooking: Hashable, Sendable {
    /// The journal entry.
    public let id: String
    /// The kind of line that confirms it.
    public let kind: SettlementLine.Kind
    /// What the entry books: an attempt's, a capture's or a refund's id.
    public let own: String
    /// Other ids of ours that a line may carry in its place: the attempt of a capture, the payment.
    public let related: Set<String>
    /// The provider's names of what moved.
    public let sources: Set<String>
    /// The provider's names of the charge or capture it is about.
    public let taken: Set<String>
    /// What it did to the account, a fee booked along left out; zero where it books a fee alone.
    public let gross: Money
    /// What it was before it was exchanged, where it was booked in the currency in which the provider settles.
    public let given: Money?
    /// Whether its exchange was undone: of a refund that failed, and of its failure. It moves nothing on the exchange account
    /// any more; what the provider makes of it beyond or below what was booked is a gain or a loss by itself.
    public let isUndone: Bool
    /// Whether a person has booked it. The provider has no name for it but that of its charge, so it is what a line is about
    /// only where their amounts are the same.
    public let isByHand: Bool
    /// A fee that was booked with it (of a dispute); zero otherwise.
    public let fee: Money
    /// When it was booked as having happened.
    public let occurredAt: Instant
    /// The payment it belongs to.
    public let payment: PaymentID?
    /// How the customer paid: `card`.
    public let method: String?

    /// A movement; the fee is zero when left out.
    public init(
        id: String, kind: SettlementLine.Kind, own: String, related: Set<String> = [], sources: Set<String> = [],
        taken: Set<String> = [], gross: Money, given: Money? = nil, isUndone: Bool = false,
        isByHand: Bool = false, fee: Money? = nil, occurredAt: Instant, payment: PaymentID? = nil, method: String? = nil
    ) {
        self.id = id
        self.kind = kind
        self.own = own
        self.related = related
        self.sources = sources
        self.taken = taken
        self.gross = gross
        self.given = given
        self.isUndone = isUndone
        self.isByHand = isByHand
        self.fee = fee ?? .zero(gross.currency)
        self.occurredAt = occurredAt
        self.payment = payment
        self.method = method
    }

    /// Whether it books a fee and nothing else.
    public var isFee: Bool { gross.isZero && !fee.isZero }

    /// Whether a line says the same amount: in the payment's currency, or in that in which it was settled and booked.
    func isAmount(of line: SettlementLine) -> Bool {
        let line: SettlementLine = line.beside(self)
        return gross == line.amount(beside: gross.currency) || given == line.asked
    }

    /// Whether a line names another thing of the provider's than the booking: of names of one kind, none is the same. A line
    /// that carries our id needs no name.
    func isAnother(than line: SettlementLine) -> Bool {
        if let source: String = line.sourceName {
            if sources.contains(source) { return false }
            if isForeign(source, among: sources) { return true }
        }
        return line.references.taken.map { isForeign($0, among: taken.union(sources)) } ?? false
    }

    private func isForeign(_ name: String, among names: Set<String>) -> Bool {
        guard !names.contains(name) else { return false }
        let form: Substring = Self.form(of: name)
        return names.contains { $0 != own && Self.form(of: $0) == form }
    }

    /// What names of one kind have in common: `ch_`; nothing where a provider's names do not tell.
    private static func form(of name: String) -> Substring {
        name.firstIndex { $0 == "_" || $0 == "-" }.map { name[...$0] } ?? ""
    }

    /// Whether it books the fee of a line alone: the same amount, of what the line names.
    func isFee(of line: SettlementLine) -> Bool {
        guard isFee, fee == line.fee, kind == line.kind else { return false }
        if let source: String = line.references.source, sources.contains(source) { return true }
        if let taken: String = line.references.taken, self.taken.contains(taken) { return true }
        return false
    }
}

/// By what a line and a booking were found to be the same, the surest first.
public enum SettlementRule: String, Sendable, CaseIterable {
    /// The line carries our own id.
    case ownReference = "own_reference"
    /// The line names what we know by the same name.
    case providerReference = "provider_reference"
    /// Amount and currency are the same, the time is near, and there is no other on either side.
    case amountAndTime = "amount_and_time"
    /// Somebody who looked chose it among several.
    case chosen
    /// The line is where we hear of it: it was booked from the line.
    case bookedFromLine = "booked_from_line"
    /// Another line took it back before we heard of either: both were booked from the lines.
    case offset
}

/// In what a line and its booking disagree.
public enum SettlementDifference: Hashable, Sendable {
    /// The line's amount less the booked one.
    case amount(Money)
    /// The provider settled in another currency and does not say what it came from.
    case currency(booked: Money, settled: Money)
    /// The line's fee less the one that was booked.
    case fee(Money)

    /// The difference between a line and the booking it confirms; `nil` when they agree.
    /// - Throws: ``MoneyError/overflow``.
    public init?(of line: SettlementLine, from booking: SettlementBooking) throws(MoneyError) {
        let told: Money = line.amount(beside: booking.gross.currency)
        guard told.currency == booking.gross.currency else {
            self = .currency(booked: booking.gross, settled: line.gross)
            return
        }
        guard told == booking.gross else {
            self = .amount(try told.subtracting(booking.gross))
            return
        }
        try self.init(ofFee: line, from: booking)
    }

    /// In what the fees disagree; `nil` when they do not, or none was booked with the amount.
    /// - Throws: ``MoneyError/overflow``.
    public init?(ofFee line: SettlementLine, from booking: SettlementBooking) throws(MoneyError) {
        guard !booking.fee.isZero, booking.fee != line.fee, booking.fee.currency == line.fee.currency else {
            return nil
        }
        self = .fee(try line.fee.subtracting(booking.fee))
    }
}

/// A line that confirms a booking.
public struct SettlementMatch: Hashable, Sendable {
    /// The line's id at the provider.
    public let line: String
    /// The journal entry.
    public let booking: String
    /// By what they were found to be the same.
    public let rule: SettlementRule

    /// A pair.
    public init(line: String, booking: String, rule: SettlementRule) {
        self.line = line
        self.booking = booking
        self.rule = rule
    }
}
