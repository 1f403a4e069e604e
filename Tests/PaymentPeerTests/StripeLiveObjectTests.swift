import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

@Suite("Customers, methods, disputes and balance at the Stripe double", .serialized) struct StripeLiveObjectTests {
    private static func wish(
        _ double: StripeDouble, _ token: String, of customer: CustomerID, as method: PaymentMethodID? = nil
    ) -> SaveMethodRequest {
        SaveMethodRequest(
            methodID: method ?? .made(at: double.clock.now), customerID: customer, type: "card", token: token,
            returnURL: "https://shop.test/back", acceptance: nil)
    }

    private static func visa(
        _ double: StripeDouble, of customer: CustomerID, as method: PaymentMethodID
    ) async throws -> SavedMethod {
        let wish: SaveMethodRequest = Self.wish(double, "pm_card_visa", of: customer, as: method)
        guard case .saved(let saved) = try await double.adapter().save(wish) else {
            throw MissingInfrastructure("the double saved nothing")
        }
        return saved
    }

    @Test("a card is saved for a customer, with 3-D Secure, and charged without the customer") func save() async throws
    {
        try await withStripe { double in
            let adapter = double.adapter()
            let customer = CustomerID.made(at: double.clock.now)
            let plain: SavedMethod = try await Self.visa(double, of: customer, as: .made(at: double.clock.now))
            #expect(plain.last4 == "4242" && plain.brand == "visa" && plain.customer?.hasPrefix("cus_") == true)
            let shown: VaultedCard? = try await adapter.look(at: plain.token)?.card
            #expect(shown?.brand == "visa" && shown?.last4 == "4242")
            #expect(shown?.expYear == plain.expYear)
            let wish = Self.wish(double, "pm_card_authenticationRequiredOnSetup", of: customer)
            guard case .actionRequired(let reference, .redirect) = try await adapter.save(wish) else {
                Issue.record("no action")
                return
            }
            try await double.control("authenticate/\(reference)", [:])
            let answer = try await adapter.save(wish)
            guard case .saved(let saved) = answer, try await adapter.saved(wish, reference: reference) == answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(saved.customer == plain.customer, "one customer at Stripe for each of ours")
            for token in [plain.token, saved.token] {
                let asked = double.request(token, customer: plain.customer, offSession: true)
                #expect(outline(try await adapter.charge(asked)) == .captured)
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a card whose bank wants to see its owner is not kept without a return_url, and the same is asked with one")
    func nowhere() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let id = PaymentMethodID.made(at: double.clock.now)
            let customer = CustomerID.made(at: double.clock.now)
            let token = "pm_card_authenticationRequired"
            let alone = SaveMethodRequest(
                methodID: id, customerID: customer, type: "card", token: token, returnURL: "", acceptance: nil)
            for _ in 1...2 {
                guard case .declined(let decline) = try await adapter.save(alone) else {
                    Issue.record("not declined")
                    return
                }
                #expect(decline.code == "return_url_missing")
            }
            let wish = Self.wish(double, token, of: customer, as: id)
            guard case .actionRequired(_, .redirect) = try await adapter.save(wish) else {
                Issue.record("no action")
                return
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a card of Stripe's form pays once, or is kept by the payment that its customer agrees to later ones with")
    func form() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let customer = CustomerID.made(at: double.clock.now)
            let once: EnteredCard = try #require(try await adapter.entered(try await double.card(), for: nil))
            #expect(once.card.brand == "visa" && once.card.last4 == "4242" && once.customer == nil)
            #expect(outline(try await adapter.charge(double.request(once.token, customer: nil))) == .captured)
            let kept: EnteredCard = try #require(try await adapter.entered(try await double.card(), for: customer))
            #expect(kept.customer?.hasPrefix("cus_") == true)
            let first = ChargeRequest(
                idempotencyKey: .made(at: double.clock.now), paymentID: .made(at: double.clock.now),
                source: .stored(token: kept.token, providerCustomer: kept.customer),
                amount: Money(minor: 4_900, currency: .eur), keepsMethod: true)
            #expect(outline(try await adapter.charge(first)) == .captured)
            let later = double.request(kept.token, customer: kept.customer, offSession: true)
            #expect(outline(try await adapter.charge(later)) == .captured)
            #expect(try await adapter.entered("pm_nobody", for: nil) == nil)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a bank account that Stripe is told of is saved with its mandate, and debited") func account() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let id = PaymentMethodID.made(at: double.clock.now)
            let account = BankAccount(
                iban: try IBAN("DE89 3704 0044 0532 0130 00"), holder: "Ada & Co", email: "ada@shop.test")
            let told: String = try await adapter.token(of: account, as: id)
            #expect(try await adapter.token(of: account, as: id) == told, "the same question has the same answer")
            let wish = SaveMethodRequest(
                methodID: id, customerID: .made(at: double.clock.now), type: "sepa_debit", token: told,
                returnURL: "https://shop.test/back",
                acceptance: SaveMethodRequest.Acceptance(
                    acceptedAt: double.clock.now, ipAddress: "203.0.113.7", userAgent: "Firefox"))
            guard case .saved(let saved) = try await adapter.save(wish) else {
                Issue.record("not saved")
                return
            }
            #expect(saved.last4 == "3000")
            // The double's answer names no mandate, as Stripe's does.
            let asked = double.request("\(saved.token)/mandate_1", currency: .eur, customer: saved.customer)
            guard case .pending = try await adapter.charge(asked) else {
                Issue.record("not pending")
                return
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a method is detached once, whatever happens to the answers; one that is gone counts as detached")
    func forget() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let customer = CustomerID.made(at: double.clock.now)
            for kind in [nil, "500_after", "reset_after", "409", "503"] as [String?] {
                let id = PaymentMethodID.made(at: double.clock.now)
                let saved: SavedMethod = try await Self.visa(double, of: customer, as: id)
                let asked = ForgetMethodRequest(methodID: id, token: saved.token)
                if let kind {
                    try await double.control(
                        "faults", ["kind": .string(kind), "path": "/detach$", "method": "POST", "times": 1])
                }
                #expect(try await adapter.forget(asked) == .forgotten, "\(kind ?? "no fault")")
                #expect(try await adapter.forget(asked) == .forgotten)
                // Under another key, as after a day: it is off its customer already.
                let other = ForgetMethodRequest(methodID: .made(at: double.clock.now), token: asked.token)
                #expect(try await adapter.forget(other) == .forgotten)
                let kept: JSONValue? = try await double.objects("payment_method").first {
                    $0["id"]?.stringValue == asked.token
                }
                #expect(kept?["customer"] == .null)
            }
            let unknown = ForgetMethodRequest(methodID: .made(at: double.clock.now), token: "pm_unknown")
            #expect(try await adapter.forget(unknown) == .forgotten)
            for (token, answer) in [
                ("tok_visa", .forgotten), ("card_1", .refused(code: "token_malformed")),
            ] as [(String, ForgetMethodAnswer)] {
                let asked = ForgetMethodRequest(methodID: unknown.methodID, token: token)
                #expect(try await adapter.forget(asked) == answer)
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test(
        "a wallet's token that was made for Stripe is saved once and charged without the customer",
        arguments: [("google_pay", "tok_visa"), ("apple_pay", "pm_card_visa")])
    func wallet(type: String, token: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let wish = SaveMethodRequest(
                methodID: .made(at: double.clock.now), customerID: .made(at: double.clock.now), type: type,
                token: token,
                returnURL: "https://shop.test/back", acceptance: nil)
            guard case .saved(let saved) = try await adapter.save(wish) else {
                Issue.record("not saved")
                return
            }
            #expect(saved.brand == "visa" && saved.last4 == "4242" && saved.token.hasPrefix("pm_"))
            #expect(try await adapter.save(wish) == .saved(saved), "the same question has the same answer")
            let asked = double.request(saved.token, customer: saved.customer, offSession: true)
            #expect(outline(try await adapter.charge(asked)) == .captured)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a card that its bank refuses is not saved") func refused() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let customer = CustomerID.made(at: double.clock.now)
            let wish = Self.wish(double, "pm_card_visa_chargeDeclinedLostCard", of: customer)
            guard case .declined(let decline) = try await adapter.save(wish) else {
                Issue.record("saved")
                return
            }
            #expect(decline.code == "lost_card" && decline.reference?.hasPrefix("seti_") == true)
            await #expect(throws: ProviderFault.rejected(code: "resource_missing")) {
                try await adapter.saved(wish, reference: "seti_unknown")
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a dispute is told of, read, answered with evidence once, and won") func dispute() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let before = try await adapter.changedDisputes(since: nil)
            let asked = double.request("pm_card_createDispute")
            guard case .captured(let charge) = try await adapter.charge(asked) else {
                throw MissingInfrastructure("the double answered otherwise")
            }
            let news = try await adapter.changedDisputes(since: before.cursor)
            let reference = try #require(news.references.first)
            #expect(try await adapter.changedDisputes(since: news.cursor).references.isEmpty)
            let told = try #require(try await adapter.readDispute(reference))
            #expect(told.stage == .needsResponse && told.amount == asked.amount && told.evidenceDueBy != nil)
            #expect(told.taken == charge.reference && told.paymentID == asked.paymentID && told.fee?.minor == 1_500)
            #expect(try await adapter.readDispute("dp_unknown") == nil)
            let evidence = EvidenceRequest(
                idempotencyKey: .made(at: double.clock.now), reference: reference,
                evidence: DisputeEvidence([.productDescription: "Ein Abo & mehr", .serviceDate: "2026-11-01"]))
            for _ in 0..<2 {
                guard case .standing(let sent) = try await adapter.submitEvidence(evidence) else {
                    throw MissingInfrastructure("the double refused the evidence")
                }
                #expect(sent.stage == .underReview && sent.evidenceDueBy == nil)
            }
            let refund = RefundRequest(
                idempotencyKey: .made(at: double.clock.now), reference: charge.reference, amount: asked.amount)
            #expect(try await adapter.refund(refund) == .refused(code: "charge_disputed"))
            try await double.control("close_dispute/\(reference)", ["status": "won"])
            let won = try #require(try await adapter.readDispute(reference))
            #expect(won.stage == .won && won.fee?.minor == 0)
            #expect(try await adapter.changedDisputes(since: news.cursor).references.contains(reference))
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("an inquiry takes no money; a dispute given in to is lost") func accepted() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            _ = try await adapter.charge(double.request("pm_card_createDisputeInquiry"))
            _ = try await adapter.charge(double.request("pm_card_createDispute"))
            var stages: [DisputeStatus] = []
            for reference in try await adapter.changedDisputes(since: nil).references {
                let told = try #require(try await adapter.readDispute(reference))
                stages.append(told.stage)
                guard told.stage == .needsResponse else { continue }
                let acceptance = DisputeAcceptance(idempotencyKey: .made(at: double.clock.now), reference: reference)
                for _ in 0..<2 {
                    guard case .standing(let closed) = try await adapter.acceptDispute(acceptance) else {
                        throw MissingInfrastructure("the double refused to close it")
                    }
                    #expect(closed.stage == .lost)
                }
            }
            #expect(Set(stages) == [.inquiry, .needsResponse])
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("the balance is read page by page, to the last unit") func balance() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            for index in 0..<23 {
                _ = try await adapter.charge(double.request(minor: 1_000 + Int64(index)))
            }
            var entries: [StripeBalanceEntry] = []
            var after: String?
            var pages = 0
            repeat {
                let page = try await adapter.balance(after: after, limit: 10)
                entries += page.entries
                after = page.next
                pages += 1
            } while after != nil
            #expect(pages == 3 && Set(entries.map(\.id)).count == 23)
            let gross: Int64 = entries.reduce(0) { $0 + $1.amount.minor }
            let net: Int64 = entries.reduce(0) { $0 + $1.net.minor }
            #expect(gross == (0..<23).reduce(0) { $0 + 1_000 + $1 })
            #expect(net == gross - entries.reduce(0) { $0 + $1.fee.minor })
            #expect(
                entries.allSatisfy { $0.type == "charge" && $0.source?.hasPrefix("ch_") == true && !$0.isAvailable })
            #expect(try await double.complaints().isEmpty)
        }
    }
}
