import BillingCore
import HTTPKit
import JSON
import PaymentAuthentication
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Links paid with a wallet") struct LinkWalletTests {
    /// Apple's gateway, which gives a session to whoever asks.
    private struct Gateway: AppleMerchant {
        func session(at address: String, domain: String, displayName: String) async throws -> JSONValue {
            ["asked": .string("\(address) \(domain) \(displayName)")]
        }
    }

    private static let wallets = LinkWallets(
        country: "DE",
        google: LinkWallets.GooglePay(
            merchantID: WalletTokens.merchant, recipient: .direct(publicKey: "BGV5"), isTest: true),
        apple: Gateway())

    private static func visit(_ world: PaymentWorld, _ more: String = "") async throws -> Visit {
        Visit(world.code(try await world.link(await world.customer(), more)))
    }

    /// `POST /pay/{code}/card` with a token; the method's id.
    private static func hand(
        _ world: PaymentWorld, _ visit: Visit, _ token: JSONValue, type: String = "google_pay",
        wallets: LinkWallets? = wallets
    ) async throws -> String {
        let body = #"{"session":"\#(visit.session)","wallet":{"type":"\#(type)","token":\#(token)}}"#
        let reply: Reply<LinkCardResource> = try await world.payLink(wallets: wallets).keep(
            world.page(visit, "card", body), world.read(body))
        return try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? ""
    }

    private static func paid(_ world: PaymentWorld, _ visit: Visit, _ method: String) async throws -> PaymentRecord {
        let seen: JSONValue = try await world.pay(visit, method)
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        let payment: PaymentRecord = try await world.payment(id)
        if payment.status == .created { await world.decide(payment) }
        return try await world.settled(id)
    }

    @Test("a token of Google Pay is opened, pays once whatever is repeated, and leaves nothing behind")
    func google() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let visit: Visit = try await Self.visit(world)
            let token: JSONValue = try tokens.token()
            let method: String = try await Self.hand(world, visit, token)
            let payment: PaymentRecord = try await Self.paid(world, visit, method)
            #expect(payment.status == .succeeded)
            _ = try await world.pay(visit, method)
            #expect(try await world.payment(payment.id).attempts == 1)
            #expect(try await world.look(visit)["payment"]?["card_last4"]?.stringValue == "4242")
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
            #expect(
                try await world.texts("SELECT authentication->>'liability' FROM payment_attempts") == ["issuer"])
            let other: Visit = try await Self.visit(world)
            let again: String = await world.refusal { try await Self.hand(world, other, token) }
            #expect(again == "invalid_request")
            #expect(try await world.texts("SELECT reason FROM wallet_refusals") == ["replayed"])
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a token that the same visit hands over again, its answer lost, gives the same method") func repeated()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let visit: Visit = try await Self.visit(world)
            let token: JSONValue = try tokens.token()
            let method: String = try await Self.hand(world, visit, token)
            #expect(try await Self.hand(world, visit, token) == method)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 1)
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals") == 0)
            #expect(try await Self.paid(world, visit, method).status == .succeeded)
        }
    }

    @Test("after a refusal another token pays the same payment; a printed card waits for its bank's challenge")
    func again() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let visit: Visit = try await Self.visit(world)
            let poor: String = try await Self.hand(world, visit, tokens.token(number: "4000000000009995"))
            let first: PaymentRecord = try await Self.paid(world, visit, poor)
            #expect(first.status == .failed)
            let card: String = try await Self.hand(
                world, visit, tokens.token(id: "message-2", number: "4000002500003155", isCard: true))
            let second: PaymentRecord = try await Self.paid(world, visit, card)
            #expect(second.id == first.id && second.attempts == 2 && second.status == .requiresAction)
            try await world.answerChallenge(visit, "passed")
            await world.decide(try await world.payment(first.id))
            #expect(try await world.settled(first.id).status == .succeeded)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
        }
    }

    /// A visit whose card as printed was challenged, and whose customer did not pass.
    private static func challengedInVain(
        _ world: PaymentWorld, _ tokens: WalletTokens
    ) async throws -> (Visit, PaymentRecord) {
        let visit: Visit = try await Self.visit(world)
        let card: String = try await hand(world, visit, tokens.token(number: "4000002500003155", isCard: true))
        let first: PaymentRecord = try await paid(world, visit, card)
        #expect(first.status == .requiresAction)
        try await world.answerChallenge(visit, "failed")
        #expect(try await world.payment(first.id).decline == .authenticationFailed)
        return (visit, first)
    }

    @Test("a customer who has failed their bank's challenge pays with another token at once") func afterChallenge()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let (visit, first) = try await Self.challengedInVain(world, tokens)
            // Nobody has tidied up since.
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 1)
            let other: String = try await Self.hand(world, visit, tokens.token(id: "message-2"))
            let second: PaymentRecord = try await Self.paid(world, visit, other)
            #expect(second.id == first.id && second.status == .succeeded && second.attempts == 2)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
        }
    }

    @Test("a card as printed that follows one whose customer was not authenticated waits for them, too")
    func printedAfterChallenge() async throws {
        let tokens = WalletTokens()
        try await withPayments(wallets: tokens.reader()) { world in
            let (visit, first) = try await Self.challengedInVain(world, tokens)
            let other: String = try await Self.hand(world, visit, tokens.token(id: "message-2", isCard: true))
            let second: PaymentRecord = try await Self.paid(world, visit, other)
            #expect(second.id == first.id && second.status == .requiresAction && second.attempts == 2)
            try await world.answerChallenge(visit, "passed")
            await world.decide(try await world.payment(first.id))
            #expect(try await world.settled(first.id).status == .succeeded)
            #expect(try await world.number("SELECT count(*) FROM wallet_credentials") == 0)
        }
    }

    @Test("a flood of refused tokens does not fill the disk: so many audit lines a minute, and so many in all")
    func flood() async throws {
        try await withPayments(wallets: WalletTokens().reader()) { world in
            let visit: Visit = try await Self.visit(world)
            for _ in 0..<610 {
                let code: String = await world.refusal {
                    try await Self.hand(world, visit, ["protocolVersion": "ECv2"])
                }
                #expect(code == "invalid_request")
            }
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals") == 600)
            try await world.execute(
                """
                INSERT INTO wallet_refusals (customer_id, wallet, reason, refused_at)
                SELECT 'cus_1', 'google_pay', 'malformed', \(world.clock.now)::timestamptz
                FROM generate_series(1, 100000)
                """)
            try await PruneWallets(pool: world.database, clock: world.clock).pass()
            #expect(try await world.number("SELECT count(*) FROM wallet_refusals") == 100_000)
        }
    }

    @Test("a token for another amount than the link's, and a token where no wallet is offered, pay nothing")
    func refused() async throws {
        try await withPayments(wallets: AgreedWallet()) { world in
            let visit: Visit = try await Self.visit(world)
            let method: String = try await Self.hand(world, visit, ["amount": "12.99"], type: "apple_pay")
            #expect(await world.refusal { try await world.pay(visit, method) } == "invalid_request")
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            for (more, wallets) in [("", nil), (#","methods":["card"]"#, Self.wallets)] as [(String, LinkWallets?)] {
                let plain: Visit = try await Self.visit(world, more)
                let code: String = await world.refusal {
                    try await Self.hand(world, plain, ["a": "b"], type: "apple_pay", wallets: wallets)
                }
                #expect(code == "unsupported_method")
            }
        }
    }

    @Test("only a page with Google Pay loads a script from elsewhere, and its policy names Google and nobody else")
    func policy() async throws {
        try await withPayments { world in
            let offering: String = try await Self.visit(world).code
            let plain: String = try await Self.visit(world, #","methods":["card","apple_pay"]"#).code
            try await world.serving(wallets: Self.wallets) { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(offering)")
                #expect(page.text.contains(#"src="https://pay.google.com/gp/p/js/pay.js""#))
                #expect(page.text.contains(#""methods":["apple_pay","google_pay","card""#))
                let policy: String = page["Content-Security-Policy"]
                for part in ["script-src 'self' https://pay.google.com;", "frame-src https://pay.google.com"] {
                    #expect(policy.contains(part), "\(part) in \(policy)")
                }
                let hosts: Set<Substring> = Set(policy.split(separator: " ").filter { $0.hasPrefix("https://") })
                #expect(hosts.allSatisfy { $0.contains("google.com") })
                #expect(page["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups")
                let other: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/\(plain)")
                #expect(!other.text.contains("google.com/gp"))
                #expect(!other["Content-Security-Policy"].contains("google"))
                #expect(other["Content-Security-Policy"].contains("require-trusted-types-for"))
                #expect(other["Cross-Origin-Opener-Policy"] == "same-origin")
            }
        }
    }

    @Test("a session is asked of Apple's gateways only, for the page's host and the brand")
    func session() async throws {
        try await withPayments { world in
            let visit: Visit = try await Self.visit(world, #","brand":{"name":"Nord"}"#)
            let good = "https://apple-pay-gateway.apple.com/paymentservices/startSession"
            try await world.serving(wallets: Self.wallets) { base in
                let asked: LinkPageTests.Answer = try await LinkPageTests.post(
                    base, "/pay/\(visit.code)/apple_pay/session", #"{"validation_url":"\#(good)"}"#)
                #expect(asked.status == 200)
                #expect(
                    try parseJSON(Array(asked.text.utf8))["session"]?["asked"]?.stringValue
                        == "\(good) pay.example Nord")
                for wrong in [
                    "http://apple-pay-gateway.apple.com/x", "https://apple-pay-gateway.apple.com.evil.example/x",
                    "https://evil.example/apple-pay-gateway.apple.com", "https://www.apple.com/x",
                    "https://apple-pay-gateway.apple.com:8443/x", "https://u@apple-pay-gateway.apple.com/x",
                    "https://apple-pay-gateway.x.apple.com/x", "http://127.0.0.1:7101/x", "",
                ] {
                    let answer: LinkPageTests.Answer = try await LinkPageTests.post(
                        base, "/pay/\(visit.code)/apple_pay/session", #"{"validation_url":"\#(wrong)"}"#)
                    #expect(answer.status == 422, "\(wrong)")
                }
                try await world.payNow(visit)
                let late: LinkPageTests.Answer = try await LinkPageTests.post(
                    base, "/pay/\(visit.code)/apple_pay/session", #"{"validation_url":"\#(good)"}"#)
                #expect(late.status == 409)
            }
        }
    }
}
