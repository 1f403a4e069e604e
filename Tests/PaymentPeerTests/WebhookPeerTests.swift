import BillingCore
import JSON
import PaymentWebhooks
import Synchronization
import TestKit
import Testing

/// Keeps what was delivered.
private final class Inbox: Sendable {
    private let deliveries = Mutex<[IncomingWebhook]>([])

    func take(_ message: HTTPMessage) -> [UInt8] {
        deliveries.withLock { $0.append(IncomingWebhook(headers: message.headers, body: message.body)) }
        return []
    }

    func drain() -> [IncomingWebhook] {
        deliveries.withLock { all in
            defer { all = [] }
            return all
        }
    }
}

/// Fetches certificates from a double, and keeps what it was asked for.
private final class PeerCertificates: CertificateTransport {
    private let port: Int
    let asked = Mutex<[String]>([])

    init(port: Int) { self.port = port }

    func get(_ address: String, maxBytes: Int) async -> [UInt8]? {
        asked.withLock { $0.append(address) }
        guard let slash = address.dropFirst(8).firstIndex(of: "/") else { return nil }
        do {
            let answer = try await exchange(port, "GET", String(address[slash...]))
            return answer.status == 200 && answer.body.count <= maxBytes ? answer.body : nil
        } catch {
            return nil
        }
    }
}

@Suite("The doubles' deliveries", .serialized) struct WebhookPeerTests {
    private func json(_ port: Int, _ path: String, _ body: String? = nil, _ headers: [(String, String)] = [])
        async throws
        -> JSONValue
    {
        let kind: [(String, String)] = [("Content-Type", "application/json")]
        return try parseJSON(
            try await exchange(
                port, body == nil ? "GET" : "POST", path, headers: kind + headers, body: Array((body ?? "").utf8),
                timeoutSeconds: 30
            ).body)
    }

