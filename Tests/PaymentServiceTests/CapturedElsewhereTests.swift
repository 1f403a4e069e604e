import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import Telemetry
import TestKit
import Testing

extension PaymentWorld {
    /// A capture that is made at the provider's own pages, or was asked for here before a restore.
    /// - Returns: The id it was asked for under, which nobody knows here.
    @discardableResult
    func captureElsewhere(_ payment: PaymentRecord, _ amount: Int64, final: Bool = true) async throws -> CaptureID {
        let request = CaptureRequest(
            idempotencyKey: .new(at: Self.start), reference: "ch_\(payment.attemptID)",
            amount: Money(minor: amount, currency: payment.amount.currency), isFinal: final)
        guard case .captured = try await provider.sandbox.capture(request) else { throw Absent() }
        return request.idempotencyKey
    }

    /// An invoice's payment that is held for review.
    fileprivate func heldInvoice() async throws -> (PaymentRecord, InvoiceID, CustomerID) {
        let customer: CustomerID = try await payer()
        let invoice = InvoiceID.new(at: Self.start)
        await deliver([finalized(invoice, customer)])
        await decide(try await payment(of: invoice), "review")
        return (try await settled(try await payment(of: invoice).id), invoice, customer)
    }
}

@Suite("Captures that are made at the provider") struct CapturedElsewhereTests {
    @Test("are booked once and told, whoever hears of them, how often, and at once", arguments: [true, false])
    func whole(byNews: Bool) async throws {
        try await withWebhooks(connections: 8) { hooks, world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.captureElsewhere(payment, 1_299)
            if byNews {
                for _ in 0..<4 { try await hooks.deliver(hooks.charge(payment)) }
                world.provider.turn(.away)
                _ = try await hooks.process.pass()
                #expect(try await world.booked(payment.id).isEmpty, "nothing is believed that is not read")
                world.provider.turn(.well)
                async let one: Int = hooks.process.pass()
                async let other: Int = hooks.process.pass()
                _ = try await (one, other)
                try await hooks.work()
                let stored: [String] = try await hooks.stored()
                #expect(stored == Array(repeating: "done", count: 4))
            } else {
                try await world.execute("UPDATE payments SET look_at = now()")
                async let one: Void = world.work.sweep.pass()
                async let other: Void = world.work.sweep.pass()
                _ = try await (one, other)
            }
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 1_299)
            #expect(try await world.booked(payment.id) == ["capture"])
            for type in ["payment.captured.v1", "payment.succeeded.v1"] {
                #expect(try await world.published(type) == 1, "\(type)")
            }
            #expect(try await world.refund(payment.id, nil).status == 201, "as any other it can be given back")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("are booked part by part beside those that are made here, until nothing is held") func parts() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            func tell() async throws {
                try await hooks.deliver(hooks.charge(payment))
                try await hooks.work()
            }
            try await world.captureElsewhere(payment, 400, final: false)
            try await tell()
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.payment(payment.id).amountCaptured == 400)
            try await world.capture(payment.id, 300, final: false)
            try await tell()
            await #expect(throws: CapturePayment.Failure.tooMuch(left: 599)) {
                try await world.capture(payment.id, 600)
            }
            try await world.captureElsewhere(payment, 150, final: false)
            try await world.captureElsewhere(payment, 50)
            for _ in 0..<2 { try await tell() }
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 900)
            #expect(
                try await world.texts("SELECT concat_ws(' ', amount, status, is_final) FROM captures ORDER BY amount")
                    == ["50 succeeded t", "150 succeeded f", "300 succeeded f", "400 succeeded f"])
            #expect(try await world.booked(payment.id) == Array(repeating: "capture", count: 4))
            #expect(try await world.published("payment.captured.v1") == 4)
            #expect(
                try await world.texts("SELECT body::jsonb->>'amount' FROM outbox WHERE type = 'payment.succeeded.v1'")
                    == ["900"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("wait for the outcome of one of ours that is under way") func underWay() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            world.provider.turn(.booksAndVanishes)
            #expect(try await world.capture(payment.id, 500, final: false).status == 202)
            try await world.captureElsewhere(payment, 400)
            world.provider.turn(.well)
            try await hooks.deliver(hooks.charge(payment))
            _ = try await hooks.process.pass()
            #expect(try await hooks.stored() == ["waiting CaptureUnderWay()"])
            #expect(try await world.booked(payment.id).isEmpty)
            try await world.work.sweep.pass()
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 900)
            #expect(try await world.booked(payment.id) == ["capture", "capture"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "are found by their own news when a restore has lost the row of ours, and keep its id",
        arguments: [true, false])
    func forgotten(byOurs: Bool) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            let id: CaptureID = try await world.captureElsewhere(payment, 1_299)
            // A repeat by another request is refused, and changes nothing.
            #expect(try await world.capture(payment.id).status == 201)
            #expect(try await world.texts("SELECT status FROM captures") == ["failed"])
            let charge = "ch_\(payment.attemptID)"
            for _ in 0..<2 {
                if byOurs {
                    try await world.work.news.capture(id, of: charge, at: "sandbox")
                } else {
                    try await world.work.news.taken("cp_\(id)", of: charge, at: "sandbox")
                }
            }
            #expect(
                try await world.texts("SELECT id || ' ' || provider_reference FROM captures WHERE status = 'succeeded'")
                    == ["\(id) cp_\(id)"])
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(try await world.booked(payment.id) == ["capture"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("of money that is held for review end the review; an invoice is paid by it") func reviewed() async throws {
        try await withPayments { world in
            let (payment, invoice, _) = try await world.heldInvoice()
            #expect(payment.status == .authorized && payment.reviewStatus == .pending)
            try await world.captureElsewhere(payment, 1_299)
            try await world.work.news.charge(payment.attemptID, known: nil, at: "sandbox")
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws(' ', body::jsonb->>'invoice_id', body::jsonb->>'amount') FROM outbox
                    WHERE type = 'payment.succeeded.v1'
                    """) == ["\(invoice) 1299"])
            let waiting: [PaymentRecord] = try await world.database.transaction(readOnly: true) { db in
                try PaymentStore.inReview(after: nil, limit: 2, in: db)
            }
            #expect(waiting.isEmpty)
            await #expect(throws: ReviewPayment.Failure.notInReview(.succeeded)) {
                _ = try await world.work.review(
                    world.call("/v1/payments/\(payment.id)/review"), payment.id, world.read(#"{"decision":"approve"}"#))
            }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "count when the payment is to be canceled: it has succeeded with them, whether the provider refuses the release or not",
        arguments: [1_299, 400] as [Int64], [true, false])
    func canceled(amount: Int64, isRefused: Bool) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.captureElsewhere(payment, amount)
            if isRefused { world.provider.refuse([.releases]) }
            let ended: PaymentRecord = try await world.cancel(payment.id)
            #expect(ended.status == .succeeded && ended.amountCaptured == amount)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.booked(payment.id) == ["capture"])
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(try await world.published("payment.canceled.v1") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("of a part whose rest cannot be let go of leave the payment authorized with the rest") func kept()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.captureElsewhere(payment, 400, final: false)
            world.provider.refuse([.releases])
            await #expect(throws: CancelPayment.Failure.refused) { try await world.cancel(payment.id) }
            let kept: PaymentRecord = try await world.payment(payment.id)
            #expect(kept.status == .authorized && kept.amountCaptured == 400 && kept.amountCapturable == 899)
            #expect(try await world.number("SELECT count(*) FROM payments WHERE look_at > now()") == 1)
            world.provider.refuse([])
            #expect(try await world.cancel(payment.id).status == .succeeded)
            #expect(try await world.payment(payment.id).amountCaptured == 400)
            #expect(try await world.booked(payment.id) == ["capture"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("for an invoice that was withdrawn are given back") func withdrawn() async throws {
        try await withPayments { world in
            let (payment, invoice, customer) = try await world.heldInvoice()
            try await world.captureElsewhere(payment, 1_299)
            await world.deliver([world.voided(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .canceling)
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(
                try await world.texts("SELECT concat_ws('|', amount, status, reason) FROM refunds")
                    == ["1299|succeeded|invoice_voided"])
            #expect(try await world.booked(payment.id) == ["capture", "refund"])
            #expect(try await world.violations().isEmpty)
        }
    }
}

@Suite("Captures at the provider that do not fit") struct UnfitTakingTests {
    /// A payment whose money a lender holds.
    private func held(_ world: PaymentWorld, _ pages: PagesProvider) async throws -> PaymentRecord {
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_held")))
        let customer: CustomerID = await world.customer()
        let body: String =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/","payer":{"name":"Ada","country":"DE"},"capture_method":"manual"}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    private static func taken(_ minor: Int64, _ currency: Currency = .eur) -> ProviderTakings.Taking {
        ProviderTakings.Taking(reference: "pg_held", amount: Money(minor: minor, currency: currency))
    }

    /// How often a person was told of a capture.
    private func alarms() -> Int {
        Metrics.shared.counter("provider_alarms_total", labels: ["provider": "pages", "call": "capture"]).value
    }

    @Test("more than the payment, or another currency, is booked by nobody, and a person is told") func unfit()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, pages)
            for taking in [Self.taken(1_300), Self.taken(1_299, .usd), Self.taken(.max)] {
                pages.take(ProviderTakings(taken: [taking], isHeld: false))
                let before: Int = alarms()
                await #expect(throws: ProviderFault.self) {
                    try await world.work.news.charge(payment.attemptID, known: nil, at: "pages")
                }
                #expect(alarms() > before)
            }
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.booked(payment.id).isEmpty)
            #expect(try await world.number("SELECT count(*) FROM captures") == 0)
        }
    }

    @Test("one that the provider looks at first ends nothing, and is booked once it is decided") func pending()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, pages)
            pages.take(ProviderTakings(taken: [], isHeld: false, isPending: true))
            try await world.work.news.charge(payment.attemptID, known: nil, at: "pages")
            #expect(try await world.payment(payment.id).status == .authorized)
            pages.take(ProviderTakings(taken: [Self.taken(900)], isHeld: false))
            for _ in 0..<2 { try await world.work.news.charge(payment.attemptID, known: nil, at: "pages") }
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 900)
            #expect(try await world.booked(payment.id) == ["capture"])
        }
    }

    @Test("one that the provider looks at first outlives the release of the rest, and is booked once it is decided")
    func pendingBesideRelease() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, pages)
            pages.take(ProviderTakings(taken: [], isHeld: false, isPending: true))
            await #expect(throws: CancelPayment.Failure.refused) { try await world.cancel(payment.id) }
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.published("payment.canceled.v1") == 0)
            pages.take(ProviderTakings(taken: [Self.taken(900)], isHeld: false))
            try await world.work.news.charge(payment.attemptID, known: nil, at: "pages")
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 900)
            #expect(try await world.booked(payment.id) == ["capture"])
        }
    }

    @Test("what grows under one name is booked by what it has grown; a part of an invoice's is told to a person")
    func growing() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await held(world, pages)
            try await world.execute("UPDATE payments SET invoice_id = 'inv_held' WHERE id = \(payment.id)")
            let before: Int = alarms()
            for (minor, isHeld) in [(400, true), (400, true), (1_000, false)] as [(Int64, Bool)] {
                pages.take(ProviderTakings(taken: [Self.taken(minor)], isHeld: isHeld))
                try await world.work.news.charge(payment.attemptID, known: nil, at: "pages")
            }
            #expect(try await world.texts("SELECT amount::text FROM captures ORDER BY id") == ["400", "600"])
            #expect(alarms() >= before + 2)
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 1_000)
            #expect(try await world.published("payment.failed.v1") == 0, "nobody is charged the whole again")
        }
    }
}
