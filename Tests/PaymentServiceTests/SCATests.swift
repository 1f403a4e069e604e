import BillingCore
import BillingEvents
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// What a payment's `authentication` says: decision, reason, who bears fraud.
func word(_ payment: PaymentRecord) -> String {
    let note: AttemptAuthentication? = payment.authentication
    return [note?.decision, note?.reason, note?.liability].map { $0 ?? "-" }.joined(separator: " ")
}

@Suite("Strong customer authentication") struct SCATests {
    private static let french = "4000002500000003"
    private static let british = "4000008260000000"

    @Test(
        "a card of a known country is exempt, out of scope, or authenticated before it is charged; others are left alone",
        arguments: [
            (french, 3_000, "EUR", "0.5000", "exempt low_value merchant", .authorized),
            (french, 3_001, "EUR", "0.1000", "exempt risk_analysis merchant", .succeeded),
            (french, 25_001, "EUR", "0.1000", "required regulation -", .requiresAction),
            (french, 12_000, "EUR", "0.5000", "required regulation -", .requiresAction),
            (french, 2_000, "EUR", "0.7600", "required risk -", .requiresAction),
            (british, 2_500, "GBP", "0.5000", "exempt low_value merchant", .authorized),
            (french, 2_000, "SEK", "0.1000", "required regulation -", .requiresAction),
            ("4000001240000000", 90_000, "EUR", "0.1000", "out_of_scope one_leg_out merchant", .succeeded),
            ("4242424242424242", 90_000, "EUR", "0.1000", "- - -", .succeeded),
            ("4242424242424242", 90_000, "EUR", "0.7600", "required risk -", .requiresAction),
        ] as [(String, Int64, String, String, String, PaymentStatus)])
    func decisions(
        _ card: String, _ amount: Int64, _ currency: String, _ score: String, _ expected: String,
        _ status: PaymentStatus
    ) async throws {
        try await withPayments(sca: SCAPolicy(fraudRate: ExactDecimal("5.9"))) { world in
            let payment: PaymentRecord = try await world.pay(
                try await world.payer(card), amount, currency, score: score)
            #expect(word(payment) == expected)
            #expect(payment.status == status)
            let charged: Int = try await world.number(
                "SELECT count(*) FROM sandbox_charges WHERE outcome IN ('succeeded', 'authorized')")
            #expect(charged == (status == .requiresAction ? 0 : 1))
            let stored: [String] = try await world.texts(
                "SELECT coalesce(authentication->>'decision', '-') FROM payment_attempts WHERE id = \(payment.attemptID)"
            )
            #expect(stored == [String(expected.split(separator: " ")[0])])
        }
    }

