import PaymentRecords
import BillingCore
import HTTPKit
import Kafka
import PaymentContract
import PaymentDomain
import PaymentService
import Postgres
import Testing

@Suite("Collecting invoices") struct CollectingTests {
    @Test("an invoice has one payment, however often and in whatever batches its finalizing is told") func onePayment()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoices: [InvoiceID] = (0..<5).map { _ in .new(at: PaymentWorld.start) }
            let told: [KafkaMessage] = invoices.map { world.message(world.finalized($0, customer)) }
            await world.deliver(told)
            await world.deliver(told)
            await world.deliver((invoices + invoices).map { world.finalized($0, customer) })
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { await world.deliver(invoices.map { world.finalized($0, customer) }) } }
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 5)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts") == 5)
            #expect(try await world.published("payment.created.v1") == 5)
        }
    }

    @Test("an invoice over nothing, or less, has no payment") func nothingToCollect() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            for minor: Int64 in [0, -500] {
                await world.deliver([
                    world.finalized(.new(at: PaymentWorld.start), customer, amount: Money(minor: minor, currency: .usd))
                ])
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM event_retries") == 0)
        }
    }

    @Test("a failure tells the card of its attempt") func cardOfFailure() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment, "block")
            let told: [String] = try await world.texts(
                "SELECT body::jsonb->>'payment_method_id' FROM outbox WHERE type = 'payment.failed.v1'")
            let card: PaymentMethodID = try #require(payment.paymentMethodID)
            #expect(told == [card.rawValue])
        }
    }

    @Test("Fraud is told who is behind an attempt: a sign-up, an upgrade and a new card are the customer's doing")
    func customerStarted() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let reasons: [String?] = ["signup", "upgrade", "cycle", "trial_end", nil]
            let invoices: [InvoiceID] = reasons.map { _ in .new(at: PaymentWorld.start) }
            await world.deliver(zip(invoices, reasons).map { world.finalized($0, customer, reason: $1) })
            func told(_ attempt: String, _ invoice: InvoiceID) async throws -> [String] {
                try await world.texts(
                    """
                    SELECT body::jsonb->>'customer_started' FROM outbox WHERE type = 'payment.created.v1'
                        AND body::jsonb->>'invoice_id' = \(invoice.rawValue) AND body::jsonb->>'attempt' = \(attempt)
                    """)
            }
            for (invoice, expected) in zip(invoices, ["true", "true", "false", "false", "false"]) {
                #expect(try await told("1", invoice) == [expected])
                let payment: PaymentRecord = try await world.payment(of: invoice)
                await world.decide(payment, "block")
            }
            await world.deliver([
                world.due(invoices[0], customer), world.due(invoices[2], customer, reason: "new_payment_method"),
            ])
            #expect(try await told("2", invoices[0]) == ["false"])
            #expect(try await told("2", invoices[2]) == ["true"])
        }
    }

    @Test("without a card the payment fails at once; with one later, collection goes on") func noCard() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            #expect(try await world.payment(of: invoice).decline == .noPaymentMethod)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(of: invoice).attempts == 1)
            #expect(try await world.published("payment.failed.v1") == 2, "who asked is answered")
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer)])
            let again: PaymentRecord = try await world.payment(of: invoice)
            #expect(again.status == .created && again.attempts == 2)
            await world.decide(again)
            #expect(try await world.settled(again.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a failure for want of a card does not name the one that was refused before") func goneCard() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.decide(try await world.payment(of: invoice), "block")
            try await world.execute(
                "UPDATE payment_methods SET status = 'detached', is_default = false WHERE customer_id = \(customer)")
            await world.deliver([world.due(invoice, customer)])
            let told: [String] = try await world.texts(
                """
                SELECT concat(body::jsonb->>'attempt', ' ', body::jsonb->>'decline_code', ' ',
                    body::jsonb->>'payment_method_id' IS NOT NULL)
                FROM outbox WHERE type = 'payment.failed.v1' ORDER BY xid, seq
                """)
            #expect(told == ["1 blocked_by_risk t", "1 no_payment_method f"])
        }
    }

    @Test("collection again begins only where the last attempt failed") func onlyFailed() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000009995")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.deliver([world.due(invoice, customer)])
            var payment: PaymentRecord = try await world.payment(of: invoice)
            #expect(payment.attempts == 1 && payment.status == .created, "under way: left alone")
            await world.decide(payment)
            payment = try await world.settled(payment.id)
            #expect(payment.status == .failed && payment.decline == .insufficientFunds)
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer), world.due(invoice, customer)])
            payment = try await world.payment(of: invoice)
            #expect(payment.attempts == 2, "asked twice in one batch, tried once")
            await world.decide(payment)
            payment = try await world.settled(payment.id)
            #expect(payment.status == .succeeded)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(of: invoice).attempts == 2, "paid: left alone")
            await world.deliver([world.due(.new(at: PaymentWorld.start), customer)])
            #expect(try await world.number("SELECT count(*) FROM payments") == 1, "an unknown invoice begins nothing")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a customer who has not passed a challenge and brings another card is charged with that") func otherCard()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002500003155")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.decide(try await world.payment(of: invoice))
            let failed: PaymentRecord = try await world.settled(world.payment(of: invoice).id)
            #expect(failed.status == .failed, "nobody was there to authenticate")
            // They come back, see the challenge and leave it.
            await world.decide(try await world.confirm(failed.id, passed: nil))
            #expect(try await world.settled(failed.id).status == .requiresAction)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(of: invoice).status == .requiresAction, "a planned retry disturbs nobody")
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer, reason: "new_payment_method")])
            let again: PaymentRecord = try await world.payment(of: invoice)
            #expect(again.status == .created && again.attempts == 3)
            await world.decide(again)
            #expect(try await world.settled(failed.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("another card that comes while a provider is to let go of the last attempt is charged once it has")
    func heldCard() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, invoice, customer) = try await world.onPage()
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .requiresAction, "a planned retry disturbs nobody")
            try await world.attach("4242424242424242", to: customer)
            for _ in 0..<2 { await world.deliver([world.due(invoice, customer, reason: "new_payment_method")]) }
            #expect(try await world.payment(payment.id).status == .canceling)
            try await world.work.sweep.pass()
            let next: PaymentRecord = try await world.payment(payment.id)
            #expect(next.status == .created && next.attempts == 2 && next.provider == "sandbox")
            #expect(try await world.published("payment.failed.v1") == 0, "nobody takes it for the other card's end")
            let started: [String] = try await world.texts(
                """
                SELECT body::jsonb->>'customer_started' FROM outbox WHERE type = 'payment.created.v1'
                    AND body::jsonb->>'attempt' = '2'
                """)
            #expect(started == ["true"], "the customer brought it")
            await world.decide(next)
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a planned retry that came while the customer was on a page is made once they have left it") func leftPage()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, invoice, customer) = try await world.onPage()
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .requiresAction)
            pages.settle(payment.attemptID, .declined(ProviderDecline(code: "expired_card")))
            _ = try await world.work.sync(payment.id)
            let next: PaymentRecord = try await world.payment(payment.id)
            #expect(next.status == .created && next.attempts == 2 && next.provider == "sandbox")
            #expect(try await world.published("payment.failed.v1") == 0, "the retry's outcome is told")
            await world.decide(next)
            #expect(try await world.settled(payment.id).status == .succeeded)
        }
    }

    @Test("a planned retry that came during a challenge is made once that is left") func leftChallenge() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002500003155")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            await world.decide(try await world.payment(of: invoice))
            let id: PaymentID = try await world.settled(world.payment(of: invoice).id).id
            await world.decide(try await world.confirm(id, passed: nil))
            #expect(try await world.settled(id).status == .requiresAction)
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer)])
            _ = try await world.confirm(id, passed: false)
            let next: PaymentRecord = try await world.payment(id)
            #expect(next.status == .created && next.attempts == 3)
            await world.decide(next)
            #expect(try await world.settled(id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("so it is where the customer had finished on the page in vain, and the provider does not let go")
    func inVain()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, invoice, customer) = try await world.onPage()
            pages.refuseReleases()
            pages.settle(payment.attemptID, .declined(ProviderDecline(code: "expired_card")))
            try await world.attach("4242424242424242", to: customer)
            await world.deliver([world.due(invoice, customer, reason: "new_payment_method")])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            let next: PaymentRecord = try await world.payment(payment.id)
            #expect(next.status == .created && next.attempts == 2 && next.provider == "sandbox")
            #expect(try await world.published("payment.failed.v1") == 0)
            await world.decide(next)
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a card that was taken off its customer, or a wallet's, is not charged by one who comes back")
    func goneMethod() async throws {
        try await withPayments { world in
            for gone: SQL in [
                "status = 'detached', is_default = false",
                "wallet = 'google_pay', single_use = true, is_default = false",
            ] {
                let customer: CustomerID = try await world.payer("4000002500003155")
                let invoice = InvoiceID.new(at: PaymentWorld.start)
                await world.deliver([world.finalized(invoice, customer)])
                let payment: PaymentRecord = try await world.payment(of: invoice)
                await world.decide(payment)
                #expect(try await world.settled(payment.id).decline == .authenticationRequired)
                try await world.execute("UPDATE payment_methods SET \(gone) WHERE customer_id = \(customer)")
                for passed in [true, nil] {
                    await #expect(throws: ContinuePayment.Failure.methodGone) {
                        try await world.confirm(payment.id, passed: passed)
                    }
                }
                #expect(try await world.payment(payment.id).attempts == 1)
            }
            #expect(ContinuePayment.Failure.methodGone.problem.status == 409)
        }
    }

    @Test("a voided invoice's payment is given up unless money may have moved") func voided() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let (waiting, failed, done): (InvoiceID, InvoiceID, InvoiceID) = (
                .new(at: PaymentWorld.start), .new(at: PaymentWorld.start), .new(at: PaymentWorld.start)
            )
            await world.deliver([waiting, failed, done].map { world.finalized($0, customer) })
            await world.decide(try await world.payment(of: failed), "block")
            await world.decide(try await world.payment(of: done))
            _ = try await world.settled(try await world.payment(of: done).id)
            let late: PaymentRecord = try await world.payment(of: waiting)
            await world.deliver([waiting, failed, done, waiting].map { world.voided($0, customer) })
            #expect(try await world.payment(of: waiting).status == .canceled)
            #expect(try await world.payment(of: failed).status == .canceled)
            #expect(try await world.payment(of: done).status == .succeeded)
            #expect(try await world.published("payment.canceled.v1") == 2)
            await world.decide(late)
            await world.deliver([world.due(waiting, customer)])
            #expect(
                try await world.payment(of: waiting).status == .canceled,
                "neither a late verdict nor a retry revives it")
            #expect(world.provider.charges == 1)
            #expect(try await world.violations().isEmpty)
        }
    }
}
