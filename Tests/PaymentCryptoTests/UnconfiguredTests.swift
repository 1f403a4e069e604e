import BillingCore
import HTTPKit
import JSON
import Logging
import NIOHTTP1
import PaymentContract
import PaymentCrypto
import ServiceKit
import Testing

/// The way to nodes that nobody asks.
private struct NoWay: ProviderTransport {
    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer { throw .timedOut }
}

extension CryptoWorld {
    /// Crypto as a service without any settings for it has it.
    fileprivate func unconfigured() throws -> CryptoPart {
        CryptoPart(
            try CryptoSettings(tunables: [:], environment: [:], mode: .live), pool: database, clock: clock,
            transport: NoWay(), logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
    }
}

@Suite("Crypto where none is configured") struct UnconfiguredTests {
    @Test("the API is the same; nothing is listed, decided on or taken in") func routes() async throws {
        try await withCryptoServer({ try $0.unconfigured().endpoints }) { server in
            let ada: String = try await server.person(["crypto:*", "refunds:*", "payments:*"])
            for path in ["held", "chains", "unexplained", "refund_instructions", "rates"] {
                let listed = try await server.send(.GET, "/v1/crypto/\(path)", by: ada)
                #expect(listed.status == 200 && listed.json["data"] == [])
            }
            let request: ChargeRequest = server.world.request()
            #expect(try await server.send(.GET, "/v1/crypto/payments/\(request.paymentID)", by: ada).status == 404)
            let complete = try await server.send(
                .POST, "/v1/crypto/held/\(request.idempotencyKey)/complete", #"{"reason":"late"}"#, by: ada)
            #expect(complete.status == 404 && complete.json["code"] == "not_found")
            let rate = try await server.send(
                .POST, "/v1/crypto/rates", #"{"asset":"bitcoin","currency":"USD","rate":"65000"}"#, by: ada)
            #expect(rate.status == 422 && rate.json["param"] == "asset")
        }
    }

    @Test("what is there from an asset that is not configured any more is listed, without its symbol") func unknown()
        async throws
    {
        try await withCryptoServer({ try $0.unconfigured().endpoints }) { server in
            let world: CryptoWorld = server.world
            let request: ChargeRequest = try await world.paidLate()
            try await world.sendBack(request, 100_000)
            let (_, address) = try await world.opened()
            world.chain.smuggle(address, 5_000)
            world.chain.mine()
            try await world.look()
            let ada: String = try await server.person(["crypto:*", "refunds:*"])
            for path in ["held", "unexplained", "refund_instructions"] {
                let listed = try await server.send(.GET, "/v1/crypto/\(path)", by: ada)
                let one: JSONValue = listed.json["data"]?.arrayValue?.first ?? .null
                #expect(listed.status == 200)
                #expect(one["provider"] == "bitcoin" && one["asset"] == .null)
            }
        }
    }

    @Test("it takes no payments and follows no chain") func idle() async throws {
        try await withCrypto { world in
            let part: CryptoPart = try world.unconfigured()
            #expect(part.providers.isEmpty && part.assets.isEmpty)
            #expect(part.loops { _ in }.isEmpty)
        }
    }
}
