import BillingCore
import BillingEvents
import Messaging
import PaymentDomain
import PaymentRecords

/// The events of disputes, built in one place.
enum DisputeEvents {
    /// What becomes known with a change of standing. How it ended is told again with another amount, so that whoever adds up
    /// what was lost has the last one.
    /// - Parameter before: `nil` when the dispute is new here.
    static func of(
        _ dispute: DisputeRecord, after before: DisputeStanding?, of payment: PaymentRecord, at now: Instant
    ) -> [OutboxEvent] {
        var events: [OutboxEvent] = []
        let isEscalated: Bool = before?.status.funds == .untouched && dispute.status.funds != .untouched
        if before == nil || isEscalated { events.append(disputed(dispute, payment, now)) }
        let isNews: Bool = before?.status != dispute.status || before?.amount != dispute.standing.amount
        if dispute.status.isClosed, isNews { events.append(closed(dispute, payment, now)) }
        return events
    }

    private static func disputed(_ dispute: DisputeRecord, _ payment: PaymentRecord, _ now: Instant) -> OutboxEvent {
        let body = PaymentDisputedV1(
            disputeID: dispute.id, paymentID: payment.id, customerID: payment.customerID,
            paymentMethodID: payment.paymentMethodID, amount: dispute.standing.amount, reason: dispute.reason,
            isInquiry: dispute.status.funds == .untouched, invoiceID: payment.invoiceID,
            subscriptionID: payment.subscriptionID, provider: dispute.provider, evidenceDueBy: dispute.evidenceDueBy,
            openedAt: dispute.openedAt, disputedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    private static func closed(_ dispute: DisputeRecord, _ payment: PaymentRecord, _ now: Instant) -> OutboxEvent {
        let body = PaymentDisputeClosedV1(
            disputeID: dispute.id, paymentID: payment.id, customerID: payment.customerID,
            paymentMethodID: payment.paymentMethodID, amount: dispute.standing.amount, reason: dispute.reason,
            outcome: dispute.status.rawValue, invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID,
            closedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }
}
