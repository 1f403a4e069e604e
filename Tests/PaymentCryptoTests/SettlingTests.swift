import BillingCore
import PaymentChains
import PaymentContract
import PaymentCrypto
import TestKit
import Testing

@Suite("What a chain makes of a payment") struct SettlingTests {
    @Test("a payment is seen, confirmed and captured, and the charge flow hears of it once")
    func exact() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            #expect(try await world.missing(request) == "200000")
            world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            #expect(try await world.charge(request).standing.outcome == .seen)
            // Enough is on its way: nothing more is asked for.
            #expect(try await world.missing(request) == "0")
            world.chain.mine()
            try await world.look()
            #expect(try await world.missing(request) == "0")
            #expect(world.flow.heard == [])
            world.chain.mine()
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(world.flow.heard == [.charge(request.idempotencyKey)])
            world.chain.mine()
            try await world.look()
            #expect(world.flow.heard.count == 1)
            #expect(try await world.goingBack(request) == [])
        }
    }

    @Test("larger amounts need more confirmations")
    func tiers() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened(Money(minor: 1_000_00, currency: .usd))
            world.chain.pay(address, 2_000_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.missing(request) == "0")
            world.chain.mine()
            try await world.look()
            #expect(try await world.missing(request) == nil)
        }
    }

    @Test("a little too little is enough; more is asked for when more is missing, in as many payments as it takes")
    func under() async throws {
        try await withCrypto { world in
            let (near, nearby) = try await world.opened()
            world.chain.pay(nearby, 198_000)
            let (far, faraway) = try await world.opened()
            world.chain.pay(faraway, 150_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(near) == .captured(ProviderCharge(reference: nearby)))
            #expect(try await world.charge(far).standing.outcome == .partiallyPaid)
            guard case .actionRequired(_, .transfer(let rest)) = try await world.answer(far) else {
                Issue.record("the rest is not asked for")
                return
            }
            #expect(rest.amount == "50000")
            #expect(rest.uri == "bitcoin:\(faraway)?amount=0.0005")
            world.chain.pay(faraway, 20_000)
            world.chain.pay(faraway, 30_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(far) == .captured(ProviderCharge(reference: faraway)))
            #expect(try await world.charge(far).standing.received == BaseUnits(200_000))
            #expect(try await world.goingBack(far) == [])
        }
    }

    @Test("what is never completed is declined when its time is over, and offered back")
    func neverCompleted() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, 150_000)
            world.chain.mine(2)
            world.clock.advance(by: .seconds(900 + 119))
            try await world.look()
            #expect(try await world.missing(request) == "50000")
            world.clock.advance(by: .seconds(1))
            #expect(try await world.inFlight() == 1)
            try await world.look()
            #expect(
                try await world.answer(request)
                    == .declined(ProviderDecline(code: "underpaid", reference: address)))
            #expect(try await world.goingBack(request) == ["underpaid 150000 open"])
            #expect(try await world.inFlight() == 0)
        }
    }

    @Test("too much is captured at the price; the rest is offered back, and grows and shrinks with what arrives")
    func over() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, 250_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
            #expect(try await world.goingBack(request) == ["overpaid 50000 open"])
            world.chain.pay(address, 7_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 57000 open"])
            world.chain.reorganise(depth: 2, dropping: true)
            try await world.look()
            #expect(try await world.goingBack(request) == ["overpaid 50000 open"])
            #expect(try await world.violations() == ["1 crypto payments that were received but are not booked"])
        }
    }

    @Test("a surplus that is not worth sending back is held")
    func dust() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, 200_999)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.charge(request).standing.held == BaseUnits(999))
            #expect(try await world.goingBack(request) == [])
        }
    }

    @Test("nothing came: declined once the quote and its grace are over, and heard of once")
    func expired() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(900))
            try await world.look()
            #expect(try await world.charge(request).standing.outcome == .expired)
            #expect(try await world.missing(request) == "200000")
            world.clock.advance(by: .seconds(120))
            try await world.look()
            try await world.look()
            #expect(
                try await world.answer(request)
                    == .declined(ProviderDecline(code: "quote_expired", reference: address)))
            #expect(world.flow.heard == [.charge(request.idempotencyKey)])
            // It is on the address, but for nothing any more.
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(
                try await world.answer(request)
                    == .declined(ProviderDecline(code: "quote_expired", reference: address)))
            #expect(try await world.goingBack(request) == ["late 200000 open"])
            #expect(world.flow.heard.count == 1)
        }
    }

    @Test(
        "late money goes by its rule",
        arguments: [
            (WatchPolicy.LateRule.accept, "captured", [String]()),
            (.hold, "paid_late", []), (.refund, "paid_late", ["late 200000 open"]),
        ])
    func late(_ rule: WatchPolicy.LateRule, _ answer: String, _ back: [String]) async throws {
        try await withCrypto(late: rule) { world in
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(901))
            try await world.look()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            world.clock.advance(by: .seconds(120))
            try await world.look()
            let charge: CryptoCharge = try await world.charge(request)
            #expect(charge.answer?.text == answer)
            #expect(try await world.goingBack(request) == back)
            #expect(charge.standing.received == BaseUnits(CryptoWorld.due))
        }
    }

    @Test("sent in time and confirmed after the end is in time; what is on its way is waited for")
    func slowBlocks() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(899))
            world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            world.clock.advance(by: .seconds(7_200))
            try await world.look()
            #expect(try await world.missing(request) == "0")
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: address)))
        }
    }

    @Test("a payment that is replaced or dropped counts no more, and its replacement does")
    func replaced() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let first: String = world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            #expect(try await world.missing(request) == "0")
            world.chain.replace(first)
            try await world.look()
            #expect(try await world.missing(request) == "200000")
            let second: String = world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            world.chain.replace(second, by: address, CryptoWorld.due)
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.charge(request).standing.received == BaseUnits(CryptoWorld.due))
            #expect(try await world.missing(request) == nil)
        }
    }

    @Test("a transfer the chain did not carry out is none")
    func failedTransfer() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due, succeeded: false)
            world.chain.mine(3)
            try await world.look()
            #expect(try await world.missing(request) == "200000")
        }
    }
}
