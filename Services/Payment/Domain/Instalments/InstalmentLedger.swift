public import BillingCore

/// What a step of a plan books: one journal entry, which sums to zero and has no empty line.
public struct InstalmentEntry: Hashable, Sendable {
    /// Why it is booked.
    public enum Reason: String, Sendable, CaseIterable {
        /// The plan was agreed: the purchase and the charge are owed.
        case opened
        /// A part of the charge has been earned.
        case earned
        /// An instalment was paid, in full or in part.
        case paid
        /// An instalment is late.
        case lateFee = "late_fee"
        /// A late fee is no longer asked for.
        case lateFeeWaived = "late_fee_waived"
        /// The plan was paid off before its time.
        case settledEarly = "settled_early"
        /// A part of the purchase was taken back.
        case refunded
        /// What is owed is given up.
        case writtenOff = "written_off"
        /// What was given up is paid after all.
        case recovered
        /// What was not paid of the purchase was taken back.
        case canceled
    }

    /// Why it is booked.
    public let reason: Reason
    /// The day it is booked on.
    public let day: CivilDate
    /// The lines.
    public let postings: [Posting]

    init(_ reason: Reason, on day: CivilDate, _ lines: [Posting]) {
        self.reason = reason
        self.day = day
        postings = lines.filter { !$0.amount.isZero }
    }
}

/// The accounts of instalment plans.
///
/// A payment's own entry puts its money on the provider's account and calls it income. The plan called the whole
/// purchase income on its day, so it moves each payment from there to what was owed.
public enum InstalmentLedger {
    /// What customers owe under plans: purchases, charges and late fees.
    public static let receivable = "assets:instalments_receivable"
    /// Charges agreed and not yet earned.
    public static let unearned = "liabilities:instalments_unearned"
    /// Interest earned.
    public static let interest = "income:instalment_interest"
    /// Flat fees earned.
    public static let fees = "income:instalment_fees"
    /// Late fees.
    public static let lateFees = "income:instalment_late_fees"
    /// What was given up.
    public static let writeOff = "expense:instalment_write_off"

    /// A debit.
    static func debit(_ account: String, _ amount: Money) -> Posting { Posting(account: account, amount: amount) }

    /// A credit.
    static func credit(_ account: String, _ amount: Money) throws(MoneyError) -> Posting {
        Posting(account: account, amount: try amount.negated())
    }
}

extension InstalmentCharge {
    /// Where the charge goes when it is earned.
    var incomeAccount: String {
        switch self {
        case .interest: InstalmentLedger.interest
        case .none, .flatFee: InstalmentLedger.fees
        }
    }
}
