package import BillingCore
import PaymentRecords
package import Postgres

/// How a customer agreed to a plan on a page.
package struct PlanAgreement: Sendable {
    /// Names the wording in the page's texts; another wording takes another name.
    package static let wording = "instalments-1"

    /// The fingerprint of the offer.
    let offer: String
    /// In which it was read.
    let language: String
    let ipAddress: String
    let userAgent: String

    package init(offer: String, language: String, ipAddress: String, userAgent: String) {
        self.offer = offer
        self.language = language
        self.ipAddress = ipAddress
        self.userAgent = userAgent
    }
}

/// Plans that begin on a page, where the customer may choose again after a refusal.
package enum PagePlan {
    /// Keeps how the customer agreed, with the plan for ever, and with the card that later instalments are charged to.
    package static func agree(
        _ agreement: PlanAgreement, to plan: InstalmentPlanID, with card: PaymentMethodID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO instalment_agreements (plan_id, offer, wording, language, ip_address, user_agent, accepted_at)
            VALUES (\(plan), \(agreement.offer), \(PlanAgreement.wording), \(agreement.language),
                \(agreement.ipAddress), \(agreement.userAgent), \(now))
            """)
        let mandate = Mandate(
            of: card, type: .online, acceptedAt: now, ip: agreement.ipAddress, userAgent: agreement.userAgent)
        try StoredCredentialStore.agree(mandate, for: card, in: db)
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
