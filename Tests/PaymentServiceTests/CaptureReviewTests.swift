import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Captures that the provider looks at first") struct CaptureReviewTests {
    /// A payment that a lender holds money for, and a capture of it that the lender looks at.
    static func reviewed(_ world: PaymentWorld, _ pages: PagesProvider) async throws -> PaymentRecord {
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_held")))
        let customer: CustomerID = await world.customer()
        let body =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/","payer":{"name":"Ada","country":"DE"},"capture_method":"manual"}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await world.decide(payment)
        #expect(try await world.settled(payment.id).status == .authorized)
        pages.capture(as: .pending(reference: "pc_review"))
        #expect(try await world.capture(payment.id).status == 202)
        return payment
    }

    private static let looks: SQL = "SELECT looks FROM captures"

    @Test("are asked about ever more rarely, hold up nothing, and are booked once they are decided")
    func waits() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.reviewed(world, pages)
            #expect(try await world.number(Self.looks) == 1)
            try await world.work.sweep.pass()
            #expect(pages.captures == 1, "it is not yet time to ask")
            #expect(try await world.inFlight() == 0, "nothing that time stands still for")
            for expected: Int in 2...4 {
                try await world.execute("UPDATE captures SET look_at = now()")
                try await world.work.sweep.pass()
                #expect(try await world.number(Self.looks) == expected)
            }
            let wait: Int = try await world.number("SELECT extract(epoch FROM look_at - stepped_at)::int FROM captures")
            #expect(wait == 40)
            await #expect(throws: CapturePayment.Failure.underWay) { try await world.capture(payment.id, 100) }
            await #expect(throws: CancelPayment.Failure.captureUnderWay) { try await world.cancel(payment.id) }
            #expect(try await world.booked(payment.id).isEmpty, "nothing is guessed")
            pages.capture(as: .captured(reference: "pc_review"))
            try await world.execute("UPDATE captures SET look_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(try await world.booked(payment.id) == ["capture"])
        }
    }

    @Test("are decided by the news of them, under our name of it or the provider's", arguments: [true, false])
    func news(byOurs: Bool) async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await Self.reviewed(world, pages)
            let ids: [String] = try await world.texts("SELECT id FROM captures")
            func tell() async throws {
                if byOurs {
                    try await world.work.news.capture(CaptureID(unchecked: ids[0]), at: "pages")
                } else {
                    try await world.work.news.taken("pc_review", at: "pages")
                }
            }
            try await tell()
            #expect(try await world.number(Self.looks) == 2)
            pages.capture(as: .refused(code: "DECLINED"))
            try await tell()
            #expect(try await world.texts("SELECT status || ' ' || failure_code FROM captures") == ["failed DECLINED"])
            #expect(try await world.payment(payment.id).status == .authorized)
            pages.capture(as: nil)
            #expect(try await world.capture(payment.id).status == 201)
            #expect(try await world.booked(payment.id) == ["capture"])
        }
    }

    @Test("news of a charge says how it is found where no answer has, and at the provider that it is with")
    func heard() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let elsewhere: PaymentRecord = try await Self.lost(world, pages)
            try await world.work.news.charge(elsewhere.attemptID, known: "captures/CAP1", at: "sandbox")
            #expect(pages.charges.last?.idempotencyKey == elsewhere.attemptID)
            #expect(pages.charges.last?.reference == nil)
            let payment: PaymentRecord = try await Self.lost(world, pages)
            try await world.work.news.charge(payment.attemptID, known: "captures/CAP1", at: "pages")
            #expect(pages.charges.last?.idempotencyKey == payment.attemptID)
            #expect(pages.charges.last?.reference == "captures/CAP1")
            // The answer's own name is kept, and goes before any other.
            let known: [String] = try await world.texts(
                "SELECT provider_reference FROM payments WHERE id = \(payment.id)")
            #expect(known == ["pg_\(payment.attemptID)"])
            try await world.work.news.charge(payment.attemptID, known: "captures/CAP2", at: "pages")
            #expect(pages.charges.last?.reference == known[0])
        }
    }

    /// A payment whose charge got no answer.
    private static func lost(_ world: PaymentWorld, _ pages: PagesProvider) async throws -> PaymentRecord {
        pages.begin(with: .pending(reference: "pg_lost"))
        pages.goAway(true)
        let before: Int = pages.asked
        let customer: CustomerID = await world.customer()
        let body =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/","payer":{"name":"Ada","country":"DE"}}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await world.decide(payment)
        try await eventually(within: .seconds(20), "the provider was asked") { pages.asked >= before + 2 }
        pages.goAway(false)
        pages.settle(payment.attemptID, PagesProvider.page(payment.attemptID))
        return try await world.payment(payment.id)
    }
}
