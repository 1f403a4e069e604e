import BillingCore
import Crypto
import PaymentWebhooks
import TestKit
import Testing

let now = Instant(seconds: 1_795_000_000)

/// Secrets that live as long as the test run.
private func newSecretText() -> String { "whsec_" + String(UInt64.random(in: .min ... .max), radix: 36) + "0123456789" }

private func newSecret() throws -> WebhookSecret { try #require(WebhookSecret(newSecretText())) }

private let body: [UInt8] = Array(
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"payment_intent.succeeded\",\"created\":1794999990,\"data\":{}}"
        .utf8)

private func delivery(
    _ signature: String?, _ body: [UInt8] = body, header: String = "Stripe-Signature"
) -> IncomingWebhook {
    IncomingWebhook(
        headers: [("Content-Type", "application/json")] + (signature.map { [(header, $0)] } ?? []), body: body)
}

@Suite("Deliveries signed with a shared secret") struct SecretVerifierTests {
    private func refusal(_ verifier: SecretVerifier, _ webhook: IncomingWebhook, at time: Instant = now)
        -> WebhookRefusal?
    {
        do {
            _ = try verifier.verify(webhook, at: time)
            return nil
        } catch {
            return error
        }
    }

    @Test("a rightly signed delivery is believed, and its bytes stay as they are") func accepted() throws {
        let secret = try newSecret()
        let event = try SecretVerifier.stripe(secrets: [secret])
            .verify(delivery(secret.signature(of: body, at: now)), at: now)
        #expect(event.source == .stripe && event.eventID == "evt_1" && event.type == "payment_intent.succeeded")
        #expect(event.createdAt == Instant(seconds: 1_794_999_990) && event.body == body)
        let sandbox = SecretVerifier.sandbox(secrets: [secret])
        let own = delivery(secret.signature(of: body, at: now), header: "sandbox-signature")
        #expect(try sandbox.verify(own, at: now).source == .sandbox)
        #expect(refusal(sandbox, delivery(secret.signature(of: body, at: now))) == .headerMissing)
    }

    @Test("the signature is the HMAC that Stripe describes") func form() throws {
        let text = newSecretText()
        let secret = try #require(WebhookSecret(text))
        let message: [UInt8] = Array("1795000000.".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: Array(text.utf8)))
        let digits: String = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(secret.signature(of: body, at: now) == "t=1795000000,v1=\(digits)")
    }

    @Test("while secrets roll, any secret in use and any of several v1 will do") func rolling() throws {
        let (old, new, foreign) = (try newSecret(), try newSecret(), try newSecret())
        let signatures: [String] = [old, new, foreign].map { String($0.signature(of: body, at: now).dropFirst(13)) }
        let both = SecretVerifier.stripe(secrets: [new, old])
        #expect(refusal(both, delivery("t=1795000000,\(signatures[0])")) == nil)
        #expect(refusal(both, delivery("t=1795000000,\(signatures[1])")) == nil)
        #expect(refusal(both, delivery("t=1795000000,\(signatures[2])")) == .wrongSignature)
        #expect(refusal(both, delivery("t=1795000000,\(signatures[2]),\(signatures[0])")) == nil)
        #expect(refusal(both, delivery("\(signatures[0]),v0=00,t=1795000000,scheme=x")) == nil)
        #expect(
            refusal(SecretVerifier.stripe(secrets: [new]), delivery("t=1795000000,\(signatures[0])")) == .wrongSignature
        )
        #expect(
            refusal(SecretVerifier.stripe(secrets: []), delivery("t=1795000000,\(signatures[0])")) == .wrongSignature)
    }

    @Test(
        "a signed time counts up to the tolerance, both ways",
        arguments: [(-301, WebhookRefusal.tooOld), (-300, nil), (0, nil), (300, nil), (301, .tooNew)]
            as [(Int, WebhookRefusal?)])
    func tolerance(offset: Int, expected: WebhookRefusal?) throws {
        let secret = try newSecret()
        let signed = delivery(secret.signature(of: body, at: now + .seconds(offset)))
        #expect(refusal(.stripe(secrets: [secret]), signed) == expected)
        let narrow = SecretVerifier.stripe(secrets: [secret], tolerance: .seconds(10))
        #expect((refusal(narrow, signed) == nil) == (abs(offset) <= 10))
    }

    @Test("a changed body, a changed time and a foreign time are found out") func changed() throws {
        let secret = try newSecret()
        let verifier = SecretVerifier.stripe(secrets: [secret])
        let header = secret.signature(of: body, at: now)
        for index in body.indices {
            var other = body
            other[index] ^= 1
            #expect(refusal(verifier, delivery(header, other)) == .wrongSignature)
        }
        #expect(refusal(verifier, delivery(header, body + [0x0A])) == .wrongSignature)
        #expect(refusal(verifier, delivery(header.replacingTime("1795000001"))) == .wrongSignature)
        #expect(refusal(verifier, delivery(header.replacingTime("01795000000"))) == .wrongSignature)
    }

    @Test("a header that is not one is refused without a look at the secret") func malformed() throws {
        let secret = try newSecret()
        let verifier = SecretVerifier.stripe(secrets: [secret])
        let hex = String(repeating: "a", count: 64)
        let table: [(String, WebhookRefusal)] = [
            ("", .headerMalformed), ("t", .headerMalformed), ("t=1", .noUsableSignature),
            ("v1=\(hex)", .headerMalformed),
            ("t=1795000000,v0=\(hex)", .noUsableSignature), ("t=x,v1=\(hex)", .headerMalformed),
            ("t=-1,v1=\(hex)", .headerMalformed), ("t=1,t=1,v1=\(hex)", .headerMalformed),
            ("t=1795000000,v1=", .headerMalformed), ("t=1795000000,v1=\(hex)a", .headerMalformed),
            ("t=1795000000,v1=\(hex.uppercased())", .headerMalformed), ("t=1795000000,,v1=\(hex)", .headerMalformed),
            ("t=1795000000, v1=\(hex)", .noUsableSignature), ("t=9999999999999,v1=\(hex)", .headerMalformed),
            ("t=1795000000" + String(repeating: ",v1=\(hex)", count: 9), .headerMalformed),
            ("t=1795000000" + String(repeating: ",v1=\(hex)", count: 8), .wrongSignature),
            (String(repeating: "x=1,", count: 2_000), .headerTooLong), ("t=１７９５,v1=\(hex)", .headerMalformed),
        ]
        for (header, expected) in table { #expect(refusal(verifier, delivery(header)) == expected, "\(header)") }
        #expect(refusal(verifier, delivery(nil)) == .headerMissing)
        let good = secret.signature(of: body, at: now)
        let twice = IncomingWebhook(headers: [("stripe-signature", good), ("STRIPE-SIGNATURE", good)], body: body)
        #expect(refusal(verifier, twice) == .headerRepeated)
    }

    @Test("a rightly signed body that is no event is refused, and one that is too long before anything is computed")
    func bodies() throws {
        let secret = try newSecret()
        let verifier = SecretVerifier.stripe(secrets: [secret])
        let texts = [
            "", "null", "[]", "{}", "{\"id\":\"evt_1\",\"type\":\"x\"}", "{\"id\":1,\"type\":\"x\",\"created\":1}",
            "{\"id\":\"\",\"type\":\"x\",\"created\":1}", "{\"id\":\"a b\",\"type\":\"x\",\"created\":1}",
            "{\"id\":\"a\",\"type\":\"x\",\"created\":-1}", "{\"id\":\"a\",\"type\":\"x\",\"created\":1.5}",
            "{\"id\":\"a\",\"id\":\"b\",\"type\":\"x\",\"created\":1}", String(repeating: "[", count: 100_000),
        ]
        for text in texts {
            let bytes: [UInt8] = Array(text.utf8)
            #expect(
                refusal(verifier, delivery(secret.signature(of: bytes, at: now), bytes)) == .bodyMalformed,
                "\(text.prefix(60))")
        }
        let huge = [UInt8](repeating: 0x20, count: IncomingWebhook.maxBodyBytes + 1)
        #expect(refusal(verifier, delivery(secret.signature(of: huge, at: now), huge)) == .bodyTooLong)
    }

    @Test("no change of a header crashes or is believed") func mutations() throws {
        var random = Seeded()
        let secret = try newSecret()
        let verifier = SecretVerifier.stripe(secrets: [secret])
        let header: [UInt8] = Array(secret.signature(of: body, at: now).utf8)
        for _ in 0..<5_000 {
            var bytes = header
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(contentsOf: Array("t=,v1".utf8).shuffled(using: &random), at: at)
                }
            }
            guard bytes != header else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            let isSame: Bool =
                text.split(separator: ",").contains { $0 == "t=1795000000" }
                && text.contains(String(decoding: header.dropFirst(13), as: UTF8.self))
            #expect(refusal(verifier, delivery(text)) != nil || isSame, "seed \(random.seed)")
        }
    }

    @Test("a secret is at least 16 bytes long and does not print") func secrets() throws {
        #expect(WebhookSecret("whsec_123456789") == nil && WebhookSecret("") == nil)
        let text = newSecretText()
        let secret = try #require(WebhookSecret(text))
        var dumped = ""
        dump([secret], to: &dumped)
        for shown in ["\(secret)", String(reflecting: secret), dumped] { #expect(!shown.contains(text)) }
    }
}

extension String {
    /// The signature header with another time.
    fileprivate func replacingTime(_ time: String) -> String {
        "t=\(time)" + dropFirst(12)
    }
}
