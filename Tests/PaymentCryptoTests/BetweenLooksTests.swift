import BillingCore
import PaymentChains
import PaymentContract
import PaymentCrypto
import TestKit
import Testing

@Suite("What comes between two looks came in time if the first was") struct BetweenLooksTests {
    private static func captured(_ address: String) -> ChargeAnswer { .captured(ProviderCharge(reference: address)) }

    @Test("sent in time while nobody looks, and seen when the quote is over: waiting, or in a block made since")
    func outage() async throws {
        for isMined in [false, true] {
            try await withCrypto { world in
                let (request, address) = try await world.opened()
                world.clock.advance(by: .seconds(600))
                try await world.look()
                world.chain.pay(address, CryptoWorld.due)
                world.clock.advance(by: .seconds(420))
                if isMined { world.chain.mine() }
                try await world.look()
                #expect(try await world.missing(request) == "0")
                world.chain.mine(2)
                try await world.look()
                #expect(try await world.answer(request) == Self.captured(address))
            }
        }
    }

    @Test("sent in a quote's last seconds, and seen at the next look") func lastSeconds() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.clock.advance(by: .seconds(895))
            try await world.look()
            world.clock.advance(by: .seconds(4))
            world.chain.pay(address, CryptoWorld.due)
            world.clock.advance(by: .seconds(6))
            try await world.look()
            #expect(try await world.missing(request) == "0")
            world.chain.mine(2)
            try await world.look()
            #expect(try await world.answer(request) == Self.captured(address))
        }
    }

    @Test(
        "a look at a pool that it does not read to its end does not count; one at an address that its payer floods does",
        arguments: [(Sighting.Extent.partial, "0"), (.truncated, "200000")])
    func hidden(_ extent: Sighting.Extent, _ missing: String) async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            world.chain.shows {
                $0.extent = extent
                $0.told = 0
            }
            world.clock.advance(by: .seconds(910))
            try await world.look()
            world.chain.shows { $0 = FakeChain.Shows() }
            world.clock.advance(by: .seconds(10))
            try await world.look()
            #expect(try await world.missing(request) == missing)
        }
    }

    @Test(
        "a fee that is raised when the quote is over keeps the payment, though its pool is not read to the end at first"
    )
    func raised() async throws {
        for isHidden in [false, true] {
            try await withCrypto { world in
                let (request, address) = try await world.opened()
                let first: String = world.chain.pay(address, CryptoWorld.due)
                try await world.look()
                world.clock.advance(by: .seconds(2_400))
                try await world.look()
                world.chain.replace(first, by: address, CryptoWorld.due)
                if isHidden {
                    world.chain.shows {
                        $0.extent = .partial
                        $0.told = 0
                    }
                    try await world.look()
                    world.chain.shows { $0 = FakeChain.Shows() }
                }
                try await world.look()
                #expect(try await world.missing(request) == "0")
                world.chain.mine(2)
                try await world.look()
                #expect(try await world.answer(request) == Self.captured(address))
                #expect(try await world.charge(request).standing.received == BaseUnits(CryptoWorld.due))
            }
        }
    }
}
