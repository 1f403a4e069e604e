package import BillingCore
import HTTPKit
package import JSON
import PaymentDomain
import PaymentRecords
package import Postgres

/// What a page is told of its link and its payment: no more than who pays should see.
package struct LinkStatusResource: JSONOutput {
    let status: LinkStatus
    let payment: LinkPaymentResource?

    /// - Parameter session: The page's visit. On a link for one payment every visitor learns how that stands; its card
    ///   is shown only to the visit that gave it.
    package init(
        _ standing: LinkStanding, session: LinkSession, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        status = standing.status(at: now)
        let link: LinkRecord = standing.link
        guard let use = try LinkUseStore.payment(of: link.id, slot: link.slot(of: session), in: db),
            let payment: PaymentRecord = try PaymentStore.find(use.paymentID, in: db)
        else {
            self.payment = nil
            return
        }
        let method: PaymentMethodRecord? =
            use.session == session.text
            ? try payment.paymentMethodID.flatMap { try PaymentMethodStore.find($0, in: db) } : nil
        self.payment = LinkPaymentResource(payment: payment, brand: method?.brand, last4: method?.last4)
    }

    init(status: LinkStatus, payment: LinkPaymentResource?) {
        self.status = status
        self.payment = payment
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "payment_link_status")
        o.field("status", status, doc: "The link's")
        o.field("payment", payment, doc: "null until the page has begun one")
    }

    package static var sample: Self { Self(status: .completed, payment: .sample) }
}

/// A payment as its page shows it.
struct LinkPaymentResource: JSONOutput {
    /// What a page tells apart.
    enum Phase: String, CaseIterable, Sendable {
        case processing
        case requiresAction = "requires_action"
        case succeeded
        case failed
        case canceled
    }

    let payment: PaymentRecord
    let brand: String?
    let last4: String?

    private var phase: Phase {
        switch payment.status {
        case .created, .processing, .canceling: .processing
        case .requiresAction: .requiresAction
        case .authorized, .succeeded: .succeeded
        case .failed: .failed
        case .canceled: .canceled
        }
    }

    func write(to o: inout ObjectWriter) {
        o.field("id", payment.id, doc: "For the receipt")
        o.field("status", phase)
        o.money("amount", payment.amount, doc: "Minor units")
        o.field("card_brand", brand, doc: "For the visit that gave the card only")
        o.field("card_last4", last4)
        o.field("failure", payment.decline.map(LinkFailureResource.init))
        o.field("next_action", nextAction, doc: "What the customer does now")
        o.field("created_at", payment.createdAt)
    }

    /// Every kind of action the page can carry out goes through here: `three_d_secure`, `redirect` with `url`, `transfer`
    /// with `uri`, `address`, `amount`, `asset` and `expires_at`.
    private var nextAction: JSONValue {
        payment.status == .requiresAction ? ["type": "three_d_secure"] : .null
    }

    static var sample: Self { Self(payment: .sample, brand: "visa", last4: "4242") }
}

/// Why the last attempt failed, as far as the payer is told: a suspicion of fraud looks like any other refusal.
struct LinkFailureResource: JSONOutput {
    let decline: Decline

    func write(to o: inout ObjectWriter) {
        let isTold: Bool = decline.declineClass != .fraud
        o.field("code", isTold ? decline.code : Decline.genericDecline.code)
        o.field("decline_class", isTold ? decline.declineClass.rawValue : Decline.genericDecline.declineClass.rawValue)
    }

    static var sample: Self { Self(decline: .insufficientFunds) }
}