    @Test("what is not claimed or switched off changes the answer") func settings() async throws {
        for (policy, expected) in [
            (SCAPolicy(), "required regulation -"), (SCAPolicy(isOn: false), "- - -"),
            (SCAPolicy(countries: ["US"]), "out_of_scope one_leg_out merchant"),
        ] {
            try await withPayments(sca: policy) { world in
                let payment: PaymentRecord = try await world.pay(try await world.payer(Self.french), 3_001, "EUR")
                #expect(word(payment) == expected)
            }
        }
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            try await world.execute("UPDATE payment_methods SET trusted_beneficiary = true")
            #expect(word(try await world.pay(customer, 90_000, "EUR")) == "exempt trusted_beneficiary issuer")
        }
    }

    @Test("low value ends with the counters of the card, whoever holds it, and begins anew with an authentication")
    func counters() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            for _ in 0..<4 { #expect(try await world.pay(customer, 2_600, "EUR").status == .succeeded) }
            // EUR 104 since the last authentication: over the limit, for another customer with the card, too.
            let other: CustomerID = try await world.payer(Self.french)
            let asked: PaymentRecord = try await world.pay(other, 100, "EUR")
            #expect(asked.status == .requiresAction && word(asked) == "required regulation -")
            _ = try await world.confirm(asked.id, passed: true)
            await world.decide(try await world.payment(asked.id))
            let passed: PaymentRecord = try await world.settled(asked.id)
            #expect(passed.status == .succeeded && word(passed) == "required regulation issuer")
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
            #expect(word(try await world.pay(customer, 2_600, "EUR")) == "exempt low_value merchant")
            #expect(
                try await world.texts("SELECT currency || total || 'x' || payments FROM sca_counters") == ["EUR2600x1"])
        }
    }

    @Test("a customer who has put the merchant on the issuer's list is not asked again, and the issuer bears fraud")
    func trusted() async throws {
        let directory = DirectoryDouble()
        directory.answer("Y")
        directory.trust()
        try await withPayments(directory: directory.server) { world in
            let customer: CustomerID = try await world.payer(Self.french)
            let first: PaymentRecord = try await world.pay(customer, 90_000, "EUR")
            #expect(first.status == .requiresAction && word(first) == "required regulation -")
            _ = try await world.authenticate(first.id)
            await world.decide(try await world.payment(first.id))
            #expect(word(try await world.settled(first.id)) == "required regulation issuer")
            let second: PaymentRecord = try await world.pay(customer, 90_000, "EUR")
            #expect(second.status == .succeeded && word(second) == "exempt trusted_beneficiary issuer")
            #expect(
                try await world.texts(
                    "SELECT authentication FROM sandbox_charges WHERE idempotency_key = \(second.attemptID)")
                    == ["trusted_beneficiary"])
            // It is that customer's list: another one's is not known.
            let other: PaymentRecord = try await world.pay(try await world.payer(Self.french), 90_000, "EUR")
            #expect(word(other) == "required regulation -")
        }
    }

    @Test("a later payment of a subscription is exempt at the amount that was authenticated, and at no other")
    func recurring() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            let subscription = SubscriptionID.new(at: PaymentWorld.start)
            let price = Money(minor: 60_000, currency: .eur)
            let first: PaymentRecord = try await world.recalled(customer, subscription, price)
            #expect(first.status == .requiresAction && word(first) == "required agreement -")
            _ = try await world.confirm(first.id, passed: true)
            await world.decide(try await world.payment(first.id))
            #expect(try await world.settled(first.id).status == .succeeded)
            let second: PaymentRecord = try await world.recalled(customer, subscription, price)
            #expect(second.status == .succeeded && word(second) == "exempt recurring merchant")
            #expect(
                try await world.texts(
                    "SELECT authentication FROM sandbox_charges WHERE idempotency_key = \(second.attemptID)")
                    == ["recurring"])
            let dearer = Money(minor: 60_001, currency: .eur)
            #expect(word(try await world.recalled(customer, subscription, dearer)) == "required agreement -")
            #expect(
                word(try await world.recalled(customer, .new(at: PaymentWorld.start), price)) == "required agreement -")
        }
    }

    @Test("payments of one card at the same moment see each other: together they never use up more than there is")
    func together() async throws {
        try await withPayments(connections: 10) { world in
            var waiting: [PaymentRecord] = []
            for _ in 0..<8 {
                // Whoever holds the card: each is another customer's.
                waiting.append(try await world.created(try await world.payer(Self.french), 3_000, "EUR"))
            }
            await withTaskGroup(of: Void.self) { group in
                for payment in waiting { group.addTask { await world.decide(payment) } }
            }
            var words: [String] = []
            for payment in waiting { words.append(word(try await world.settled(payment.id))) }
            // EUR 0, 30, 60 and 90 before; with EUR 120 the limit of 100 is passed.
            #expect(words.count { $0 == "exempt low_value merchant" } == 4)
            #expect(words.count { $0 == "required regulation -" } == 4)
            #expect(
                try await world.texts("SELECT currency || total || 'x' || payments FROM sca_counters")
                    == ["EUR12000x4"])
        }
    }

    @Test("payments decided in one batch see each other, and so does one that is still on its way")
    func onItsWay() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            var waiting: [PaymentRecord] = []
            for _ in 0..<6 { waiting.append(try await world.created(customer, 100, "EUR")) }
            world.provider.turn(.booksAndVanishes)
            await world.deliver(waiting.map { world.verdict($0) })
            try await eventually(within: .seconds(20), "all answers are lost") { world.provider.lostAnswers == 6 }
            // Six are on their way, none of them counted: the seventh would be the sixth after five.
            let last: PaymentRecord = try await world.created(customer, 100, "EUR")
            world.provider.turn(.well)
            await world.decide(last)
            #expect(word(try await world.settled(last.id)) == "required regulation -")
            try await world.work.sweep.pass()
            for payment in waiting { #expect(try await world.settled(payment.id).status == .succeeded) }
            #expect(try await world.texts("SELECT total || 'x' || payments FROM sca_counters") == ["600x6"])
            // One that is declined uses nothing up.
            let other: CustomerID = try await world.payer("4000002760000016")
            try await world.execute(
                "UPDATE payment_methods SET provider_token = 'tok_sandbox_do_not_honor' WHERE country = 'DE'")
            #expect(try await world.pay(other, 2_000, "EUR").status == .failed)
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 1)
        }
    }

    @Test("what cards have used up is read by index") func countersPlan() async throws {
        try await withPayments { world in
            let plan: [String] = try await world.database.transaction { db in
                _ = try db.execute("SET LOCAL enable_seqscan = off")
                return try db.query("EXPLAIN \(SCACounterStore.used(by: ["f"]))") { row in try row.next() }
            }
            #expect(plan.contains { $0.contains("payment_methods_counting") })
            #expect(plan.contains { $0.contains("payments_counting") })
        }
    }

    @Test("a provider that sees to exemptions itself is claimed nothing at; a risk is stepped up there all the same")
    func ofProvider() async throws {
        let pages = PagesProvider()
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer(Self.french)
            try await world.execute("UPDATE payment_methods SET provider = 'pages'")
            let payment: PaymentRecord = try await world.pay(customer, 1_000, "EUR")
            #expect(payment.status == .succeeded && word(payment) == "- - -")
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
            let risky: PaymentRecord = try await world.pay(customer, 1_000, "EUR", score: "0.7600")
            #expect(word(risky) == "required risk -")
            #expect(pages.charges.map(\.stepUp) == [false, true] && pages.charges.allSatisfy { $0.claim == nil })
        }
    }

    @Test("what a provider could not pass on binds no bank: the merchant bears fraud") func untold() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer(Self.french)
            try await world.execute("UPDATE payment_methods SET trusted_beneficiary = true")
            let payment: PaymentRecord = try await world.created(customer, 90_000, "EUR")
            world.provider.turn(.away)
            await world.decide(payment)
            try await eventually(within: .seconds(20), "it is asked for") { !world.provider.asked.isEmpty }
            let request: ChargeRequest = try #require(world.provider.asked.first)
            #expect(request.claim == .exemption(.trustedBeneficiary))
            #expect(word(try await world.payment(payment.id)) == "exempt trusted_beneficiary issuer")
            // As after a cascade to a provider that takes no exemption from us.
            let attempt = ApprovedAttempt(paymentID: payment.id, provider: "pages", request: request)
            try await world.work.outcomes(
                Outcome(attempt: attempt, answer: .captured(ProviderCharge(reference: "pg_1")), by: pages))
            #expect(word(try await world.settled(payment.id)) == "exempt trusted_beneficiary merchant")
        }
    }

    @Test("a payment counts once: verdicts that come again, lost answers and sweepers do not double it")
    func countedOnce() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            let payment: PaymentRecord = try await world.created(customer, 1_000, "EUR")
            world.provider.turn(.booksAndVanishes)
            await world.decide(payment)
            await world.decide(payment)
            try await eventually(within: .seconds(20), "the answer is lost") { world.provider.lostAnswers > 0 }
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
            world.provider.turn(.well)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await world.work.sweep.pass() } }
                try await group.waitForAll()
            }
            #expect(try await world.settled(payment.id).status == .succeeded)
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT total || 'x' || payments FROM sca_counters") == ["1000x1"])
        }
    }

    @Test("a bank that refuses an exemption is answered with one authentication, within the payment")
    func softDecline() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.pay(try await world.payer("4000002500009806"), 2_000, "EUR")
            #expect(payment.status == .requiresAction && payment.attempts == 2)
            #expect(word(payment) == "required soft_decline -")
            #expect(
                try await world.texts(
                    """
                    SELECT number || ' ' || status || ' ' || coalesce(decline_code, '-') || ' ' || (authentication->>'reason')
                    FROM payment_attempts ORDER BY number
                    """) == ["1 failed authentication_required low_value", "2 requires_action - soft_decline"])
            _ = try await world.confirm(payment.id, passed: true)
            await world.decide(try await world.payment(payment.id))
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == .succeeded && word(settled) == "required soft_decline issuer")
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what the provider knows an attempt by is not the next one's") func reference() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(
                try await world.payer("4000002500009806"), 2_000, "EUR")
            // As after an answer that was still open.
            try await world.execute(
                "UPDATE payments SET provider_reference = 'ch_first', look_at = now() + interval '1 hour', looks = 3")
            await world.decide(payment)
            let next: PaymentRecord = try await world.settled(payment.id)
            #expect(next.attempts == 2)
            #expect(
                try await world.texts("SELECT concat_ws(' ', provider_reference, look_at, looks) FROM payments")
                    == ["ch_\(next.attemptID) 0"])
        }
    }

    @Test("a bank that asks again after the authentication has declined; there is no second step-up")
    func secondSoftDecline() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.pay(try await world.payer("4000002500009814"), 2_000, "EUR")
            #expect(payment.status == .requiresAction && payment.attempts == 2)
            _ = try await world.confirm(payment.id, passed: true)
            await world.decide(try await world.payment(payment.id))
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == .failed && settled.decline == .doNotHonor && settled.attempts == 3)
            await #expect(throws: ContinuePayment.Failure.notWaiting(.failed)) {
                try await world.confirm(payment.id, passed: nil)
            }
        }
    }

    @Test("without the customer a charge goes out; it is out of scope once an agreement to it was authenticated")
    func offSession() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            let price = Money(minor: 90_000, currency: .eur)
            let first: PaymentRecord = try await world.collected(customer, price)
            #expect(first.status == .succeeded && word(first) == "required unproven_agreement merchant")
            let own: PaymentRecord = try await world.pay(customer, 90_000, "EUR")
            _ = try await world.confirm(own.id, passed: true)
            await world.decide(try await world.payment(own.id))
            #expect(try await world.settled(own.id).status == .succeeded)
            // They were authenticated for that payment alone, which is no agreement to others.
            let second: PaymentRecord = try await world.collected(customer, price)
            #expect(word(second) == "required unproven_agreement merchant")
            let agreed: PaymentRecord = try await world.agreed(customer, 90_000, "EUR")
            #expect(agreed.status == .requiresAction && word(agreed) == "required agreement -")
            #expect(word(try await world.collected(customer, price)) == "required unproven_agreement merchant")
            _ = try await world.confirm(agreed.id, passed: true)
            await world.decide(try await world.payment(agreed.id))
            #expect(try await world.settled(agreed.id).status == .succeeded)
            let later: PaymentRecord = try await world.collected(customer, price)
            #expect(later.status == .succeeded && word(later) == "out_of_scope merchant_initiated merchant")
            // Charges without the customer are not the customer's own: they do not count.
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
        }
    }

    @Test("a customer who is recalled because the bank asked is authenticated, whatever the law would spare them")
    func recalled() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002760003184")
            let failed: PaymentRecord = try await world.collected(customer, Money(minor: 500, currency: .eur))
            #expect(failed.status == .failed && failed.decline == .authenticationRequired)
            try await world.execute("UPDATE payment_methods SET country = 'DE'")
            _ = try await world.confirm(failed.id, passed: nil)
            await world.decide(try await world.payment(failed.id))
            let asked: PaymentRecord = try await world.settled(failed.id)
            #expect(asked.status == .requiresAction && word(asked) == "required soft_decline -")
        }
    }
}

