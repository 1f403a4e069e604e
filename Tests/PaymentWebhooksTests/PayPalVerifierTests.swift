import BillingCore
import CryptoExtras
import PaymentWebhooks
import TestKit
import Testing
import X509

private let webhookID = "1JE4291016473214C"
private let address = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
private let transmissionID = "d938e770-8046-11e6-8103-6b62a8a99ac4"
private let body: [UInt8] = Array(
    "{\"id\":\"WH-1\",\"create_time\":\"2026-11-18T11:06:30Z\",\"event_type\":\"PAYMENT.CAPTURE.DENIED\",\"x\":\"ü\"}"
        .utf8)
/// `zlib.crc32` of the body.
private let checksum: UInt32 = plainChecksum(body)

/// Bit by bit, as RFC 1952 section 8 describes it.
private func plainChecksum(_ bytes: [UInt8]) -> UInt32 {
    var remainder: UInt32 = .max
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1 }
    }
    return ~remainder
}

@Suite("PayPal's deliveries") struct PayPalVerifierTests {
    private func delivery(
        _ signer: TestAuthority.Signer, time: String = "2026-11-18T11:06:35Z", webhook: String = webhookID,
        changes: [String: String?] = [:], body: [UInt8] = body
    ) throws -> IncomingWebhook {
        var headers: [String: String] = [
            "PAYPAL-AUTH-ALGO": "SHA256withRSA", "PAYPAL-CERT-URL": address, "PAYPAL-TRANSMISSION-ID": transmissionID,
            "PAYPAL-TRANSMISSION-TIME": time,
            "PAYPAL-TRANSMISSION-SIG": try signer.sign("\(transmissionID)|\(time)|\(webhook)|\(plainChecksum(body))"),
        ]
        for (name, value) in changes { headers[name] = value }
        return IncomingWebhook(headers: headers.map { ($0.key, $0.value) }, body: body)
    }

    private func refusal(
        _ authority: TestAuthority, _ signer: TestAuthority.Signer, _ webhook: IncomingWebhook, at time: Instant = now
    ) async throws -> WebhookRefusal? {
        let cache = SignerKeys(
            transport: FileTransport([address: signer.pem]), roots: try TrustedRoots(pem: authority.rootPEM))
        return await refusal(cache, webhook, at: time)
    }

    private func refusal(
        _ cache: SignerKeys, _ webhook: IncomingWebhook, at time: Instant = now
    ) async -> WebhookRefusal? {
        do {
            _ = try await PayPalVerifier(webhookID: webhookID, origins: CertificateOrigin.payPal, certificates: cache)
                .verify(webhook, at: time)
            return nil
        } catch {
            return error
        }
    }

    @Test("a rightly signed delivery is believed; its certificate is fetched once a day") func accepted() async throws {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let transport = FileTransport([address: signer.pem])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        let verifier = PayPalVerifier(webhookID: webhookID, origins: CertificateOrigin.payPal, certificates: cache)
        let event = try await verifier.verify(try delivery(signer), at: now)
        #expect(event.source == .paypal && event.eventID == "WH-1" && event.type == "PAYMENT.CAPTURE.DENIED")
        #expect(event.createdAt == Instant(rfc3339: "2026-11-18T11:06:30Z") && event.body == body)
        for _ in 0..<5 { _ = try await verifier.verify(try delivery(signer), at: now + .seconds(3_600)) }
        #expect(transport.requests == 1)
        // The certificate ends after a day; the cached key with it.
        #expect(await refusal(cache, try delivery(signer), at: now + .seconds(86_401)) == .certificateExpired)
        #expect(transport.requests == 2)
    }

    @Test("what is signed for another listener, over other bytes or another time is refused") func changed()
        async throws
    {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let stranger = try authority.signer()
        var other = body
        other[8] ^= 1
        let signed = try delivery(signer)
        let table: [(IncomingWebhook, WebhookRefusal?)] = [
            (signed, nil), (IncomingWebhook(headers: signed.headers, body: other), .wrongSignature),
            (try delivery(signer, webhook: "OTHERWEBHOOKID00X"), .wrongSignature),
            (try delivery(stranger), .wrongSignature),
            (try delivery(signer, changes: ["PAYPAL-TRANSMISSION-TIME": "2026-11-18T11:06:36Z"]), .wrongSignature),
            (try delivery(signer, changes: ["PAYPAL-TRANSMISSION-ID": "x"]), .wrongSignature),
            (try delivery(signer, changes: ["PAYPAL-TRANSMISSION-SIG": "AAAA"]), .wrongSignature),
            (try delivery(signer, time: "2026-11-14T11:06:39Z"), .tooOld),
            (try delivery(signer, time: "2026-11-14T11:06:40Z"), nil),
            (try delivery(signer, time: "2026-11-18T11:11:41Z"), .tooNew),
        ]
        for (index, (webhook, expected)) in table.enumerated() {
            #expect(try await refusal(authority, signer, webhook) == expected, "\(index)")
        }
    }

