import BillingCore
import PaymentDomain

/// How a bank answers debits of an account. The numbers and names are those of Stripe's German test accounts
/// (docs.stripe.com/payments/sepa-debit/accept-a-payment, "Test your integration").
enum SandboxAccount: String, CaseIterable, Sendable {
    case paid = "pm_success_de"
    case returned = "pm_failed_de"
    case disputed = "pm_disputed_de"

    /// Banks answer within so many days on which the euro's settlement system is open.
    static let openDays = 5
    /// What the bank of a returned debit says.
    static let returnCode = Decline.insufficientFunds.code

    /// The behaviour of a number; debits of any other account are paid.
    init(_ iban: IBAN) {
        self = Self.allCases.first { $0.number == iban.text } ?? .paid
    }

    private var number: String {
        switch self {
        case .paid: "DE89370400440532013000"
        case .returned: "DE62370400440532013001"
        case .disputed: "DE35370400440532013002"
        }
    }

    /// What may be shown of it.
    var last4: String { String(number.suffix(4)) }

    /// What a debit that was paid leads to; `nil` when nobody minds.
    var dispute: SandboxDisputeKind? { self == .disputed ? .fraudulent : nil }

    /// When the bank answers what it is asked now.
    static func answer(to asked: Instant) -> Instant {
        let first = CivilDate(dayNumber: Int(asked.seconds / 86_400))
        var days = 0
        while TargetCalendar.openDays(after: first, through: first.adding(days: days)) < openDays { days += 1 }
        return asked + .seconds(days * 86_400)
    }
}
