import PaymentContract
import PaymentRecords
import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentService
import Postgres
import Testing

@Suite("Giving money back") struct RefundTests {
    @Test("a refund is booked, and all that is left can be given back") func refunds() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            #expect(try await world.refund(payment.id, 300).status == 201)
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await world.payment(payment.id).amountRefunded == 1_299)
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund"])
            #expect(
                try await world.balances() == [
                    "assets:provider:sandbox 0", "contra_income:customer_refunds 1299",
                    "income:customer_payments -1299",
                ])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("more than is left, or of what was not paid, is refused and nothing is stored") func refused() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.paid(customer)
            _ = try await world.refund(payment.id, 1_000)
            for amount: Int64 in [300, 1_299, 1_000_000_000_000] {
                await #expect(throws: RefundPayment.Failure.tooMuch(left: 299)) {
                    try await world.refund(payment.id, amount)
                }
            }
            _ = try await world.refund(payment.id, 299)
            await #expect(throws: RefundPayment.Failure.tooMuch(left: 0)) { try await world.refund(payment.id, nil) }
            let open: PaymentRecord = try await world.created(customer)
            await #expect(throws: RefundPayment.Failure.notRefundable(.created)) { try await world.refund(open.id, 1) }
            let unknown = PaymentID.new(at: PaymentWorld.start)
            await #expect(throws: RefundPayment.Failure.notFound(unknown)) {
                try await world.refund(unknown, 1, key: "k")
            }
            #expect(try await world.number("SELECT count(*) FROM refunds") == 2)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 0)
        }
    }

    @Test("a reason of the service's own is refused, and nothing is given back") func reserved() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            for reason: String in ["paid_after_it_had_ended", "invoice_voided", "paid_beyond_what_was_owed"] {
                let body = #"{"payment_id":"\#(payment.id)","reason":"\#(reason)"}"#
                let invalid: InvalidInput? = await #expect(throws: InvalidInput.self) {
                    try await world.work.refund(world.call("/v1/refunds", body: body), world.read(body))
                }
                #expect(invalid?.faults.map(\.param) == ["reason"] && invalid?.faults.first?.code == "reserved")
            }
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            let body = #"{"payment_id":"\#(payment.id)","reason":"the invoice was voided"}"#
            #expect(try await world.work.refund(world.call("/v1/refunds", body: body), world.read(body)).status == 201)
        }
    }

    @Test("refunds at once never give back more than was paid") func concurrent() async throws {
        try await withPayments(connections: 8) { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let granted: Int = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<16 { group.addTask { (try? await world.refund(payment.id, 300).status) == 201 } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(granted == 3)
            #expect(try await world.payment(payment.id).amountRefunded == 900)
            #expect(try await world.number("SELECT sum(amount)::int FROM sandbox_refunds") == 900)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the provider's own books refuse too much, at once, and answer a repeated key alike") func provider()
        async throws
    {
        try await withPayments(connections: 8) { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let provider = world.provider
            let same = RefundID.new(at: PaymentWorld.start)
            let references: [RefundAnswer] = try await withThrowingTaskGroup(of: RefundAnswer.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        try await provider.refund(
                            RefundRequest(
                                idempotencyKey: same, reference: "ch_\(payment.attemptID)",
                                amount: Money(minor: 600, currency: .usd)))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(references == Array(repeating: .refunded(reference: "re_\(same)"), count: 12))
            let granted: Int = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        let request = RefundRequest(
                            idempotencyKey: .new(at: PaymentWorld.start), reference: "ch_\(payment.attemptID)",
                            amount: Money(minor: 150, currency: .usd))
                        return (try? await provider.refund(request))
                            == .refunded(reference: "re_\(request.idempotencyKey)")
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(granted == 2)
        }
    }

    @Test("what the provider refuses for good is failed, says why, and can be asked for again") func refusedForGood()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            try await world.execute("UPDATE sandbox_charges SET captured = 0")
            let reply: Reply<RefundResource> = try await world.refund(payment.id, 300, key: "once")
            #expect(reply.status == 201)
            let body: JSONValue = try parseJSON(reply.body)
            #expect(body["status"]?.stringValue == "failed")
            #expect(body["failure_code"]?.stringValue == "charge_not_found")
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.published("payment.refunded.v1") == 0)
            try await world.execute("UPDATE sandbox_charges SET captured = amount")
            #expect(try await world.refund(payment.id, 300, key: "once").isReplay)
            #expect(try await world.refund(payment.id, 1_299, key: "again").status == 201)
            #expect(try await world.payment(payment.id).amountRefunded == 1_299)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a repeated request is one refund, also when the first answer was lost; another body is refused")
    func idempotent() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            world.provider.turn(.booksAndVanishes)
            let first: Reply<RefundResource> = try await world.refund(payment.id, 100, key: "once")
            #expect(first.status == 202)
            world.provider.turn(.well)
            let second: Reply<RefundResource> = try await world.refund(payment.id, 100, key: "once")
            #expect(second.body == first.body && second.isReplay)
            try await world.work.sweep.pass()
            await #expect(throws: Problem.self) { try await world.refund(payment.id, 101, key: "once") }
            #expect(try await world.texts("SELECT amount || status FROM refunds") == ["100succeeded"])
            #expect(try await world.violations().isEmpty)
        }
    }
}
