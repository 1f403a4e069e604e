import BillingCore
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import Postgres
import TestKit
import Testing

@Suite("Addresses and quotes") struct AddressTests {
    @Test("an attempt gets the account's next address, the quoted amount, and a URI that says both")
    func next() async throws {
        try await withCrypto { world in
            try await world.look()
            let first: ChargeRequest = world.request()
            let answer: ChargeAnswer = try await world.provider().charge(first)
            // The first address of BIP-84's published account, on regtest.
            let address = "bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx"
            let transfer = CryptoTransfer(
                asset: "BTC", address: address, amount: "200000", uri: "bitcoin:\(address)?amount=0.002",
                expiresAt: CryptoWorld.start + .seconds(900))
            #expect(answer == .actionRequired(reference: address, .transfer(transfer)))
            #expect(try await world.opened().address == "bcrt1qnjg0jd8228aq7egyzacy8cys3knf9xvr3v5hfj")
        }
    }

    @Test("asked again, even with another rate and by another instance, it is the same address and quote")
    func repeats() async throws {
        try await withCrypto { world in
            let (request, address) = try await world.opened()
            let first: ChargeAnswer = try await world.answer(request)
            world.clock.advance(by: .seconds(60))
            let dearer = AcceptedAsset(
                name: "bitcoin", asset: world.asset.asset, policy: world.asset.policy,
                fixedRates: [.usd: ExactDecimal(60_000)])
            #expect(try await world.provider(asset: dearer).charge(request) == first)
            #expect(try await world.opened().address != address)
        }
    }

    @Test("many attempts on many instances at once share no address, and one attempt asked at once has one")
    func concurrency() async throws {
        try await withCrypto(connections: 8) { world in
            try await world.look()
            var requests: [ChargeRequest] = (0..<60).map { _ in world.request() }
            requests += requests.prefix(20)
            let answers: [(AttemptID, String)] = try await withThrowingTaskGroup { group in
                for request in requests {
                    group.addTask {
                        guard case .actionRequired(let address, _) = try await world.provider().charge(request) else {
                            throw CryptoWorld.Unexpected(.pending(reference: ""))
                        }
                        return (request.idempotencyKey, address)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var byAttempt: [AttemptID: Set<String>] = [:]
            for (attempt, address) in answers { byAttempt[attempt, default: []].insert(address) }
            #expect(byAttempt.count == 60)
            #expect(byAttempt.values.allSatisfy { $0.count == 1 })
            #expect(Set(byAttempt.values.flatMap(\.self)).count == 60)
            #expect(try await world.number("SELECT max(address_index)::int FROM crypto_charges") == 59)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a crash before the address is stored shows nothing and loses no number; one after it keeps the address")
    func crash() async throws {
        try await withCrypto { world in
            let (_, first) = try await world.opened()
            // The process dies inside of the transaction: the number was held, nothing was shown.
            let account: String = try AddressSource(extendedKey: CryptoWorld.account, network: .regtest).account
            await #expect(throws: CryptoWorld.Unexpected.self) {
                try await world.database.transaction { db in
                    _ = try CryptoChargeStore.nextIndex(of: account, in: db)
                    throw CryptoWorld.Unexpected(.pending(reference: ""))
                }
            }
            let request: ChargeRequest = world.request()
            // The answer is lost after COMMIT: the sweeper asks again.
            _ = try await world.provider().charge(request)
            guard case .actionRequired(let second, _) = try await world.answer(request) else {
                Issue.record("no address")
                return
            }
            #expect(second != first)
            #expect(try await world.number("SELECT next_index::int FROM crypto_accounts") == 2)
        }
    }

    @Test("the database refuses a number or an address that was given out")
    func uniqueness() async throws {
        try await withCrypto { world in
            _ = try await world.opened()
            _ = try await world.opened()
            await #expect(throws: PostgresError.self) {
                try await world.execute("UPDATE crypto_charges SET address_index = 0")
            }
            await #expect(throws: PostgresError.self) {
                try await world.execute(
                    "UPDATE crypto_charges SET address = (SELECT min(address) FROM crypto_charges)")
            }
        }
    }

    private static let readings: [(String, String, Decline.Class)] = [
        (CryptoDecline.quoteExpired, "quote_expired", .action), (CryptoDecline.underpaid, "underpaid", .action),
        (CryptoDecline.paidLate, "paid_late", .action), (CryptoDecline.canceled, "customer_declined", .action),
        (CryptoDecline.rateUnavailable, "processing_error", .soft),
        (CryptoDecline.chainUnavailable, "processing_error", .soft),
        (CryptoDecline.amountUnsupported, "invalid_amount", .soft),
        (CryptoDecline.methodUnsupported, "provider_configuration", .soft),
    ]

    @Test("every decline has a row in the table, with a sentence of its own for the payer") func meanings()
        async throws
    {
        try await withCrypto { world in
            let provider: CryptoProvider = try world.provider()
            for (code, expected, declineClass) in Self.readings {
                let read: Decline = provider.reading(of: ProviderDecline(code: code)).decline
                #expect(read.code == expected && read.reason.declineClass == declineClass, "\(code)")
                #expect(read.message != DeclineReason.unknown.message, "\(code)")
            }
            #expect(provider.reading(of: ProviderDecline(code: "nobody_knows")).decline.reason == .unknown)
        }
    }

    @Test("without a chain in sight, or a fresh rate, or for what crypto does not do, an attempt is declined")
    func refusals() async throws {
        try await withCrypto { world in
            func code(_ request: ChargeRequest, _ asset: AcceptedAsset? = nil) async throws -> String? {
                guard case .declined(let decline) = try await world.provider(asset: asset).charge(request) else {
                    return nil
                }
                return decline.code
            }
            #expect(try await code(world.request()) == "chain_unavailable")
            try await world.look()
            #expect(try await code(world.request()) == nil)
            #expect(try await code(world.request(method: "ethereum")) == "payment_method_unsupported")
            #expect(try await code(world.request(capture: false)) == "payment_method_unsupported")
            #expect(try await code(world.request(Money(minor: 1, currency: .eur))) == "rate_unavailable")
            let told = AcceptedAsset(name: "bitcoin", asset: world.asset.asset, policy: world.asset.policy)
            let (rate, asOf) = (ExactDecimal(50_000), world.clock.now)
            try await world.database.transaction { db in
                try ToldRates.tell(rate, of: "bitcoin", in: .usd, asOf: asOf, db)
            }
            #expect(try await code(world.request(), told) == nil)
            world.clock.advance(by: .seconds(301))
            #expect(try await code(world.request(), told) == "rate_unavailable")
            try await world.execute("UPDATE crypto_chains SET looked_at = now() - interval '301 seconds'")
            #expect(try await code(world.request()) == "chain_unavailable")
            #expect(try await world.number("SELECT count(*) FROM crypto_charges") == 2)
        }
    }
}
