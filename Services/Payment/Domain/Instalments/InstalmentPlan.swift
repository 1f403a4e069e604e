public import BillingCore

/// Something that happens to a plan, on a day. Days never go back.
public enum InstalmentEvent: Hashable, Sendable {
    /// A day has come: instalments fall due or late, or the plan into default.
    case day(CivilDate)
    /// An attempt to charge an instalment was refused, on a day that may be later than the last one counted: a plan stands
    /// still while its payments are under way.
    case declined(number: Int, judgedOn: CivilDate, on: CivilDate)
    /// The customer paid an instalment, or a part of it; also one that was given up.
    case paid(number: Int, amount: Money, on: CivilDate)
    /// A late fee is not asked for, as far as anything is still owed.
    case lateFeeWaived(number: Int, on: CivilDate)
    /// The customer paid off the plan with exactly ``InstalmentPlan/settlement(on:)``, or with less by a rounding that is
    /// given up.
    case settled(amount: Money, rounding: Money? = nil, on: CivilDate)
    /// A part of the purchase was taken back before it was paid: it is no longer owed, from the last instalment on.
    case refunded(amount: Money, on: CivilDate)
    /// All that is open of the purchase is taken back. What was paid stays paid; refunds of its payments give it back.
    case canceled(on: CivilDate)

    /// The day it happens on.
    public var date: CivilDate {
        switch self {
        case .day(let day), .canceled(let day): day
        case .declined(_, _, let day), .paid(_, _, let day), .lateFeeWaived(_, let day), .settled(_, _, let day),
            .refunded(_, let day):
            day
        }
    }
}

/// What it takes to pay off a plan on a day.
public struct Settlement: Hashable, Sendable {
    /// To be paid: the open principal, the charge earned up to the day, and late fees; or what was written off.
    public let amount: Money
    /// The charge not yet earned, which is not asked for. Directive (EU) 2023/2225, article 29: the reduction covers all
    /// costs, fees as well as interest (before it case C-383/18, Lexitor).
    public let rebate: Money
}

/// A running plan. It is a value that follows from its offer and its events alone: the same events give the same state
/// and the same journal, whether days are counted one by one or in leaps.
public struct InstalmentPlan: Hashable, Sendable {
    /// What was agreed.
    public let offer: InstalmentOffer
    /// The down payment, if any, and the instalments, by number.
    public internal(set) var instalments: [Instalment]
    /// The last day that was counted.
    public internal(set) var day: CivilDate
    /// What was not taken back of the purchase before it was paid.
    public internal(set) var purchaseLeft: Money

    /// Where the plan stands.
    public var status: InstalmentStatus { .of(instalments.map(\.status)) }

    /// Opens a plan on the day of the purchase. What is due at once is due.
    /// - Returns: The plan and what it books.
    /// - Throws: ``MoneyError``.
    public static func open(_ offer: InstalmentOffer) throws -> (plan: InstalmentPlan, entries: [InstalmentEntry]) {
        var plan = InstalmentPlan(offer)
        let opened = InstalmentEntry(
            .opened, on: offer.date,
            [
                InstalmentLedger.debit(InstalmentLedger.receivable, offer.totalPayable),
                try InstalmentLedger.credit(Ledger.customerPayments, offer.purchase),
                try InstalmentLedger.credit(InstalmentLedger.unearned, offer.charge),
            ])
        let entries: [InstalmentEntry] = try plan.apply(.day(offer.date))
        return (plan, [opened] + entries)
    }

    /// The state after events; the same as applying them one by one.
    /// - Throws: ``InstalmentError``, ``MoneyError``.
    public init(replaying events: some Sequence<InstalmentEvent>, on offer: InstalmentOffer) throws {
        self = try Self.open(offer).plan
        for event in events { _ = try apply(event) }
    }

    private init(_ offer: InstalmentOffer) {
        self.offer = offer
        instalments = offer.schedule.map(Instalment.init)
        day = offer.date
        purchaseLeft = offer.purchase
    }

    /// One as it was stored.
    package init(offer: InstalmentOffer, instalments: [Instalment], day: CivilDate, purchaseLeft: Money) {
        self.offer = offer
        self.instalments = instalments
        self.day = day
        self.purchaseLeft = purchaseLeft
    }

    /// What is owed in all, were every instalment paid in its time.
    public func owed() throws(MoneyError) -> Money {
        var sum: Money = .zero(offer.purchase.currency)
        for instalment in instalments { sum = try sum.adding(instalment.owed()) }
        return sum
    }

    /// What was written off and is still not paid.
    public func lost() throws(MoneyError) -> Money {
        var sum: Money = .zero(offer.purchase.currency)
        for instalment in instalments { sum = try sum.adding(instalment.lost()) }
        return sum
    }

    /// What is open of the purchase itself.
    public func openPrincipal() throws(MoneyError) -> Money {
        var sum: Money = .zero(offer.purchase.currency)
        for instalment in instalments { sum = try sum.adding(instalment.openParts().principal) }
        return sum
    }

    /// What it takes to pay off the plan on a day, as things stand now; late fees that the day brings come with
    /// ``InstalmentEvent/day(_:)``.
    public func settlement(on day: CivilDate) throws(MoneyError) -> Settlement {
        var amount: Money = try lost()
        var rebate: Money = .zero(offer.purchase.currency)
        for instalment in instalments where instalment.status.isOpen {
            let spared: Money = try instalment.rebate(on: day)
            rebate = try rebate.adding(spared)
            amount = try amount.adding(instalment.owed()).subtracting(spared)
        }
        return Settlement(amount: amount, rebate: rebate)
    }

    /// Takes an event: first everything that its day brings, then itself. A refused event leaves the plan as it was.
    /// - Returns: What it books, in order.
    /// - Throws: ``InstalmentError``, ``MoneyError``.
    public mutating func apply(_ event: InstalmentEvent) throws -> [InstalmentEntry] {
        guard event.date >= day else { throw InstalmentError.outOfOrder(after: day) }
        var next: InstalmentPlan = self
        var entries: [InstalmentEntry] = try next.advance(to: event.date)
        switch event {
        case .day: break
        case .declined(let number, let judgedOn, _): try next.decline(number, judgedOn: judgedOn)
        case .paid(let number, let amount, _): entries += try next.pay(number, amount)
        case .lateFeeWaived(let number, _): entries += try next.waive(number)
        case .settled(let amount, let rounding, _):
            entries += try next.settle(amount, rounding: rounding ?? .zero(amount.currency))
        case .refunded(let amount, _): entries += try next.refund(amount)
        case .canceled: entries += try next.cancel()
        }
        self = next
        return entries.filter { !$0.postings.isEmpty }
    }
}
