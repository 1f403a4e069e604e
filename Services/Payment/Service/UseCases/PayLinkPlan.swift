import BillingCore
import HTTPKit
import Messaging
import PaymentDomain
import PaymentInstalments
import PaymentLinks
import PaymentRecords
import Postgres
import Telemetry

/// The payment that a slot of a link is at, its row locked; of an instalment plan the plan's row too, before it.
struct LinkAttempt {
    let payment: PaymentRecord
    /// The plan whose first payment it is.
    let plan: PlanRecord?

    /// `nil` for a slot that has none.
    static func lock(
        of link: PaymentLinkID, _ slot: String, in db: borrowing PostgresTransaction
    ) throws -> LinkAttempt? {
        guard let use: LinkUse = try LinkUseStore.payment(of: link, slot: slot, in: db) else { return nil }
        let plan: PlanRecord? = try PlanStore.lock(of: use.paymentID, in: db)
        return try PaymentStore.lock(use.paymentID, in: db).map { LinkAttempt(payment: $0, plan: plan) }
    }

    /// Whether a new attempt, or a new payment, may follow: never beside one that may still go through, and after a refusal
    /// only for who has seen it, and with no card that was tried on the link before.
    func admits(_ input: PayLinkInput, on link: PaymentLinkID, in db: borrowing PostgresTransaction) throws -> Bool {
        guard payment.wasRefused else { return payment.status == .canceled }
        switch input.choice {
        case .card(let card): return try !LinkUseStore.wasTried(card, on: link, in: db)
        case .page: return payment.attempts == input.attempts
        }
    }

    /// The payment, where another attempt at it follows: a refused one of the whole amount, asked for in whole again.
    func triedAgain(by input: PayLinkInput) -> PaymentRecord? {
        payment.status == .failed && plan == nil && input.plan == nil ? payment : nil
    }

    /// Makes room for a payment of another amount: the refused one, and its plan, are over for good.
    func giveUp(at now: Instant, in db: borrowing PostgresTransaction) throws {
        if let plan { return try PagePlan.giveUp(plan, payment.id, at: now, in: db) }
        try PaymentStore.cancel([payment], at: now, in: db)
        try Outbox.append([PaymentEvents.canceled(payment, reason: "paid_in_another_way", at: now)], in: db)
    }
}

extension PayLink {
    /// Begins the plan that the customer has agreed to; its first payment is this use of the link.
    /// - Returns: That payment.
    /// - Throws: ``Problem``: the offer is another by now, or none.
    func agree(
        _ choice: PlanChoice, _ means: LinkMeans, _ standing: LinkStanding, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> PaymentID {
        try require(standing, LinkMethod.instalments.rawValue, at: call.now, in: db)
        guard let instalments: InstalmentSettings = settings.instalments, let card = means.card, card.type == "card",
            !card.isOfWallet
        else { throw Self.unsupported }
        try keepForPlan(card, at: call.now, in: db)
        let link: LinkRecord = standing.link
        let order = PlanOrder(
            customerID: link.customerID, paymentMethodID: card.id, amount: link.amount, terms: choice.terms,
            offer: choice.offer, description: link.description, metadata: metadata(of: link),
            returnURL: settings.address(of: link.code), keepsMethod: true)
        let plan: PlanRecord = try CausalTraces.$byKey.withValue([link.customerID.rawValue: call.trace.traceparent]) {
            do {
                let agree = AgreePlan(settings: instalments, providers: settings.providers)
                return try agree(order, at: call.now, in: db)
            } catch AgreePlan.Failure.unknownTerms {
                throw Problem.invalid("instalments.terms", code: "unknown_terms", "there are no terms of this name")
            }
        }
        // Terms that take nothing at once are not the page's: a use of a link is a payment.
        guard let payment: PaymentID = plan.awaited else { throw Self.unsupported }
        let agreement = PlanAgreement(offer: choice.offer, given: Self.given(choice.language, call))
        try PagePlan.agree(agreement, to: plan.id, with: card.id, in: db)
        try LinkUseStore.use(link.id, slot: link.slot(of: session), session: session, payment: payment, in: db)
        return payment
    }

    /// How the visitor agrees.
    static func given(_ language: PageLanguage, _ call: Call) -> PageAgreement {
        PageAgreement(
            language: language.rawValue, ipAddress: call.clientAddress, userAgent: String(call.userAgent.prefix(500)),
            acceptedAt: call.now)
    }

    /// A link's metadata, and its name.
    func metadata(of link: LinkRecord) -> String {
        Metadata.encode(Metadata.decode(link.metadata).merging(["payment_link_id": link.id.rawValue]) { $1 })
    }
}