    @Test("headers that are missing, repeated, too long or malformed are refused before any fetch") func headers()
        async throws
    {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let transport = FileTransport([address: signer.pem])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        let names = [
            "PAYPAL-AUTH-ALGO", "PAYPAL-CERT-URL", "PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME",
            "PAYPAL-TRANSMISSION-SIG",
        ]
        for name in names {
            let without = try delivery(signer, changes: [name: nil])
            #expect(await refusal(cache, without) == .headerMissing, "\(name)")
            let long = try delivery(signer, changes: [name: String(repeating: "A", count: 2_000)])
            #expect(await refusal(cache, long) == .headerTooLong, "\(name)")
            let good = try delivery(signer)
            let twice = IncomingWebhook(headers: good.headers + [(name.lowercased(), "x")], body: good.body)
            #expect(await refusal(cache, twice) == .headerRepeated, "\(name)")
        }
        let table: [(String, String, WebhookRefusal)] = [
            ("PAYPAL-AUTH-ALGO", "SHA1withRSA", .noUsableSignature), ("PAYPAL-AUTH-ALGO", "", .noUsableSignature),
            ("PAYPAL-TRANSMISSION-ID", "a|b", .headerMalformed), ("PAYPAL-TRANSMISSION-ID", "", .headerMalformed),
            ("PAYPAL-TRANSMISSION-TIME", "yesterday", .headerMalformed),
            ("PAYPAL-TRANSMISSION-SIG", "", .headerMalformed),
            ("PAYPAL-TRANSMISSION-SIG", "not base64!", .headerMalformed),
        ]
        for (name, value, expected) in table {
            #expect(await refusal(cache, try delivery(signer, changes: [name: value])) == expected, "\(name) \(value)")
        }
        let huge = IncomingWebhook(
            headers: try delivery(signer).headers,
            body: [UInt8](repeating: 0x20, count: IncomingWebhook.maxBodyBytes + 1))
        #expect(await refusal(cache, huge) == .bodyTooLong)
        #expect(transport.requests == 0)
    }

    @Test("no address but those of the list is asked for") func addresses() async throws {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let transport = FileTransport([address: signer.pem])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        let table = [
            "http://api.paypal.com/v1/notifications/certs/CERT-1", "https://evil.example/v1/notifications/certs/CERT-1",
            "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
            "https://user@api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
            "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
            "https://api.paypal.com:443/v1/notifications/certs/CERT-1", "https://api.paypal.com/",
            "https://api.paypal.com/v1/notifications/certs/", "https://api.paypal.com/v1/notifications/certs/../../x",
            "https://api.paypal.com/v1/notifications/certs/a/b", "https://api.paypal.com/v1/notifications/certs/a?b",
            "https://api.paypal.com/v1/notifications/certs/a%2e", "https://api.paypal.com/v1/notifications/certs/a#b",
            "https://api.paypal.com\\@evil.example/v1/notifications/certs/a", " \(address)", "\(address)\n", "",
            "https://api.paypal.com/v1/notifications/certs/\u{301}a", "HTTPS://API.PAYPAL.COM/v1/notifications/certs/a",
        ]
        for text in table {
            let webhook = try delivery(signer, changes: ["PAYPAL-CERT-URL": text])
            #expect(await refusal(cache, webhook) == .certificateAddress, "\(text)")
        }
        #expect(transport.requests == 0)
    }

