package import BillingCore
package import PaymentContract
import PaymentDomain
package import PaymentThreeDS
package import Postgres

/// What a payment is part of, as its card's issuer is told when the customer authenticates.
package enum PaymentSeries: Sendable, Hashable {
    /// A payment of its own.
    case single
    /// With it the customer agrees to later charges without them, whenever those are due.
    case agreement
    /// One of a subscription, which has no end.
    case subscription
    /// One of an instalment plan: so many charges in all, the last one by this day, at least so many days apart.
    case plan(charges: Int, lastDay: CivilDate, everyDays: Int)

    /// Reads what a payment is part of.
    package static func read(_ payment: PaymentID, in db: borrowing PostgresTransaction) throws -> PaymentSeries {
        try db.first(
            """
            SELECT p.subscription_id IS NOT NULL, p.keeps_method, s.charges, s.last_day, s.interval
            FROM payments p LEFT JOIN LATERAL (
                SELECT count(*) AS charges, max(o.due_on) + t.default_after_days AS last_day, t.interval
                FROM instalments i JOIN instalments o ON o.plan_id = i.plan_id
                JOIN instalment_plans l ON l.id = i.plan_id JOIN instalment_terms t ON t.id = l.terms_id
                WHERE i.id = p.instalment_id GROUP BY t.default_after_days, t.interval) AS s ON true
            WHERE p.id = \(payment)
            """
        ) { row in
            let isOfSubscription: Bool = try row.next()
            let keepsMethod: Bool = try row.next()
            let charges: Int? = try row.next()
            let lastDay: CivilDate? = try row.next()
            let interval: String? = try row.next()
            // The protocol knows plans of two charges and more.
            if let charges, charges > 1, let lastDay {
                return .plan(charges: charges, lastDay: lastDay, everyDays: Self.days(of: interval))
            }
            return isOfSubscription ? .subscription : keepsMethod ? .agreement : .single
        } ?? .single
    }

    /// The least number of days between two charges of a plan.
    private static func days(of interval: String?) -> Int {
        interval == InstalmentInterval.twoWeeks.rawValue ? 14 : 28
    }

    /// What the cardholder agrees to, in the protocol's terms.
    /// - Parameters:
    ///   - card: A subscription's charges of it end with the card.
    ///   - version: 2.1.0 does not know agreements of this kind; a card that is kept comes closest.
    package func purpose(
        with card: WalletCard, in version: MessageVersion, on today: CivilDate
    ) -> AuthenticationTerms.Purpose {
        func recurrence(_ lastDay: CivilDate, _ days: Int) -> AuthenticationTerms.Recurrence {
            AuthenticationTerms.Recurrence(
                lastDay: CivilDate(dayNumber: max(lastDay.dayNumber, today.dayNumber)), everyDays: days)
        }
        switch self {
        case .single: return .payment
        case .agreement: return version >= .v220 ? .billingAgreement : .addCard
        // Its interval is not known here, and a charge that failed is tried again: they are a day apart at least.
        case .subscription: return .recurring(recurrence(card.lastDay ?? today, 1))
        case .plan(let charges, let lastDay, let days): return .instalments(charges, recurrence(lastDay, days))
        }
    }
}

extension WalletCard {
    /// The last day of its last month.
    fileprivate var lastDay: CivilDate? {
        CivilDate(
            year: expYear, month: expMonth,
            day: (1...12).contains(expMonth) ? CivilDate.daysInMonth(year: expYear, month: expMonth) : 1)
    }
}
