public import BillingCore

/// One movement of our account at a provider, as the provider reports it.
///
/// Signs are ours: what makes the account grow is positive, a fee that the provider keeps is positive too.
public struct SettlementLine: Hashable, Sendable {
    /// What moved.
    public enum Kind: String, Sendable, CaseIterable {
        case charge, refund, dispute, fee, payout, adjustment
        /// A dispute ended in our favor, or was withdrawn: the money is back.
        case disputeReversal = "dispute_reversal"
        /// A payout did not arrive: the money is back at the provider.
        case payoutFailure = "payout_failure"

        /// Whether the movement is first heard of here: it is booked from the line and needs no partner in our books.
        public var isBookedFromLine: Bool {
            switch self {
            case .fee, .payout, .payoutFailure: true
            case .charge, .refund, .dispute, .disputeReversal, .adjustment: false
            }
        }
    }

    /// Why figures do not make a line.
    public enum Fault: Error, Equatable, Sendable {
        /// Net is not gross less fee, or the currencies differ.
        case doesNotAddUp
        /// The gross amount has the sign of another kind: a charge that takes money away.
        case sign(Kind)
    }

    /// What the amount was in the payment's own currency, where the provider converted it.
    public struct Presentment: Hashable, Sendable {
        /// Signed as the line's gross amount.
        public let amount: Money
        /// Settlement currency for one unit of the presentment currency; `nil` where the provider does not tell.
        public let rate: ExactDecimal?

        /// An amount with its rate.
        public init(amount: Money, rate: ExactDecimal?) {
            self.amount = amount
            self.rate = rate
        }
    }

    /// What a line names.
    public struct References: Hashable, Sendable {
        /// Our own id, where the provider carried it: an attempt, a capture, a refund.
        public let own: String?
        /// The provider's name of what moved: a charge, a refund, a dispute, a payout.
        public let source: String?
        /// The provider's name of the charge or capture it is about, where it is another.
        public let taken: String?

        /// References; all may be absent.
        public init(own: String? = nil, source: String? = nil, taken: String? = nil) {
            self.own = own
            self.source = source
            self.taken = taken
        }
    }

    /// The largest amount that a line may have, in minor units: that of a thousand of the largest payments, so that a payout
    /// fits in as well. Nothing that is done with one such amount comes near the end of 64 bits.
    public static let largestAmount: Int64 = 1_000_000_000_000_000

    /// The provider's name: `stripe`.
    public let provider: String
    /// The provider's id of the line, once for ever.
    public let id: String
    /// What moved.
    public let kind: Kind
    /// In the settlement currency, as the others.
    public let gross: Money
    /// What the provider keeps of it; negative when it gives a fee back.
    public let fee: Money
    /// What the account really grew by.
    public let net: Money
    /// What it names.
    public let references: References
    /// What it was before the provider converted it; `nil` where it did not.
    public private(set) var presentment: Presentment?
    /// When the provider says it happened.
    public let occurredAt: Instant
    /// From when on it can be paid out, or when a payout arrives; `nil` where the provider does not tell.
    public let availableAt: Instant?

    /// A line whose figures agree.
    /// - Throws: ``Fault``.
    public init(
        provider: String, id: String, kind: Kind, gross: Money, fee: Money, net: Money,
        references: References = References(), presentment: Presentment? = nil, occurredAt: Instant,
        availableAt: Instant? = nil
    ) throws(Fault) {
        let difference: Money
        do throws(MoneyError) { difference = try gross.subtracting(fee) } catch { throw .doesNotAddUp }
        guard difference == net else { throw .doesNotAddUp }
        guard kind.allows(gross), presentment.map({ kind.allows($0.amount) }) ?? true else { throw .sign(kind) }
        self.provider = provider
        self.id = id
        self.kind = kind
        self.gross = gross
        self.fee = fee
        self.net = net
        self.references = references
        self.presentment = presentment
        self.occurredAt = occurredAt
        self.availableAt = availableAt
    }

    /// Whether every amount is one that somebody can have meant. A line that is not is neither matched nor booked: a person
    /// looks at it.
    public var isWithinBounds: Bool {
        [gross, fee, net, asked].allSatisfy { $0.minor.magnitude <= Self.largestAmount.magnitude }
    }

    /// The gross amount in the currency in which it was charged or given back.
    public var asked: Money { presentment?.amount ?? gross }

    /// The gross amount to set beside one of a currency: as it was settled where that is the currency, else as it was asked.
    public func amount(beside currency: Currency) -> Money { gross.currency == currency ? gross : asked }

    /// The provider's name of the charge, refund or dispute that moved; `nil` where it only names the movement.
    var sourceName: String? {
        switch kind {
        case .charge, .refund: references.source
        case .dispute, .disputeReversal, .adjustment, .fee, .payout, .payoutFailure:
            references.source == id ? nil : references.source
        }
    }
}

extension SettlementLine {
    /// The line beside a booking. Of a charge that is captured in parts a provider may tell what was captured in all (Stripe):
    /// where its rate makes the line's amount not of that but of what was booked, the line is over what was booked.
    public func beside(_ booking: SettlementBooking) -> SettlementLine {
        let booked: Money = booking.given ?? booking.gross
        guard kind == .charge, isWithinBounds, let shown: Presentment = presentment,
            let rate: ExactDecimal = shown.rate, booked.isPositive, booked != shown.amount,
            booked.currency == shown.amount.currency,
            !isWorth(of: shown.amount, at: rate), isWorth(of: booked, at: rate)
        else { return self }
        var line: SettlementLine = self
        line.presentment = Presentment(amount: booked, rate: rate)
        return line
    }

    /// Whether the line's amount is what a rate makes of another one: to the unit, or to the fifth digit of the rate.
    private func isWorth(of amount: Money, at rate: ExactDecimal) -> Bool {
        do throws(MoneyError) {
            let exponent: Int = gross.currency.exponent
            let shown = try ExactDecimal(coefficient: Int128(amount.minor), scale: amount.currency.exponent)
            let worth: ExactDecimal = try shown.multiplied(by: rate)
            let settled = try ExactDecimal(coefficient: Int128(gross.minor), scale: exponent)
            let unit = try ExactDecimal(coefficient: 1, scale: exponent)
            let digit = try ExactDecimal(coefficient: Int128(gross.minor), scale: exponent + 5)
            let more: ExactDecimal = try worth.subtracting(settled)
            let less: ExactDecimal = try more.negated()
            return max(more, less) <= max(unit, digit)
        } catch {
            // More than any amount: it is not this one.
            return false
        }
    }
}

extension SettlementLine.Kind {
    /// Whether an amount has a sign that this kind can have.
    public func allows(_ gross: Money) -> Bool {
        switch self {
        case .charge, .disputeReversal, .payoutFailure: !gross.isNegative
        case .refund, .dispute, .payout: !gross.isPositive
        case .fee, .adjustment: true
        }
    }
}
