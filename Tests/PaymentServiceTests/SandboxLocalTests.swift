import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

/// Lends the service with the sandbox's methods beside cards, on its clock.
func withLocalMethods(_ body: (PaymentWorld, SandboxLocalProvider) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: 4) { lent in
        let clock = ManualClock(PaymentWorld.start)
        let local = SandboxLocalProvider(pool: lent.pool, clock: clock, publicURL: "https://pay.test")
        try await body(PaymentWorld(lent.pool, beside: [local], clock: clock), local)
    }
}

@Suite("The sandbox's methods beside cards") struct SandboxLocalTests {
    static let back = "https://shop.example/back"

    private static func create(_ world: PaymentWorld, _ body: String) async throws -> PaymentRecord {
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await world.decide(payment)
        return payment
    }

    /// A payment whose customer is on the sandbox's page.
    static func onPage(
        _ world: PaymentWorld, _ type: String = "klarna", manual: Bool = false
    ) async throws -> (payment: PaymentRecord, reference: String) {
        let customer: CustomerID = await world.customer()
        let payment: PaymentRecord = try await create(
            world,
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"\#(type)","#
                + #""return_url":"\#(back)","payer":{"country":"DE"}\#(manual ? #","capture_method":"manual""# : "")}"#)
        let waiting: PaymentRecord = try await world.settled(payment.id)
        #expect(waiting.status == .requiresAction)
        let reference = "ch_\(waiting.attemptID)"
        #expect(waiting.nextAction == .redirect(url: "https://pay.test/pay/sandbox/\(reference)"))
        return (waiting, reference)
    }

    @Test("what the customer authorizes on the page is taken when they are back, once") func authorized() async throws {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await Self.onPage(world)
            #expect(try await world.work.sync(payment.id).payment.status == .requiresAction)
            for choice in [true, false] { try await local.choose(reference, authorized: choice) }
            #expect(try await world.violations().isEmpty, "nothing is taken before it is asked for")
            for _ in 0..<2 { #expect(try await world.work.sync(payment.id).payment.status == .succeeded) }
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.refund(payment.id, 300).status == 201)
            #expect(try await world.balances().contains("assets:provider:sandbox_local 999"))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("Venmo is for customers in the United States, in dollars, on its page") func venmo() async throws {
        try await withLocalMethods { world, local in
            func obstacle(_ currency: String, _ country: String) -> ProviderCapabilities.Obstacle? {
                local.capabilities.obstacle(
                    to: ProviderCapabilities.Wish(type: "venmo", currency: currency, country: country, onPage: true))
            }
            #expect(obstacle("EUR", "US") == .currency && obstacle("USD", "DE") == .country)
            let customer: CustomerID = await world.customer()
            let payment: PaymentRecord = try await Self.create(
                world,
                #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)","payment_method_type":"venmo","#
                    + #""return_url":"\#(Self.back)","payer":{"country":"US"}}"#)
            let waiting: PaymentRecord = try await world.settled(payment.id)
            #expect(waiting.status == .requiresAction && waiting.provider == SandboxLocalProvider.name)
            try await local.choose("ch_\(waiting.attemptID)", authorized: true)
            #expect(try await world.work.sync(payment.id).payment.status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what the customer fails there has failed") func failed() async throws {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await Self.onPage(world, "paypal")
            for choice in [false, true] { try await local.choose(reference, authorized: choice) }
            let failed: PaymentRecord = try await world.work.sync(payment.id).payment
            #expect(failed.status == .failed && failed.declineCode == "customer_declined")
            #expect(failed.decline?.declineClass == .action)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a customer who never finishes is given up in time; one who has finished and never comes back has paid")
    func left() async throws {
        try await withLocalMethods { world, local in
            let (left, closed) = try await Self.onPage(world)
            let (paid, reference) = try await Self.onPage(world)
            try await local.choose(reference, authorized: true)
            world.clock.advance(by: .seconds(86_401))
            try await world.work.sweep.pass()
            #expect(try await world.payment(left.id).declineCode == "action_expired")
            #expect(try await world.payment(paid.id).status == .succeeded)
            try await local.choose(closed, authorized: true)
            #expect(try await local.isWaiting(closed) == false)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what is authorized to be taken later is held, taken in part, and the rest released") func held() async throws
    {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await Self.onPage(world, "paypal", manual: true)
            try await local.choose(reference, authorized: true)
            #expect(try await world.work.sync(payment.id).payment.status == .authorized)
            #expect(try await world.capture(payment.id, 700).status == 201)
            #expect(try await world.payment(payment.id).amountCaptured == 700)
            #expect(try await local.holds(reference) == false)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a debit is under way until its bank has answered, after five days on which TARGET is open",
        arguments: [("pm_success_de", "succeeded"), ("pm_failed_de", "failed insufficient_funds")])
    func debit(token: String, end: String) async throws {
        try await withLocalMethods { world, _ in
            let payment: PaymentRecord = try await Self.debited(world, token)
            #expect(try await world.violations().isEmpty)
            // From a Friday to the Friday after.
            let looks = Looks([world.sandboxWords.look], world.database)
            world.clock.advance(by: .seconds(7 * 86_400 - 1))
            #expect(try await looks.due() == [])
            world.clock.advance(by: .seconds(1))
            for _ in 0..<2 { try await looks.pass() }
            #expect(try await Self.standing(world, payment) == end)
            #expect(try await world.booked(payment.id) == (end == "succeeded" ? ["payment"] : []))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a debit that was paid may be disputed later") func disputed() async throws {
        try await withLocalMethods { world, _ in
            let payment: PaymentRecord = try await Self.debited(world, "pm_disputed_de")
            world.clock.advance(by: .seconds(7 * 86_400))
            try await world.sandboxWords.pass()
            #expect(try await Self.standing(world, payment) == "succeeded")
            try await world.pass(days: 1)
            #expect(try await world.disputes(of: payment.id).map(\.reason) == ["fraudulent"])
            #expect(try await world.payment(payment.id).amountDisputed == 1_299)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("charges, refunds and disputes are reported, matched and paid out, apart from the cards'") func settled()
        async throws
    {
        try await withLocalMethods { world, local in
            let reconcile: ReconcileProviders = world.reconciliation([world.provider.sandbox, local])
            _ = try await world.paid(world.payer(), amount: 10_000)
            let (paid, reference) = try await Self.onPage(world)
            let (held, holding) = try await Self.onPage(world, "paypal", manual: true)
            for page in [reference, holding] { try await local.choose(page, authorized: true) }
            for payment in [paid, held] { _ = try await world.work.sync(payment.id) }
            #expect(try await world.refund(paid.id, 300).status == 201)
            #expect(try await world.capture(held.id, 700).status == 201)
            let debit: PaymentRecord = try await Self.debited(world, "pm_disputed_de")
            try await reconcile.pass()
            world.clock.advance(by: .seconds(7 * 86_400))
            try await world.sandboxWords.pass()
            try await world.pass(days: 1)
            let dispute: DisputeRecord = try #require(try await world.disputes(of: debit.id).first)
            try await world.contest(dispute.id)
            try await world.pass()
            try await world.pass(hours: 2)
            #expect(try await world.status(dispute.id) == .won)
            world.advance(days: 3)
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            // 2.9 % and 30 of 1,299 and of 700; the dispute and its fee came back on the day on which they were taken.
            #expect(
                try await world.texts(
                    "SELECT concat_ws(' ', provider, currency, day, amount) FROM sandbox_payouts ORDER BY provider, day"
                )
                    == [
                        "sandbox USD 2027-01-15 9680", "sandbox_local EUR 2027-01-15 1581",
                        "sandbox_local EUR 2027-01-22 1231",
                    ])
            let first = CivilDate(dayNumber: 20_833)
            #expect(try await world.settled(first, "sandbox_local") == ["EUR 1581 1581 0 0 0 0"])
            for account in ["assets:provider:sandbox", "assets:provider:sandbox_local", "assets:payouts_in_transit"] {
                #expect(try await world.balance(account) == 0)
            }
            #expect(try await world.balance("assets:bank") == 9_680 + 1_581 + 1_231)
            #expect(try await world.violations().isEmpty)
            #expect(try await world.inFlight() == 0)
        }
    }

    @Test("a debit that is paid, and disputed, while nobody looks is reported on the days on which it was")
    func unseen()
        async throws
    {
        try await withLocalMethods { world, local in
            let reconcile: ReconcileProviders = world.reconciliation([local])
            let payment: PaymentRecord = try await Self.debited(world, "pm_disputed_de")
            try await reconcile.pass()
            // From eight on a Friday to one in the morning of the Sunday after the next.
            world.clock.advance(by: .seconds(8 * 86_400 + 17 * 3_600))
            try await reconcile.pass()
            #expect(
                try await world.texts(
                    "SELECT concat_ws(' ', kind, occurred_at::date) FROM settlement_lines ORDER BY occurred_at")
                    == ["charge 2027-01-22", "payout 2027-01-23", "dispute 2027-01-23"])
            #expect(try await Self.standing(world, payment) == "processing")
            try await world.sandboxWords.pass()
            #expect(try await Self.standing(world, payment) == "succeeded")
            try await world.pass()
            try await reconcile.pass()
            #expect(try await world.lines().allSatisfy { $0.contains(" matched ") })
            #expect(try await world.cases().isEmpty)
            #expect(try await world.violations().isEmpty)
        }
    }

    /// A debit that its bank was asked for.
    static func debited(_ world: PaymentWorld, _ token: String) async throws -> PaymentRecord {
        let customer: CustomerID = await world.customer()
        let method =
            #"{"customer_id":"\#(customer)","type":"sepa_debit","provider":"sandbox_local","token":"\#(token)","#
            + #""acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}}"#
        let kept: Reply<PaymentMethodResource> = try await world.work.attach(
            world.call("/v1/payment_methods", body: method), world.read(method))
        #expect(kept.status == 201)
        #expect(try parseJSON(kept.body)["status"]?.stringValue == "active")
        let payment: PaymentRecord = try await create(
            world, #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)"}"#)
        try await eventually(within: .seconds(20), "the bank is asked") {
            try await world.number("SELECT count(*) FROM payments WHERE status = 'processing' AND look_at IS NOT NULL")
                == 1
        }
        return payment
    }

    private static func standing(_ world: PaymentWorld, _ payment: PaymentRecord) async throws -> String {
        try await world.texts("SELECT concat_ws(' ', status, decline_code) FROM payments WHERE id = \(payment.id)")
            .joined()
    }

    @Test("an account is known by Stripe's test numbers, and no number is kept") func accounts() async throws {
        try await withLocalMethods { _, local in
            for (number, token) in [
                ("DE89370400440532013000", "pm_success_de"), ("DE62370400440532013001", "pm_failed_de"),
                ("DE35370400440532013002", "pm_disputed_de"), ("AT611904300234573201", "pm_success_de"),
            ] {
                let account = BankAccount(iban: try IBAN(number), holder: "Ada", email: "ada@example.com")
                let method = PaymentMethodID.new(at: PaymentWorld.start)
                #expect(try await local.token(of: account, as: method) == token)
            }
        }
    }

    @Test("what a configured provider offers is not offered here; what has begun goes on, and so do renewals")
    func configured() async throws {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await Self.onPage(world)
            let debit: PaymentRecord = try await Self.debited(world, "pm_success_de")
            let rest = SandboxLocalProvider(
                pool: world.database, clock: world.clock, publicURL: "https://pay.test",
                except: ["card", "klarna", "sepa_debit", "ideal"])
            #expect(rest.capabilities.methods.map(\.type) == ["paypal", "venmo", "afterpay_clearpay", "affirm"])
            let later = PaymentWorld(world.database, beside: [rest], clock: world.clock)
            for type in ["klarna", "sepa_debit"] {
                let wish = ProviderCapabilities.Wish(type: type, currency: "EUR")
                #expect(world.providers.first(that: wish) != nil && later.providers.first(that: wish) == nil)
            }
            try await local.choose(reference, authorized: true)
            #expect(try await later.work.sync(payment.id).payment.status == .succeeded)
            // A renewal is charged to the account as before.
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await later.deliver([
                later.finalized(invoice, debit.customerID, amount: Money(minor: 900, currency: .eur))
            ])
            let renewal: PaymentRecord = try await later.payment(of: invoice)
            await later.decide(renewal)
            try await eventually(within: .seconds(20), "the bank is asked") {
                try await world.number(
                    "SELECT count(*) FROM payments WHERE status = 'processing' AND look_at IS NOT NULL") == 2
            }
            world.clock.advance(by: .seconds(7 * 86_400))
            try await later.sandboxWords.pass()
            for payment in [debit, renewal] { #expect(try await Self.standing(later, payment) == "succeeded") }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("books that do not answer leave the outcome unknown, and call nobody") func unreachable() async throws {
        try await withLocalMethods { world, local in
            let (_, reference) = try await Self.onPage(world)
            try await world.execute("ALTER TABLE sandbox_charges RENAME TO sandbox_charges_away")
            let fault: ProviderFault? = await #expect(throws: ProviderFault.self) {
                _ = try await local.isWaiting(reference)
            }
            #expect(fault == .timedOut && fault?.isAlarming(on: .readBack) == false)
        }
    }
}