    @Test("Stripe's: every corruption is refused for its reason, rolled secrets and repetitions are believed")
    func stripe() async throws {
        let peer = try await Peer("stripe-mock/stripe_mock.py", ready: "/_mock/requests")
        let inbox = Inbox()
        let server = try LoopbackServer { inbox.take($0) }
        let key = "sk_test_" + String(repeating: "x", count: 24)
        let headers = [
            ("Authorization", "Bearer \(key)"), ("Stripe-Version", "2023-08-16"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        func post(_ path: String, _ fields: [(String, String)], _ key: String) async throws -> JSONValue {
            try parseJSON(
                try await exchange(
                    peer.port, "POST", path, headers: headers + [("Idempotency-Key", key)], body: Form.encode(fields)
                ).body)
        }
        let endpoint = try await post(
            "/v1/webhook_endpoints",
            [("url", "http://127.0.0.1:\(server.port)/hook"), ("enabled_events[]", "*")], "k1")
        let secret = try #require(endpoint["secret"]?.stringValue.flatMap(WebhookSecret.init))
        _ = try await post("/v1/customers", [("name", "José Müller")], "k2")
        var events: [IncomingWebhook] = []
        try await eventually(within: .seconds(10), "an event arrives") {
            events += inbox.drain()
            return !events.isEmpty
        }
        let verifier = SecretVerifier.stripe(secrets: [secret])
        let event = try verifier.verify(events[0], at: SystemClock().now)
        #expect(event.type == "customer.created")
        let table: [(String, WebhookRefusal?)] = [
            ("none", nil), ("rolled_secret", nil), ("wrong_secret", .wrongSignature), ("body", .wrongSignature),
            ("stale", .tooOld), ("v0_only", .noUsableSignature), ("no_signature", .headerMissing),
            ("replayed_time", .wrongSignature),
        ]
        for (corrupt, expected) in table {
            _ = try await json(
                peer.port, "/_mock/webhooks/send",
                "{\"event\":\"\(event.eventID)\",\"corrupt\":\"\(corrupt)\",\"times\":2}")
            let deliveries = inbox.drain()
            #expect(deliveries.count == 2)
            for delivery in deliveries {
                let seen = refusal { () throws(WebhookRefusal) in
                    try verifier.verify(delivery, at: SystemClock().now)
                }
                #expect(seen == expected, "\(corrupt)")
            }
        }
    }

    @Test("PayPal's: every corruption is refused for its reason") func payPal() async throws {
        let peer = try await Peer("paypal-mock/paypal_mock.py", ready: "/_mock/requests")
        try await expiredCertificateExpires()
        let inbox = Inbox()
        let server = try LoopbackServer { inbox.take($0) }
        let basic = "Basic bW9jay1jbGllbnQtaWQ6bW9jay1jbGllbnQtc2VjcmV0"
        let token = try parseJSON(
            try await exchange(
                peer.port, "POST", "/v1/oauth2/token",
                headers: [("Authorization", basic), ("Content-Type", "application/x-www-form-urlencoded")],
                body: Form.encode([("grant_type", "client_credentials")])
            ).body)
        let bearer = "Bearer \(try #require(token["access_token"]?.stringValue))"
        let hook = try await json(
            peer.port, "/v1/notifications/webhooks",
            "{\"url\":\"http://127.0.0.1:\(server.port)/hook\",\"event_types\":[{\"name\":\"*\"}]}",
            [("Authorization", bearer)])
        let webhookID = try #require(hook["id"]?.stringValue, "\(hook)")
        let order = try await json(
            peer.port, "/v2/checkout/orders",
            "{\"intent\":\"CAPTURE\",\"purchase_units\":[{\"amount\":{\"currency_code\":\"USD\",\"value\":\"1.00\"}}]}",
            [("Authorization", bearer), ("PayPal-Request-Id", "r1")])
        _ = try await json(peer.port, "/_mock/approve/\(try #require(order["id"]?.stringValue, "\(order)"))", "{}")
        let root = try await exchange(peer.port, "GET", "/_mock/root.pem").text
        let certificates = PeerCertificates(port: peer.port)
        let origin = try #require(CertificateOrigin("http://127.0.0.1:\(peer.port)"))
        let verifier = PayPalVerifier(
            webhookID: webhookID, origins: [origin],
            certificates: SignerKeys(transport: certificates, roots: try TrustedRoots(pem: root)))
        var events: [IncomingWebhook] = []
        try await eventually(within: .seconds(10), "an event arrives") {
            events += inbox.drain()
            return !events.isEmpty
        }
        let event = try await verifier.verify(events[0], at: SystemClock().now)
        #expect(event.type == "CHECKOUT.ORDER.APPROVED")
        let table: [(String, WebhookRefusal?)] = [
            ("none", nil), ("sig", .wrongSignature), ("body", .wrongSignature), ("time", .wrongSignature),
            ("algo", .noUsableSignature), ("self_signed", .certificateUntrusted), ("wrong_cn", .certificateName),
            ("expired_cert", .certificateExpired), ("other_webhook_id", .wrongSignature),
            ("evil_host", .certificateAddress), ("evil_userinfo", .certificateAddress), ("no_headers", .headerMissing),
        ]
        for (corrupt, expected) in table {
            _ = try await json(
                peer.port, "/_mock/webhooks/send",
                "{\"event\":\"\(event.eventID)\",\"corrupt\":\"\(corrupt)\",\"times\":2}")
            let deliveries = inbox.drain()
            #expect(deliveries.count == 2)
            for delivery in deliveries {
                let seen: WebhookRefusal?
                do {
                    // The expired certificate of the double is valid for the one second in which it was made.
                    _ = try await verifier.verify(delivery, at: SystemClock().now + .seconds(2))
                    seen = nil
                } catch {
                    seen = error
                }
                #expect(seen == expected, "\(corrupt)")
            }
        }
        let asked = certificates.asked.withLock { $0 }
        #expect(asked.allSatisfy { $0.hasPrefix(origin.description) })
    }

    private func refusal(_ verify: () throws(WebhookRefusal) -> VerifiedWebhook) -> WebhookRefusal? {
        do {
            _ = try verify()
            return nil
        } catch {
            return error
        }
    }
}
