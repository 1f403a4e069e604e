package import BillingCore
package import PaymentDomain
package import Postgres

/// Why an attempt at a card is not made.
package struct BudgetRefusal: Sendable, Equatable {
    /// What the attempt ends with.
    package let decline: Decline
    /// When the card's network allows the next one; `nil` where it never does.
    package let retryAt: Instant?

    init(_ decline: Decline, retryAt: Instant? = nil) {
        self.decline = decline
        self.retryAt = retryAt
    }
}

/// What the card networks allow. While the customer is there a card's end and the network's count bind, and nothing else does:
/// waits are for who tries alone, details may have been entered anew, and who pays goes back on an order to stop.
package enum RetryBudgets {
    /// How long an attempt may be under way before it counts as a failed one.
    fileprivate static let underWay: Duration = .seconds(600)

    /// Whether the customer's card `m` that a payment `p` is charged to was refused before: only then is there a history to
    /// look at. A subquery of one row, so that it goes by the customer's methods and their refused attempts, whatever the sizes
    /// of the tables.
    package static let isOfRefusedCard: SQL = """
        (m.type = ANY(\(CardMethod.types)::text[]) AND (
            SELECT 1 FROM payment_methods k JOIN payment_attempts f ON f.payment_method_id = k.id
            WHERE k.customer_id = p.customer_id AND k.fingerprint = m.fingerprint
                AND f.status = 'failed' AND NOT f.unsent LIMIT 1) IS NOT NULL)
        """

    /// The payments, about to be asked for with their cards, that the cards' networks do not allow now. The history is
    /// read of cards alone that were refused before, of all of them at once.
    package static func refusals(
        of payments: [PaymentID], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: BudgetRefusal] {
        let cards: [RefusedCard] = try RefusedCard.read(payments, in: db)
        guard !cards.isEmpty else { return [:] }
        let past: [PaymentID: [CardAttempt]] = try CardHistory.read(
            cards.map(\.question), without: cards.map(\.attemptID), in: db)
        var refusals: [PaymentID: BudgetRefusal] = [:]
        for card in cards {
            refusals[card.question.payment] = card.refusal(at: now, after: past[card.question.payment] ?? [])
        }
        return refusals
    }

    /// The attempts among these, whose ends are not stored yet, after which the networks of their cards allow no other now.
    package static func last(
        of ended: [EndedAttempt], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Set<AttemptID> {
        let cards: [RefusedCard] = try RefusedCard.read(
            ended.map(\.paymentID), where: "m.type = ANY(\(CardMethod.types)::text[])", in: db)
        guard !cards.isEmpty else { return [] }
        let past: [PaymentID: [CardAttempt]] = try CardHistory.read(
            cards.map(\.question), ends: Dictionary(ended.map { ($0.attemptID, $0) }) { first, _ in first }, in: db)
        return Set(
            cards.filter { $0.refusal(at: now, after: past[$0.question.payment] ?? []) != nil }.map(\.attemptID))
    }
}

extension BudgetRefusal {
    /// `nil` for what is allowed.
    fileprivate init?(_ permission: RetryPermission) {
        switch permission {
        case .allowed: return nil
        case .refused(until: let until, .limit): self.init(.tooManyAttempts, retryAt: until)
        case .refused(until: let until, _): self.init(.retryLater, retryAt: until)
        case .refusedForGood: self.init(.doNotTryAgain)
        }
    }
}

extension CardAttempt {
    /// As it counts while the customer is there.
    fileprivate var withCustomer: CardAttempt {
        guard case .declined(let code, let advice, let decline) = outcome.agreedAnew() else { return self }
        let isEnd: Bool = advice?.retry == .never && advice?.isOfDetails == false
        return CardAttempt(
            at: at, amount: amount,
            outcome: .declined(networkCode: code, advice: isEnd ? advice : nil, decline: decline))
    }
}

/// A card that is about to be charged, and that was refused before, or just now.
private struct RefusedCard: PostgresRecord, Sendable {
    let question: CardHistory.Question
    /// The attempt that is about to be made, or has just been refused.
    let attemptID: AttemptID
    let amount: Money
    let isCustomerThere: Bool

    /// - Parameter condition: Which of the payments `p` with their methods `m`.
    static func read(
        _ payments: [PaymentID], where condition: SQL = RetryBudgets.isOfRefusedCard,
        in db: borrowing PostgresTransaction
    ) throws -> [RefusedCard] {
        try db.query(
            """
            SELECT p.id, p.customer_id, m.id, m.fingerprint, m.brand, \(CardHistory.agreedAt), p.attempt_id, p.amount,
                p.currency, NOT p.off_session
            FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
            WHERE p.id = ANY(\(payments.map(\.rawValue))::text[]) AND \(condition)
            """, as: RefusedCard.self)
    }

    /// Why its network does not allow an attempt now; `nil` where it does. What other payments have under way is mostly about
    /// to be approved: it counts when it has taken long.
    func refusal(at now: Instant, after past: [CardAttempt]) -> BudgetRefusal? {
        let budget: RetryBudget = .of(brand: question.brand ?? "")
        let history: [CardAttempt] = past.filter {
            $0.outcome != .unknown || $0.at < now - RetryBudgets.underWay
        }.map { isCustomerThere ? $0.withCustomer : $0 }
        return BudgetRefusal(budget.permission(for: amount, at: now, after: history))
    }

    init(row: inout PostgresRow) throws {
        question = CardHistory.Question(
            payment: try row.next(), customer: try row.next(), method: try row.next(), fingerprint: try row.next(),
            brand: try row.next(), agreedAt: try row.next())
        attemptID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        isCustomerThere = try row.next()
    }
}
