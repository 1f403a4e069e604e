import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Reviewing held payments") struct ReviewTests {
    /// A payment whose money is held for review, as a verdict of that kind leaves it.
    private func held(
        _ world: PaymentWorld, captures: Bool = true, amount: Int64 = 1_299
    ) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await world.created(world.payer(), amount: amount)
        try await world.execute(
            """
            UPDATE payments SET capture_method = 'manual', review_status = 'pending', review_captures = \(captures)
            WHERE id = \(payment.id)
            """)
        await world.decide(payment, "review")
        let settled: PaymentRecord = try await world.settled(payment.id)
        #expect(settled.status == .authorized)
        return settled
    }

    @discardableResult
    private func review(
        _ world: PaymentWorld, _ id: PaymentID, _ decision: String, of attempt: String? = nil, key: String? = nil
    ) async throws -> Reply<PaymentResource> {
        let seen: String = attempt.map { #","attempt_id":"\#($0)""# } ?? ""
        let body = #"{"decision":"\#(decision)","note":"called the customer"\#(seen)}"#
        return try await world.work.review(
            world.call("/v1/payments/\(id)/review", key: key, body: body), id, world.read(body))
    }

    @Test("approval captures what was to be captured at once") func approve() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await held(world)
            #expect(try await world.booked(payment.id).isEmpty)
            let reply: Reply<PaymentResource> = try await review(world, payment.id, "approve")
            #expect(reply.status == 200)
            let json: JSONValue = try parseJSON(reply.body)
            #expect(json["status"]?.stringValue == "succeeded")
            #expect(json["review_status"]?.stringValue == "approved")
            #expect(json["review"]?["note"] == "called the customer" && json["review"]?["by"] == "key_test")
            #expect(json["review"]?["at"]?.stringValue == PaymentWorld.start.rfc3339)
            #expect(json["amount_captured"]?.intValue == 1_299)
            #expect(try await world.booked(payment.id) == ["capture"])
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(
                try await world.texts(
                    "SELECT concat_ws('|', body::jsonb->>'attempt_id', body::jsonb->>'outcome') FROM outbox WHERE type = 'payment.reviewed.v1'"
                ) == ["\(payment.attemptID)|approved"])
            #expect(
                try await world.texts("SELECT concat_ws('|', review_note, reviewed_by) FROM payments") == [
                    "called the customer|key_test"
                ])
            #expect(try await world.violations() == [])
        }
    }

    @Test("approval of a payment whose capture is manual leaves it authorized, free to capture") func manual()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await held(world, captures: false)
            await #expect(throws: CapturePayment.Failure.notReviewed(.pending)) {
                try await world.capture(payment.id)
            }
            #expect(try await review(world, payment.id, "approve").status == 200)
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.capture(payment.id, 1_000).status == 201)
            #expect(try await world.payment(payment.id).amountCaptured == 1_000)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a decline releases the money, and nothing is captured any more") func decline() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await held(world)
            #expect(try await review(world, payment.id, "decline").status == 200)
            let canceled: PaymentRecord = try await world.payment(payment.id)
            #expect(canceled.status == .canceled && canceled.reviewStatus == .declined)
            #expect(try await world.published("payment.canceled.v1") == 1)
            #expect(try await world.booked(payment.id).isEmpty)
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            #expect(try await world.violations() == [])
        }
    }

    @Test("the queue has what waits for a person, newest first, page by page") func queue() async throws {
        try await withPayments { world in
            var waiting: [PaymentID] = []
            for _ in 0..<3 { waiting.append(try await held(world).id) }
            try await review(world, held(world).id, "decline")
            try await world.cancel(held(world).id)
            _ = try await world.paid(world.payer())
            let pages: [[PaymentID]] = try await world.database.transaction(readOnly: true) { db in
                let first: [PaymentRecord] = try PaymentStore.inReview(after: nil, limit: 2, in: db)
                let second: [PaymentRecord] = try PaymentStore.inReview(after: first.last?.id, limit: 2, in: db)
                return [first.map(\.id), second.map(\.id)]
            }
            #expect(pages == [[waiting[2], waiting[1]], [waiting[0]]])
        }
    }

    @Test("a review is decided once; everything else is a conflict that names the state") func once() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await held(world)
            try await review(world, payment.id, "approve")
            for decision in ["approve", "decline"] {
                await #expect(throws: ReviewPayment.Failure.decided(.approved)) {
                    try await review(world, payment.id, decision)
                }
            }
            let plain: PaymentRecord = try await world.paid(world.payer())
            await #expect(throws: ReviewPayment.Failure.notInReview(.succeeded)) {
                try await review(world, plain.id, "approve")
            }
            let given: PaymentRecord = try await held(world)
            try await world.cancel(given.id)
            await #expect(throws: ReviewPayment.Failure.notInReview(.canceled)) {
                try await review(world, given.id, "approve")
            }
            let unknown = PaymentID.new(at: PaymentWorld.start)
            await #expect(throws: ReviewPayment.Failure.notFound(unknown)) {
                try await review(world, unknown, "approve")
            }
            #expect(ReviewPayment.Failure.decided(.approved).problem.status == 409)
            #expect(ReviewPayment.Failure.notInReview(.canceled).problem.detail?.contains("canceled") == true)
        }
    }

    @Test("a decision about an attempt that is over does nothing to the one that is held since") func changed()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let seen: PaymentRecord = try await world.heldForReview(invoice, customer)
            // The provider lets go of it.
            try await world.execute("UPDATE sandbox_charges SET held_until = NULL")
            try await world.execute("UPDATE payments SET look_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.payment(seen.id).status == .failed)
            await world.deliver([world.due(invoice, customer)])
            await world.decide(try await world.payment(seen.id), "review")
            let held: PaymentRecord = try await world.settled(seen.id)
            #expect(held.status == .authorized && held.reviewStatus == .pending && held.attemptID != seen.attemptID)
            for decision in ["approve", "decline"] {
                await #expect(throws: ReviewPayment.Failure.changed) {
                    try await review(world, held.id, decision, of: seen.attemptID.rawValue)
                }
            }
            #expect(ReviewPayment.Failure.changed.problem.code == "review_changed")
            let untouched: PaymentRecord = try await world.payment(held.id)
            #expect(untouched.status == .authorized && untouched.reviewStatus == .pending)
            #expect(try await world.booked(held.id).isEmpty)
            let told: JSONValue = try parseJSON(encode(PaymentResource(held)))
            let shown: String = try #require(told["attempt_id"]?.stringValue)
            #expect(try await review(world, held.id, "approve", of: shown).status == 200)
            #expect(try await world.booked(held.id) == ["capture"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("a repeat under the same key gets the first answer, and people who decide at once get one decision")
    func concurrent() async throws {
        try await withPayments(connections: 8) { world in
            let payment: PaymentRecord = try await held(world)
            let first: Reply<PaymentResource> = try await review(world, payment.id, "approve", key: "review-1")
            let again: Reply<PaymentResource> = try await review(world, payment.id, "approve", key: "review-1")
            #expect(again.isReplay && again.body == first.body)
            let other: PaymentRecord = try await held(world)
            let decided: Int = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        do {
                            try await review(world, other.id, index.isMultiple(of: 2) ? "approve" : "decline")
                            return true
                        } catch { return false }
                    }
                }
                var sum = 0
                for await won in group where won { sum += 1 }
                return sum
            }
            #expect(decided == 1)
            let status: PaymentStatus = try await world.settled(other.id).status
            #expect(status == .succeeded || status == .canceled)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a provider that books and does not answer is asked again by the sweeper", arguments: ["approve", "decline"])
    func lost(decision: String) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await held(world)
            world.provider.turn(.booksAndVanishes)
            #expect(try await review(world, payment.id, decision).status == 202)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let status: PaymentStatus = try await world.settled(payment.id).status
            #expect(status == (decision == "approve" ? .succeeded : .canceled))
            #expect(try await world.booked(payment.id) == (decision == "approve" ? ["capture"] : []))
            #expect(try await world.violations() == [])
        }
    }
}
