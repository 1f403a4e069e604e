import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

@Suite("Customers, methods, disputes and balance at the Stripe double", .serialized) struct StripeLiveObjectTests {
    @Test("a card is saved for a customer, with 3-D Secure, and charged without the customer") func save() async throws
    {
        try await withStripe { double in
            let adapter = double.adapter()
            let id = CustomerID.new(at: double.clock.now)
            let customer = try await adapter.createCustomer(id, email: "ü@shop.test", name: "Ada & Co")
            #expect(try await adapter.createCustomer(id, email: "ü@shop.test", name: "Ada & Co") == customer)
            let attached = try await adapter.attach(
                .card("pm_card_visa"), to: customer, as: .new(at: double.clock.now))
            guard case .saved(let plain) = attached else {
                Issue.record("\(attached)")
                return
            }
            #expect(plain.last4 == "4242" && plain.brand == "visa" && plain.customer == customer)
            let wish = StripeSetupRequest(
                methodID: .new(at: double.clock.now), token: .card("pm_card_authenticationRequiredOnSetup"),
                customer: customer, returnURL: "https://shop.test/back")
            guard case .actionRequired(let reference, .redirect) = try await adapter.save(wish) else {
                Issue.record("no action")
                return
            }
            try await double.control("authenticate/\(reference)", [:])
            let answer = try await adapter.save(wish)
            guard case .saved(let saved) = answer, try await adapter.setup(reference) == answer else {
                Issue.record("\(answer)")
                return
            }
            for token in [plain.token, saved.token] {
                let asked = double.request(token.description, customer: customer, offSession: true)
                #expect(outline(try await adapter.charge(asked)) == .captured)
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a card that its bank refuses is not saved") func refused() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let customer = try await adapter.createCustomer(.new(at: double.clock.now))
            let token = StripeToken.card("pm_card_visa_chargeDeclinedLostCard")
            let attached = try await adapter.attach(token, to: customer, as: .new(at: double.clock.now))
            #expect(attached == .declined(ProviderDecline(code: "lost_card")))
            let wish = StripeSetupRequest(
                methodID: .new(at: double.clock.now), token: token, customer: customer, returnURL: "https://a.test")
            guard case .declined(let decline) = try await adapter.save(wish) else {
                Issue.record("saved")
                return
            }
            #expect(decline.code == "lost_card" && decline.reference?.hasPrefix("seti_") == true)
            await #expect(throws: ProviderFault.rejected(code: "resource_missing")) {
                try await adapter.attach(.card("pm_card_visa"), to: "cus_unknown", as: .new(at: double.clock.now))
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a dispute is read and answered with evidence") func dispute() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let asked = double.request("pm_card_createDispute")
            guard case .captured(let charge) = try await adapter.charge(asked) else {
                throw MissingInfrastructure("the double answered otherwise")
            }
            let dispute = try #require(try await adapter.disputes(of: charge.reference).first)
            #expect(dispute.status == .needsResponse && dispute.amount == asked.amount)
            #expect(dispute.payment == charge.reference && dispute.evidenceDue != nil && !dispute.isRefundable)
            #expect(try await adapter.dispute(dispute.id) == dispute)
            #expect(try await adapter.dispute("dp_unknown") == nil)
            let key = try #require(IdempotencyKey("evidence-1"))
            let evidence: [StripeEvidence: String] = [
                .productDescription: "Ein Abo & mehr", .serviceDate: "2026-11-01",
            ]
            let kept = try await adapter.submitEvidence(evidence, for: dispute.id, key: key, isFinal: false)
            #expect(kept.status == .needsResponse)
            let final = try #require(IdempotencyKey("evidence-2"))
            let sent = try await adapter.submitEvidence(evidence, for: dispute.id, key: final, isFinal: true)
            #expect(sent.status == .underReview)
            let refund = RefundRequest(
                idempotencyKey: .new(at: double.clock.now), reference: charge.reference, amount: asked.amount)
            #expect(try await adapter.refund(refund) == .refused(code: "charge_disputed"))
            try await double.control("close_dispute/\(dispute.id)", ["status": "won"])
            #expect(try await adapter.dispute(dispute.id)?.status == .won)
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
