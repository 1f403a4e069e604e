import BillingCore
import BillingEvents
import JSON
import Kafka
import Messaging
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit

/// What the broker delivers to the daemons: Fraud's word, and invoices that are collected while nobody is there.
extension MatrixStage {
    /// Delivers an event until a daemon has handled it; twice, and to two at once, where the story says so.
    func deliver<Body: EventBody>(_ story: MatrixStory, _ body: Body, to customer: CustomerID) async throws {
        let now: Instant = SystemClock().now
        let message = KafkaMessage(
            topic: Body.topic.rawValue, partition: 0, offset: 0, key: customer.rawValue,
            headers: [
                "ce_specversion": "1.0", "ce_id": EventID.new(at: now).rawValue, "ce_type": Body.type,
                "ce_source": "refrain/test", "ce_time": now.rfc3339,
            ], value: encode(body))
        let world: FaultMatrixWorld = world
        _ = try await twins(story) {
            for turn in 0..<200 where await world.daemon(story.daemons[turn % 8]).hear(message) { return }
        }
    }

    /// Fraud approves what waits for it. A payment that it says nothing of is the sweeper's to decide.
    func assess(_ story: MatrixStory, _ id: PaymentID) async throws {
        guard story.isAssessed, let payment = try await world.payment(id), payment.status == .created else { return }
        let word = FraudAssessedV1(
            assessmentID: .new(at: SystemClock().now), paymentID: id, attemptID: payment.attemptID,
            attempt: Int64(payment.attempts), customerID: payment.customerID, score: "0.1000", decision: "approve",
            reasons: [], model: "rules-1")
        try await deliver(story, word, to: payment.customerID)
    }

    /// An invoice falls due, and is collected from the method that its customer keeps.
    func collect(_ story: MatrixStory, _ method: MatrixMethod, _ customer: CustomerID) async throws -> PaymentID? {
        let now: Instant = SystemClock().now
        let invoice = InvoiceID.new(at: now)
        let due = InvoiceFinalizedV1(
            invoiceID: invoice, number: "INV-\(story.index)", billingID: .new(at: now),
            subscriptionID: .new(at: now), customerID: customer,
            amount: Money(minor: story.minor, currency: method.currency), periodStart: now, periodEnd: now,
            issuedAt: now)
        try await deliver(story, due, to: customer)
        for _ in 0..<100 {
            let ids: [String] = try await world.texts("SELECT id FROM payments WHERE invoice_id = \(invoice)")
            if let id: String = ids.first { return PaymentID(unchecked: id) }
            try await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    /// What was not paid is collected again as often as the story says; then, now and then, the invoice is withdrawn.
    func collectAgain(_ story: MatrixStory, _ first: PaymentRecord) async throws -> PaymentRecord? {
        var payment: PaymentRecord = first
        for attempt in 0..<story.collections {
            guard payment.status == .failed, let invoice: InvoiceID = payment.invoiceID else { break }
            let now: Instant = SystemClock().now
            let again = SubscriptionCollectionDueV1(
                subscriptionID: .new(at: now), customerID: payment.customerID, billingID: .new(at: now),
                invoiceID: invoice, attempt: Int64(attempt + 2), reason: "retry")
            try await deliver(story, again, to: payment.customerID)
            let before: Int = payment.attempts
            guard let begun = try await wait(payment.id, { $0.attempts > before }) else { return nil }
            try await assess(story, begun.id)
            guard let next = try await wait(payment.id, { $0.status.isSettled }) else { return nil }
            payment = next
        }
        if payment.status == .failed, story.collections == 1, let invoice: InvoiceID = payment.invoiceID {
            let now: Instant = SystemClock().now
            let withdrawn = InvoiceVoidedV1(
                invoiceID: invoice, billingID: .new(at: now), subscriptionID: .new(at: now),
                customerID: payment.customerID, amount: payment.amount, reason: "withdrawn")
            try await deliver(story, withdrawn, to: payment.customerID)
        }
        return payment
    }
}

extension MatrixDaemon {
    /// Handles an event as the broker's client would.
    /// - Returns: `false` when the daemon died over it: it is delivered again.
    func hear(_ message: KafkaMessage) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await events.handle([message])
                return !Task.isCancelled
            }
            group.addTask {
                while !life.isOver { do { try await Task.sleep(for: .milliseconds(20)) } catch { break } }
                return false
            }
            let isHandled: Bool = await group.next() ?? false
            group.cancelAll()
            return isHandled
        }
    }
}
