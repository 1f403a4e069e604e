import BillingCore
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

extension CryptoWorld {
    fileprivate func watched(_ request: ChargeRequest) async throws -> WatchedAddress {
        let now: Instant = clock.now
        let all: [WatchedAddress] = try await database.transaction { db in
            try WatchStore.addresses(of: "bitcoin:regtest", at: now, in: db)
        }
        return try #require(all.first { $0.attemptID == request.idempotencyKey })
    }
}

@Suite("What is known of an address before it is asked for") struct WatchedAddressTests {
    @Test("open until it is answered and once more at its end; moving while a transfer is in no block that stands")
    func states() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let waiting: WatchedAddress = try await world.watched(request)
            #expect(waiting.isOpen && !waiting.isMoving && !waiting.isUnsettled)
            world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            let seen: WatchedAddress = try await world.watched(request)
            #expect(seen.isOpen && seen.isMoving && seen.isUnsettled)
            world.chain.mine(2)
            try await world.look()
            let paid: WatchedAddress = try await world.watched(request)
            #expect(!paid.isOpen && !paid.isMoving && paid.isUnsettled)
            world.chain.shows { $0.pool = false }
            world.chain.reorganise(depth: 2)
            try await world.look()
            let departed: WatchedAddress = try await world.watched(request)
            #expect(departed.isMoving)
            world.chain.mine()
            try await world.look()
            let back: WatchedAddress = try await world.watched(request)
            #expect(!back.isMoving && !back.isOpen)
            world.clock.advance(by: .seconds(31 * 86_400))
            let ending: WatchedAddress = try await world.watched(request)
            #expect(ending.isOpen)
        }
    }
}
