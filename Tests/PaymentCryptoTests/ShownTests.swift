import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

@Suite("Crypto as callers see it") struct ShownTests {
    private func shown(_ world: CryptoWorld, _ payment: PaymentID) async throws -> JSONValue {
        let accepted: AcceptedAssets = world.accepted
        let bytes: [UInt8] = try await world.database.transaction(readOnly: true) { db in
            encode(try CryptoPaymentResource.newest(of: payment, accepted, in: db))
        }
        return try parseJSON(bytes)
    }

    @Test("address, quote, transactions with their confirmations, and the standing")
    func payment() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, 150_000)
            world.chain.mine()
            world.chain.pay(address, 20_000)
            try await world.look()
            let shown: JSONValue = try await shown(world, request.paymentID)
            #expect(shown["address"] == .string(address))
            #expect(shown["uri"] == .string("bitcoin:\(address)?amount=0.0003"))
            #expect(shown["quote"]?["amount"] == "200000")
            #expect(shown["quote"]?["rate"] == "50000")
            #expect(shown["quote"]?["price"] == 10_000)
            #expect(shown["standing"]?["outcome"] == "seen")
            #expect(shown["standing"]?["pending"] == "170000")
            #expect(shown["standing"]?["missing"] == "30000")
            #expect(shown["answer"] == .null)
            let seen: [JSONValue] = shown["transactions"]?.arrayValue ?? []
            #expect(seen.map { $0["confirmations"] } == [1, 0])
            #expect(seen.map { $0["amount"] } == ["150000", "20000"])
            #expect(seen.map { $0["confirmations_needed"] } == [2, 2])
        }
    }

    @Test("once enough is on its way, and when it is captured, the URI asks for no amount")
    func nothingMissing() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            world.chain.pay(address, CryptoWorld.due)
            try await world.look()
            #expect(try await shown(world, request.paymentID)["uri"] == .string("bitcoin:\(address)"))
            guard case .actionRequired(_, .transfer(let asked)) = try await world.answer(request) else {
                Issue.record("the attempt is not open")
                return
            }
            #expect(asked.amount == "0" && asked.uri == "bitcoin:\(address)")
            world.chain.mine(2)
            try await world.look()
            let captured: JSONValue = try await shown(world, request.paymentID)
            #expect(captured["answer"] == "captured")
            #expect(captured["uri"] == .string("bitcoin:\(address)"))
        }
    }

    @Test("a payment without crypto is not found, and one in an asset that is configured no more says so")
    func unknown() async throws {
        try await withCrypto { world in
            let (request, _) = try await world.opened()
            await #expect(throws: Problem.self) { try await shown(world, .new(at: world.clock.now)) }
            await #expect(throws: Problem.self) {
                try await world.database.transaction(readOnly: true) { db in
                    _ = try CryptoPaymentResource.newest(of: request.paymentID, AcceptedAssets([]), in: db)
                }
            }
        }
    }

    @Test("a rate must be above zero, for something that is accepted", arguments: ["0", "-1", "x", "1e3"])
    func badRates(_ rate: String) throws {
        let text = #"{"asset":"bitcoin","currency":"USD","rate":"\#(rate)"}"#
        #expect(throws: InvalidInput.self) { try decode(RateInput.self, from: parseJSON(text)) }
    }
}