    @Test("certificates that are not PayPal's, not valid now or not under the root are refused") func certificates()
        async throws
    {
        let authority = try TestAuthority()
        let other = try TestAuthority()
        let table: [(TestAuthority.Signer, WebhookRefusal?)] = [
            (try authority.signer(), nil), (try other.signer(), .certificateUntrusted),
            (try authority.signer(host: "www.example.com"), .certificateName),
            (try authority.signer(host: "*.paypal.com"), .certificateName),
            (try authority.signer(host: TestAuthority.sandboxHost), .certificateName),
            (try authority.signer(host: nil, commonName: TestAuthority.sandboxHost), .certificateName),
            (try authority.signer(commonName: "www.example.com"), nil), (try authority.signer(host: nil), nil),
            (try authority.signer(host: nil, commonName: "www.example.com"), .certificateName),
            (try authority.signer(to: -1), .certificateExpired), (try authority.signer(from: 1), .certificateExpired),
            (try authority.signer(to: 0), nil), (try authority.signer(from: 0), nil),
            (try authority.signer(isAuthority: true), .certificateUntrusted),
            (try authority.signer(usage: KeyUsage(keyEncipherment: true)), .certificateUntrusted),
            (try authority.signer(withIntermediate: false), .certificateUntrusted),
            (try authority.signer(algorithm: .sha1WithRSAEncryption), .certificateUntrusted),
        ]
        for (index, (signer, expected)) in table.enumerated() {
            #expect(try await refusal(authority, signer, try delivery(signer)) == expected, "\(index)")
        }
    }

    @Test("the sandbox's signer is believed at the sandbox's addresses only") func sandbox() async throws {
        let authority = try TestAuthority()
        let roots = try TrustedRoots(pem: authority.rootPEM)
        let sandbox: String = address.replacing("api.paypal.com", with: "api.sandbox.paypal.com")
        let table: [(TestAuthority.Signer, WebhookRefusal?)] = [
            (try authority.signer(host: TestAuthority.sandboxHost), nil),
            (try authority.signer(host: nil, commonName: TestAuthority.sandboxHost), nil),
            (try authority.signer(), nil), (try authority.signer(host: "www.example.com"), .certificateName),
        ]
        for (index, (signer, expected)) in table.enumerated() {
            let cache = SignerKeys(transport: FileTransport([sandbox: signer.pem]), roots: roots)
            let webhook = try delivery(signer, changes: ["PAYPAL-CERT-URL": sandbox])
            #expect(await refusal(cache, webhook) == expected, "\(index)")
        }
    }

