import BillingCore
import HTTPKit
import JSON
import NIOHTTP1
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Held money completes a payment, from the address to the ledger") struct HeldFlowTests {
    private static let told = ["payment.created.v1", "payment.requires_action.v1", "payment.failed.v1"]

    /// The payment was made once, and everything agrees about it.
    private func isPaidOnce(_ shop: CryptoShop, _ failed: PaymentRecord) async throws {
        let payment: PaymentRecord = try await shop.payment(failed.id)
        #expect(payment.status == .succeeded && payment.amountCaptured == 100_00 && payment.declineCode == nil)
        #expect(payment.attemptID == failed.attemptID && payment.attempts == 1)
        let (events, entries) = try await shop.told(payment)
        #expect(events == Self.told + ["payment.succeeded.v1"])
        #expect(entries.count { $0 == "payment" } == 1)
        #expect(try await shop.world.books() == [0, 0])
        let charge: CryptoCharge = try await shop.charge(payment)
        #expect(charge.answer == .captured && charge.standing.held.isZero)
        #expect(try await shop.world.number("SELECT count(*) FROM payment_attempts WHERE status = 'succeeded'") == 1)
        #expect(try await shop.world.number("SELECT count(*) FROM crypto_completions") == 1)
        #expect(try await shop.violations() == [])
    }

    @Test("it fails for want of money, and is made by what comes late: booked and told once, and then refundable")
    func completed() async throws {
        try await withCryptoShop { shop in
            let bob: String = try await shop.server.person()
            let waiting: PaymentRecord = try await shop.ordered()
            #expect(try await shop.complete(waiting, by: bob).status == 404, "it may still be paid")
            shop.world.clock.advance(by: .seconds(2_000))
            try await shop.lookAndTell()
            #expect(try await shop.payment(waiting.id).status == .failed)
            #expect(try await shop.complete(waiting, by: bob).status == 404, "there is nothing to complete it with")
            shop.world.chain.pay(try await shop.charge(waiting).address, CryptoWorld.due)
            shop.world.chain.mine(2)
            try await shop.lookAndTell()
            let failed: PaymentRecord = try await shop.payment(waiting.id)
            #expect(failed.status == .failed && failed.declineCode == "quote_expired")
            #expect(try await shop.told(failed).events == Self.told)
            #expect(try await shop.violations() == [])

            let reader: String = try await shop.server.person(["crypto:read"])
            #expect(try await shop.complete(failed, by: reader).status == 403)
            let decided = try await shop.complete(failed, by: bob, key: "one")
            #expect(decided.status == 202 && decided.json["payment_id"]?.stringValue == failed.id.rawValue)
            #expect(decided.json["amount"] == "200000" && decided.json["reason"] == "the goods are still here")
            #expect(try await shop.payment(failed.id).status == .processing)
            try await shop.lookAndTell()
            try await isPaidOnce(shop, failed)

            let again = try await shop.complete(failed, by: bob, key: "one")
            #expect(again.status == 202 && again.json == decided.json)
            let anew = try await shop.complete(failed, by: bob)
            #expect(anew.status == 409 && anew.json["code"] == "payment_made")
            try await shop.lookAndTell()
            try await shop.work.sweep.pass()
            try await isPaidOnce(shop, failed)
            #expect(try await shop.refund(failed) == 202)
            #expect(try await shop.world.number("SELECT count(*) FROM crypto_refund_instructions") == 1)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a decision whose process dies at once is booked by another's sweeper, and its news is no news then")
    func crashed() async throws {
        try await withCryptoShop { shop in
            let failed: PaymentRecord = try await shop.paidLate()
            #expect(try await shop.complete(failed, by: shop.server.person()).status == 202)
            let other: CryptoShop = try shop.restarted()
            try await other.work.sweep.pass()
            try await isPaidOnce(other, failed)
            try await other.lookAndTell()
            try await other.work.sweep.pass()
            try await isPaidOnce(other, failed)
        }
    }

    @Test("news that was taken, and whose process dies before it is marked as told, is told again and booked once")
    func toldTwice() async throws {
        try await withCryptoShop { shop in
            struct Dead: Error {}
            let failed: PaymentRecord = try await shop.paidLate()
            #expect(try await shop.complete(failed, by: shop.server.person()).status == 202)
            let news: HandleNews = shop.work.news
            try await shop.world.watcher().tellNews {
                try await news.follow($0)
                throw Dead()
            }
            try await isPaidOnce(shop, failed)
            #expect(try await shop.world.number("SELECT count(*) FROM crypto_charges WHERE told_at IS NULL") == 1)
            try await shop.restarted().tellNews()
            #expect(try await shop.world.number("SELECT count(*) FROM crypto_charges WHERE told_at IS NULL") == 0)
            try await isPaidOnce(shop, failed)
        }
    }

    @Test("of many who complete and give it up at once one does; everyone else is told how the payment stands")
    func concurrent() async throws {
        try await withCryptoShop { shop in
            let failed: PaymentRecord = try await shop.paidLate()
            let bob: String = try await shop.server.person()
            let answers: [String] = try await withThrowingTaskGroup { group in
                for place in 0..<10 {
                    group.addTask {
                        if place % 4 == 3 { return try await shop.cancel(failed) ? "canceled" : "not canceled" }
                        let answer = try await shop.complete(failed, by: bob)
                        return answer.json["code"]?.stringValue ?? "\(answer.status)"
                    }
                }
                // While the watcher tells, and a sweeper looks.
                group.addTask {
                    try await shop.lookAndTell()
                    try await shop.work.sweep.pass()
                    return ""
                }
                return try await group.reduce(into: []) { $0.append($1) }.filter { !$0.isEmpty }.sorted()
            }
            if answers.contains("canceled") {
                #expect(Set(answers) == ["canceled", "payment_state"])
                #expect(try await shop.payment(failed.id).status == .canceled)
                #expect(try await shop.world.held().map(\.free) == [BaseUnits(200_000)])
                #expect(try await shop.violations() == [])
            } else {
                #expect(answers.count { $0 == "202" } == 1)
                #expect(Set(answers) == ["202", "not canceled", "payment_made"])
                try await shop.lookAndTell()
                try await shop.work.sweep.pass()
                try await isPaidOnce(shop, failed)
            }
        }
    }

    @Test("a payment that was given up meanwhile is not completed: its money can still be sent back")
    func canceled() async throws {
        try await withCryptoShop { shop in
            let failed: PaymentRecord = try await shop.paidLate()
            let bob: String = try await shop.server.person()
            #expect(try await shop.cancel(failed))
            let answer = try await shop.complete(failed, by: bob)
            #expect(answer.status == 409 && answer.json["code"] == "payment_state")
            #expect(try await shop.payment(failed.id).status == .canceled)
            #expect(try await shop.told(failed).events == Self.told + ["payment.canceled.v1"])
            let back = try await shop.server.send(
                .POST, "/v1/crypto/held/\(failed.attemptID)/refund", #"{"address":"\#(CryptoWorld.payer)"}"#, by: bob)
            #expect(back.status == 201)
            #expect(try await shop.violations() == [])
        }
    }

    @Test("a payment that is being completed cannot be given up, and a word read before the decision changes nothing")
    func overtaken() async throws {
        try await withCryptoShop { shop in
            let failed: PaymentRecord = try await shop.paidLate()
            #expect(try await shop.complete(failed, by: shop.server.person()).status == 202)
            #expect(try await !shop.cancel(failed))
            let attempt = ApprovedAttempt(
                paymentID: failed.id, provider: "bitcoin",
                request: ChargeRequest(
                    idempotencyKey: failed.attemptID, paymentID: failed.id,
                    source: .redirect(method: "bitcoin", returnURL: ""), amount: failed.amount))
            let declined: ChargeAnswer = .declined(ProviderDecline(code: "quote_expired"))
            try await shop.work.outcomes(Outcome(attempt: attempt, answer: declined, by: shop.world.provider()))
            #expect(try await shop.payment(failed.id).status == .processing)
            #expect(try await shop.told(failed).events == Self.told)
            try await shop.lookAndTell()
            try await isPaidOnce(shop, failed)
        }
    }
}
