package import BillingCore
package import PaymentRecords
package import Postgres

/// How a customer agreed to a plan on a page.
package struct PlanAgreement: Sendable {
    /// Names the wording in the page's texts; another wording takes another name.
    package static let wording = "instalments-1"

    /// The fingerprint of the offer.
    let offer: String
    let given: PageAgreement

    package init(offer: String, given: PageAgreement) {
        self.offer = offer
        self.given = given
    }
}

/// Plans that begin on a page, where the customer may choose again after a refusal.
package enum PagePlan {
    /// Keeps how the customer agreed, with the plan for ever, and with the card that later instalments are charged to.
    package static func agree(
        _ agreement: PlanAgreement, to plan: InstalmentPlanID, with card: PaymentMethodID,
        in db: borrowing PostgresTransaction
    ) throws {
        let given: PageAgreement = agreement.given
        _ = try db.execute(
            """
            INSERT INTO instalment_agreements (plan_id, offer, wording, language, ip_address, user_agent, accepted_at)
            VALUES (\(plan), \(agreement.offer), \(PlanAgreement.wording), \(given.language),
                \(given.ipAddress), \(given.userAgent), \(given.acceptedAt))
            """)
        try StoredCredentialStore.agree(given.mandate(of: card), for: card, in: db)
    }

    /// Gives up a plan, whose row is locked, and its first payment, which was declined. One that has ended already stays as
    /// it is: the news of the decline was here first.
    package static func giveUp(
        _ plan: PlanRecord, _ payment: PaymentID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard plan.status == .pending else { return }
        var work = PlanWork(plan, at: now)
        try InstalmentPayments.fail(&work, with: payment, at: now, in: db)
        try PlanWriter.save([work], in: db)
    }
}