    @Test("a file that is no certificate is refused, and so are roots that are none") func files() async throws {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let roots = try TrustedRoots(pem: authority.rootPEM)
        let block: String = authority.rootPEM
        for text in ["", "x", String(block.dropLast(60)), String(repeating: block + "\n", count: 9), "<html></html>"] {
            let cache = SignerKeys(transport: FileTransport([address: text]), roots: roots)
            #expect(await refusal(cache, try delivery(signer)) == .certificateMalformed)
            if text.hasPrefix(block) {
                // Roots may be a system's whole bundle: many are no fault, and what is under one of them is believed.
                let bundle = try TrustedRoots(pem: text + TestAuthority().rootPEM)
                let cache = SignerKeys(transport: FileTransport([address: signer.pem]), roots: bundle)
                #expect(await refusal(cache, try delivery(signer)) == nil)
            } else {
                #expect(throws: WebhookRefusal.certificateMalformed) { try TrustedRoots(pem: text) }
            }
        }
        var random = Seeded()
        let pem: [UInt8] = Array(signer.pem.utf8)
        for _ in 0..<300 {
            var bytes = pem
            bytes[Int.random(in: 0..<pem.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            let cache = SignerKeys(
                transport: FileTransport([address: String(decoding: bytes, as: UTF8.self)]), roots: roots)
            _ = await refusal(cache, try delivery(signer))
        }
    }

    @Test("strangers cannot make us fetch without end, and what failed is not kept") func budget() async throws {
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let transport = FileTransport([:])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        for _ in 0..<100 { #expect(await refusal(cache, try delivery(signer)) == .certificateUnavailable) }
        #expect(transport.requests == SignerKeys.maxFetchesPerMinute)
        #expect(await refusal(cache, try delivery(signer), at: now + .seconds(60)) == .certificateUnavailable)
        #expect(transport.requests == SignerKeys.maxFetchesPerMinute + 1)
    }

    @Test("while strangers have used up the fetches, what was trusted is believed, and its certificate fetched anew")
    func strangers() async throws {
        let authority = try TestAuthority()
        let signer = try authority.signer(to: 864_000)
        let transport = FileTransport([address: signer.pem])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        #expect(await refusal(cache, try delivery(signer)) == nil)
        let later: Instant = now + .seconds(86_400)
        let time = "2026-11-19T11:06:35Z"
        for index in 0..<50 {
            let made = "https://api.paypal.com/v1/notifications/certs/CERT-\(index)"
            let webhook = try delivery(signer, time: time, changes: ["PAYPAL-CERT-URL": made])
            #expect(await refusal(cache, webhook, at: later) == .certificateUnavailable)
        }
        let before: Int = transport.requests
        #expect(before == 1 + SignerKeys.maxFetchesPerMinute)
        for _ in 0..<5 { #expect(await refusal(cache, try delivery(signer, time: time), at: later) == nil) }
        #expect(transport.requests == before + 1)
    }

    @Test("an aged key is used on until a fetch has replaced it, and not beyond its certificate") func aged()
        async throws
    {
        let authority = try TestAuthority()
        let signer = try authority.signer(to: 172_800)
        let transport = FileTransport([address: signer.pem])
        let cache = SignerKeys(transport: transport, roots: try TrustedRoots(pem: authority.rootPEM))
        #expect(await refusal(cache, try delivery(signer)) == nil)
        let time = "2026-11-19T11:06:35Z"
        let later: Instant = now + .seconds(86_400)
        for file in [nil, "no certificate"] as [String?] {
            transport.put(file, at: address)
            for _ in 0..<3 { #expect(await refusal(cache, try delivery(signer, time: time), at: later) == nil) }
        }
        #expect(transport.requests == 2, "a fetch that failed is not repeated at once")
        let minute: Instant = later + .seconds(60)
        #expect(await refusal(cache, try delivery(signer, time: time), at: minute) == nil)
        #expect(transport.requests == 3)
        // Another key in its place.
        let next = try authority.signer(to: 864_000)
        transport.put(next.pem, at: address)
        #expect(await refusal(cache, try delivery(next, time: time), at: minute + .seconds(60)) == nil)
        #expect(await refusal(cache, try delivery(signer, time: time), at: minute + .seconds(60)) == .wrongSignature)
        transport.put(nil, at: address)
        let end: Instant = now + .seconds(864_001)
        let last: IncomingWebhook = try delivery(next, time: "2026-11-28T11:06:35Z")
        #expect(await refusal(cache, last, at: end) == .certificateUnavailable)
    }

    @Test(
        "an origin is a scheme, a host and perhaps a port; plain HTTP is for this machine",
        arguments: [
            ("https://api.paypal.com", true), ("https://api.paypal.com:8443", true), ("http://127.0.0.1:12211", true),
            ("http://localhost:1", true), ("http://api.paypal.com", false), ("https://api.paypal.com/", false),
            ("https://", false), ("https://a@b", false), ("https://API.paypal.com", false), ("ftp://a", false),
            ("", false),
            ("https://a:", false), ("https://a:99999", false), ("https://a:+1", false), ("https://a:1:2", false),
            ("http://127.0.0.1.evil.example", false),
        ])
    func origins(text: String, isOne: Bool) {
        #expect((CertificateOrigin(text) != nil) == isOne)
    }

    @Test("no change of a delivery crashes or is believed") func mutations() async throws {
        var random = Seeded()
        let authority = try TestAuthority()
        let signer = try authority.signer()
        let cache = SignerKeys(
            transport: FileTransport([address: signer.pem]), roots: try TrustedRoots(pem: authority.rootPEM))
        let good = try delivery(signer)
        for _ in 0..<2_000 {
            var headers = good.headers
            var bytes = good.body
            let which = Int.random(in: 0...headers.count, using: &random)
            if which == headers.count {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            } else {
                var value: [UInt8] = Array(headers[which].value.utf8)
                let at = Int.random(in: 0..<value.count, using: &random)
                if Bool.random(using: &random) {
                    value.remove(at: at)
                } else {
                    value[at] ^= 1 << UInt8.random(in: 0..<7, using: &random)
                }
                headers[which].value = String(decoding: value, as: UTF8.self)
            }
            #expect(await refusal(cache, IncomingWebhook(headers: headers, body: bytes)) != nil, "seed \(random.seed)")
        }
    }
}
