import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Testing

@Suite("Parts that a provider cannot capture or give back") struct PartTests {
    private static let amount: Int64 = 130_000

    /// Its money can be held; parts of it only where that is said.
    private static func method(parts: Bool) -> ProviderCapabilities.Method {
        ProviderCapabilities.Method(
            type: "klarna", separateCapture: true, partialCapture: parts, multipleCapture: false, partialRefund: parts,
            offSession: false)
    }

    /// A payment whose money the provider holds.
    private func held(
        _ world: PaymentWorld, at pages: PagesProvider, in currency: String
    ) async throws -> PaymentRecord {
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_1")))
        let customer: CustomerID = await world.customer()
        let body: String =
            #"{"amount":\#(Self.amount),"currency":"\#(currency)","customer_id":"\#(customer)","#
            + #""payment_method_type":"klarna","return_url":"https://shop.example/back","payer":{"country":"DE"},"#
            + #""capture_method":"manual"}"#
        let made: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(made))
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    @Test("what its provider takes and gives back whole is neither captured nor refunded in parts") func whole()
        async throws
    {
        let pages = PagesProvider(methods: [Self.method(parts: false)])
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, at: pages, in: "EUR")
            for final in [true, false] {
                await #expect(throws: CapturePayment.Failure.wholeCapture) {
                    try await world.capture(payment.id, Self.amount - 1, final: final)
                }
            }
            #expect(try await world.number("SELECT count(*) FROM captures") == 0)
            #expect(pages.captures == 0)
            #expect(try await world.capture(payment.id, Self.amount).status == 201)
            await #expect(throws: RefundPayment.Failure.wholeRefund) {
                try await world.refund(payment.id, Self.amount - 1)
            }
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            #expect(try await world.refund(payment.id, Self.amount).status == 201)
            #expect(try await world.payment(payment.id).amountRefunded == Self.amount)
            let problems: [Problem] = [
                CapturePayment.Failure.wholeCapture.problem, RefundPayment.Failure.wholeRefund.problem,
            ]
            #expect(problems.map(\.status) == [422, 422] && problems.map(\.param) == ["amount", "amount"])
        }
    }

    /// Below every least amount of a charge, and within the digits that are counted or not.
    @Test(
        "an amount that its provider does not count is neither captured nor refunded, and nothing is stored",
        arguments: [("KWD", 20, 11), ("HUF", 200, 150)] as [(String, Int64, Int64)])
    func uncounted(currency: String, counted: Int64, uncounted: Int64) async throws {
        let methods: [ProviderCapabilities.Method] = [Self.method(parts: true)]
        let pages: PagesProvider =
            currency == "KWD"
            ? PagesProvider(
                methods: methods, refusal: StripeAmount.refusal,
                refusalOfPart: { StripeAmount.refusal(of: $0, for: .part) })
            : PagesProvider(
                methods: methods, refusal: PayPalAmount.refusal, refusalOfPart: PayPalAmount.refusal)
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, at: pages, in: currency)
            await #expect(throws: CapturePayment.Failure.unsupportedAmount) {
                try await world.capture(payment.id, uncounted)
            }
            #expect(try await world.number("SELECT count(*) FROM captures") == 0)
            #expect(try await world.capture(payment.id, counted).status == 201)
            await #expect(throws: RefundPayment.Failure.unsupportedAmount) {
                try await world.refund(payment.id, uncounted)
            }
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            #expect(try await world.refund(payment.id, nil).status == 201)
            let problems: [Problem] = [
                CapturePayment.Failure.unsupportedAmount.problem, RefundPayment.Failure.unsupportedAmount.problem,
            ]
            #expect(problems.map(\.status) == [422, 422] && problems.map(\.param) == ["amount", "amount"])
        }
    }
}