extension PaymentWorld {
    /// A payment that waits for Fraud.
    func created(_ customer: CustomerID, _ amount: Int64, _ currency: String) async throws -> PaymentRecord {
        let body = #"{"amount":\#(amount),"currency":"\#(currency)","customer_id":"\#(customer)"}"#
        return try await payment(id(work.create(call("/v1/payments", body: body), read(body))))
    }

    /// A payment with which the customer agrees to later charges without them.
    func agreed(_ customer: CustomerID, _ amount: Int64, _ currency: String) async throws -> PaymentRecord {
        let body =
            #"{"amount":\#(amount),"currency":"\#(currency)","customer_id":"\#(customer)","acceptance":{"type":"offline"}}"#
        let payment: PaymentRecord = try await payment(id(work.create(call("/v1/payments", body: body), read(body))))
        await decide(payment)
        return try await settled(payment.id)
    }

    /// A payment once Fraud has spoken and the provider has answered.
    func pay(
        _ customer: CustomerID, _ amount: Int64, _ currency: String, score: String = "0.1000"
    ) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await created(customer, amount, currency)
        await decide(payment, score: score)
        return try await settled(payment.id)
    }

    /// A subscription's payment whose customer is there; no bank has asked for them.
    func recalled(
        _ customer: CustomerID, _ subscription: SubscriptionID, _ amount: Money
    ) async throws -> PaymentRecord {
        let invoice = InvoiceID.new(at: Self.start)
        let finalized = InvoiceFinalizedV1(
            invoiceID: invoice, number: "INV-000001", billingID: .new(at: Self.start), subscriptionID: subscription,
            customerID: customer, amount: amount, periodStart: Self.start, periodEnd: Self.start, issuedAt: Self.start)
        await deliver([finalized])
        let waiting: PaymentRecord = try await payment(of: invoice)
        try await execute("UPDATE payments SET off_session = false WHERE id = \(waiting.id)")
        await decide(try await payment(waiting.id))
        return try await settled(waiting.id)
    }

    /// An invoice's payment, made without the customer.
    func collected(_ customer: CustomerID, _ amount: Money) async throws -> PaymentRecord {
        let invoice = InvoiceID.new(at: Self.start)
        await deliver([finalized(invoice, customer, amount: amount)])
        let payment: PaymentRecord = try await payment(of: invoice)
        await decide(payment)
        return try await settled(payment.id)
    }
}
