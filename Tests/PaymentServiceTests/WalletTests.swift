import BillingCore
import Crypto
import HTTPKit
import JSON
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Wallets") struct WalletTests {
    @Test("a wallet's card is charged once with its cryptogram, and nothing of it is left afterwards")
    func charged() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            // The number wants 3-D Secure; the cryptogram vouches for the customer.
            let strict: String = try await world.attachWallet(
                tokens.token(id: "message-2", number: "4000002500003155"), to: customer)
            // The wallet says that nobody bears fraud but the merchant.
            let unshifted: String = try await world.attachWallet(tokens.token(id: "message-3", eci: "07"), to: customer)
            for (method, noted) in [(method, "05issuer"), (strict, "05issuer"), (unshifted, "07merchant")] {
                let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
                await world.decide(payment)
                #expect(try await world.settled(payment.id).status == .succeeded)
                #expect(
                    try await world.texts(
                        "SELECT authentication->>'eci' || (authentication->>'liability') FROM payment_attempts WHERE payment_id = \(payment.id)"
                    ) == [noted])
            }
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            #expect(world.provider.charges == 3)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a card printed on plastic out of a wallet authenticates nobody, and waits for the challenge like any other")
    func plastic() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(
                tokens.token(number: "4000002500003155", isCard: true), to: customer)
            let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .requiresAction)
            let again: PaymentRecord = try await world.confirm(payment.id, passed: true)
            await world.decide(again)
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == .succeeded && settled.authentication?.liability == "issuer")
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            // One that nobody was authenticated for is at the merchant's risk.
            let plain: String = try await world.attachWallet(tokens.token(id: "message-2", isCard: true), to: customer)
            let unasked: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: plain)))
            await world.decide(unasked)
            #expect(try await world.settled(unasked.id).authentication?.liability == "merchant")
        }
    }

    @Test("the issuer of a card as printed is asked by 3-D Secure, and what it came to stands beside the wallet")
    func issuerAsked() async throws {
        let tokens = WalletTokens()
        let directory = DirectoryDouble()
        try await withPayments(wallets: tokens.reader(), directory: directory.server) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(
                tokens.token(number: "4000002500003155", isCard: true), to: customer)
            let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .requiresAction)
            #expect(try await world.authenticate(payment.id)["status"] == "challenge")
            #expect(directory.asked.map { $0["acctNumber"] } == ["4000002500003155"])
            _ = try await #require(world.work.authenticate).result(directory.result("Y"))
            await world.decide(try await world.payment(payment.id))
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == .succeeded && settled.authentication?.method == "three_d_secure")
            #expect(settled.authentication?.liability == "issuer" && settled.authentication?.indicator == "05")
            #expect(world.provider.asked.last?.proof?.cryptogram == DirectoryDouble.cavv)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
        }
    }

    @Test(
        "a bank that declines a card as printed for want of its customer is answered with them, once",
        arguments: [("4000002500009806", nil), ("4000002500009814", .doNotHonor)] as [(String, Decline?)])
    func softDecline(_ number: String, _ decline: Decline?) async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(number: number, isCard: true), to: customer)
            // So that there is an exemption to refuse.
            try await world.execute("UPDATE payment_methods SET country = 'FR'")
            let payment: PaymentRecord = try await world.payment(
                world.id(world.pay(customer, with: method, amount: 2_000, currency: "EUR")))
            await world.decide(payment)
            let asked: PaymentRecord = try await world.settled(payment.id)
            #expect(asked.status == .requiresAction && asked.attempts == 2)
            #expect(word(asked) == "required soft_decline -")
            #expect(world.provider.asked.map(\.stepUp) == [false, true])
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 1)
            _ = try await world.confirm(payment.id, passed: true)
            await world.decide(try await world.payment(payment.id))
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == (decline == nil ? .succeeded : .failed) && settled.decline == decline)
            #expect(settled.attempts == 3)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "a cryptogram is not charged again; after it a card as printed is with its customer, another cryptogram at once",
        arguments: [(true, .requiresAction), (false, .succeeded)] as [(Bool, PaymentStatus)])
    func comesBack(_ isCard: Bool, _ status: PaymentStatus) async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let refused: String = try await world.attachWallet(tokens.token(number: "4000002500009814"), to: customer)
            let id: PaymentID = try await world.id(world.pay(customer, with: refused))
            await world.decide(try await world.payment(id))
            let failed: PaymentRecord = try await world.settled(id)
            #expect(failed.status == .failed && failed.decline == .authenticationRequired && failed.attempts == 1)
            let other: String = try await world.attachWallet(
                tokens.token(id: "message-2", isCard: isCard), to: customer)
            let body = #"{"payment_method_id":"\#(other)"}"#
            _ = try await world.work.confirm(world.call("/v1/payments/\(id)/confirm", body: body), id, world.read(body))
            await world.decide(try await world.payment(id))
            let next: PaymentRecord = try await world.settled(id)
            #expect(next.status == status && next.attempts == 2)
        }
    }

    @Test("one that is taken off its customer before it was used is charged no more, and nothing of it is kept")
    func detached() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            let removed: PaymentMethodRecord = try await world.database.transaction { db in
                try world.work.remove.detach(PaymentMethodID(unchecked: method), at: PaymentWorld.start, in: db)
            }
            #expect(removed.status == .detached)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            #expect(try await world.number("SELECT count(*) FROM method_removals") == 0)
            await #expect(throws: Problem.self) { try await world.pay(customer, with: method) }
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("while it waits, the number and the cryptogram are nowhere in the clear")
    func sealed() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            let stored: [String] = try await world.texts(
                """
                SELECT encode(w.sealed, 'escape') FROM wallet_credentials w
                UNION ALL SELECT row_to_json(m)::text FROM payment_methods m
                UNION ALL SELECT row_to_json(o)::text FROM outbox o
                UNION ALL SELECT row_to_json(i)::text FROM idempotency_keys i
                """)
            #expect(stored.count >= 2)
            for row in stored {
                #expect(!row.contains("4242424242424242"))
                #expect(!row.contains(WalletTokens.cryptogram))
            }
            // Sealed for this method, and for no other.
            let seal = CredentialSeal(key: SymmetricKey(size: .bits256))
            let bytes: [UInt8] = try #require(
                try await world.database.transaction { db in
                    try db.first("SELECT sealed FROM wallet_credentials") { row in try row.next() as [UInt8] }
                })
            #expect(throws: CredentialSeal.Broken.self) { try seal.open(bytes, for: method) }
        }
    }

    @Test(
        "a token that does not pass a check is refused, and leaves an audit line alone",
        arguments: ["forged", "stale", "another merchant's", "expired card", "damaged"])
    func refused(_ fault: String) async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let (token, reason): (JSONValue, String) =
                switch fault {
                case "forged": (try tokens.token(signer: P256.Signing.PrivateKey()), "signature")
                case "stale": (try tokens.token(expiresIn: .seconds(-1)), "stale")
                case "another merchant's": (try tokens.token(merchant: "999"), "signature")
                case "expired card": (try tokens.token(year: 2020), "expired_card")
                default: (["protocolVersion": "ECv2"], "malformed")
                }
            let problem: Problem = try #require(
                await #expect(throws: Problem.self) { try await world.attachWallet(token, to: customer, key: "k") })
            #expect(problem.status == 422)
            #expect(try await world.texts("SELECT reason FROM wallet_refusals") == [reason])
            #expect(
                try await world.number(
                    """
                    SELECT (SELECT count(*) FROM payment_methods) + (SELECT count(*) FROM wallet_tokens)
                        + (SELECT count(*) FROM wallet_credentials) + (SELECT count(*) FROM idempotency_keys)
                    """) == 0)
        }
    }

    @Test("where no provider charges what is opened here, a token is not accepted, and not used up") func nobody()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let token: JSONValue = try tokens.token()
            let without = PaymentUseCases(
                pool: world.database, providers: PaymentProviders([PagesProvider()]), clock: world.clock,
                policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .review),
                wallets: try tokens.reader(), logger: world.logger)
            let body =
                #"{"customer_id":"\#(customer)","type":"card","wallet":{"type":"google_pay","token":\#(token)}}"#
            let problem: Problem = try #require(
                await #expect(throws: Problem.self) {
                    try await without.attach(world.call("/v1/payment_methods", body: body), world.read(body))
                })
            #expect(problem.errors.map(\.code) == ["wallet_not_accepted"])
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals") == 0)
            #expect(try await !world.attachWallet(token, to: customer).isEmpty)
        }
    }

    @Test("a token counts once however often it comes at the same time, and a repeat of its request is answered")
    func replayed() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let token: JSONValue = try tokens.token()
            let accepted: Int = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 {
                    group.addTask { (try? await world.attachWallet(token, to: customer)) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(accepted == 1)
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals WHERE reason = 'replayed'") == 7)
            let other: JSONValue = try tokens.token(id: "message-2")
            let first: String = try await world.attachWallet(other, to: customer, key: "once")
            #expect(try await world.attachWallet(other, to: customer, key: "once") == first)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 2)
        }
    }

    @Test("it pays one payment only: the second is told, and may use its key again") func once() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            let first: PaymentID = try await world.id(world.pay(customer, with: method, key: "one"))
            let problem: Problem = try #require(
                await #expect(throws: Problem.self) { try await world.pay(customer, with: method, key: "two") })
            #expect(problem.status == 422)
            #expect(try await world.id(world.pay(customer, with: method, key: "one")) == first)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys WHERE key = 'two'") == 0)
            // It is no default, and renewals do not find it.
            await #expect(throws: Problem.self) { try await world.create(customer) }
        }
    }

    @Test("a payment of another amount than the customer agreed to is refused; the agreed one goes through")
    func amounts() async throws {
        try await withPayments(wallets: AgreedWallet()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(["amount": 1_299], to: customer, type: "apple_pay")
            for (amount, currency) in [(1_300, "USD"), (1_299, "EUR"), (1, "USD")] {
                await #expect(throws: Problem.self) {
                    try await world.pay(customer, with: method, amount: Int64(amount), currency: currency)
                }
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals WHERE reason = 'amount'") == 3)
            let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
        }
    }

    @Test("a charge whose answer was lost is asked about with the same card, and counts once") func lost() async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
            world.provider.turn(.booksAndVanishes)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "the answer is lost") { world.provider.lostAnswers > 0 }
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 1)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
        }
    }

    @Test("a key in use and the one before it both open tokens; a wallet that is not configured says so")
    func keys() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            for key in 0...1 {
                _ = try await world.attachWallet(tokens.token(id: "message-\(key)", key: key), to: customer)
            }
            let problem: Problem = try #require(
                await #expect(throws: Problem.self) {
                    try await world.attachWallet(["version": "EC_v1"], to: customer, type: "apple_pay")
                })
            #expect(problem.status == 422)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 2)
        }
    }

    @Test("credentials nobody uses in time are forgotten, and tokens once they are refused for their age")
    func pruned() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            let prune = PruneWallets(pool: world.database, clock: world.clock)
            try await prune.pass()
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 1)
            world.clock.advance(by: .seconds(601))
            try await prune.pass()
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            #expect(try await world.number("SELECT count(*) FROM wallet_tokens") == 1)
            await #expect(throws: Problem.self) { try await world.pay(customer, with: method) }
            world.clock.advance(by: .seconds(3_600))
            try await prune.pass()
            #expect(try await world.number("SELECT count(*) FROM wallet_tokens") == 0)
        }
    }

    @Test("what was given for a payment stays while its cancellation may come too late") func keptForLateWords()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(), to: customer)
            try await world.pay(customer, with: method)
            let prune = PruneWallets(pool: world.database, clock: world.clock)
            for (status, left) in [("created", 1), ("requires_action", 1), ("canceling", 1), ("canceled", 0)] {
                try await world.execute("UPDATE payments SET status = \(status)")
                try await prune.pass()
                #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == left, "\(status)")
            }
        }
    }
}

extension PaymentWorld {
    /// Attaches a wallet's token.
    /// - Returns: The method's id.
    func attachWallet(
        _ token: JSONValue, to customer: CustomerID, type: String = "google_pay", key: String? = nil
    ) async throws -> String {
        let body =
            #"{"customer_id":"\#(customer)","type":"card","wallet":{"type":"\#(type)","token":\#(token)}}"#
        let input: CreatePaymentMethodInput = try read(body)
        let reply = try await work.attach(call("/v1/payment_methods", key: key, body: body), input)
        return try parseJSON(reply.body)["id"]?.stringValue ?? ""
    }

    /// Pays with a named method.
    @discardableResult
    func pay(
        _ customer: CustomerID, with method: String, amount: Int64 = 1_299, currency: String = "USD",
        key: String? = nil
    ) async throws -> Reply<PaymentResource> {
        let body =
            #"{"amount":\#(amount),"currency":"\#(currency)","customer_id":"\#(customer)","payment_method_id":"\#(method)"}"#
        return try await work.create(call("/v1/payments", key: key, body: body), read(body))
    }
}
