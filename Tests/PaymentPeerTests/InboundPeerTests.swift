import BillingCore
import JSON
import PaymentContract
import PaymentInbound
import PaymentPayPal
import PaymentRecords
import PaymentStripe
import PaymentWebhooks
import Postgres
import Telemetry
import TestKit
import Testing

@Suite("The doubles' webhooks, from delivery to the books", .serialized) struct InboundPeerTests {
    private static let payments = 10

    /// Charges whose answers were lost, half of them refunded in part at the provider: the webhooks alone settle them.
    private func check(_ world: InboundWorld, _ asked: [ChargeRequest], provider: String) async throws {
        try await world.work()
        let ends: [String] = try await world.texts(
            "SELECT DISTINCT state || coalesce(' ' || reason, '') FROM inbound_webhooks")
        #expect(ends.allSatisfy { $0 == "done" || $0.hasPrefix("done no concern of ours") }, "\(ends)")
        #expect(try await world.texts("SELECT DISTINCT status FROM payments") == ["succeeded"])
        #expect(try await world.texts("SELECT count(*)::text FROM journal_entries WHERE kind = 'payment'") == ["10"])
        #expect(try await world.texts("SELECT count(*)::text FROM journal_entries WHERE kind = 'refund'") == ["5"])
        #expect(
            try await world.texts("SELECT amount_refunded::text FROM payments ORDER BY id")
                == asked.indices.map { $0 < 5 ? "100" : "0" })
        let balance: Int64 = 10 * InboundWorld.price.minor - 5 * 100
        let account = "assets:provider:\(provider)"
        #expect(
            try await world.texts("SELECT sum(amount)::text FROM journal_lines WHERE account = \(account)")
                == ["\(balance)"])
        #expect(try await world.texts("SELECT count(*)::text FROM outbox WHERE type = 'payment.refunded.v1'") == ["5"])
    }

    @Test("Stripe's: shuffled and repeated they settle what was lost, and forged ones leave an audit line")
    func stripe() async throws {
        let double = try await StripeDouble()
        defer { double.stop() }
        let port: Int = try ChildProcess.freePort()
        let endpoint: JSONValue = try await double.post(
            "webhook_endpoints", "url=http://127.0.0.1:\(port)/v1/webhooks/stripe&enabled_events[]=*", key: "hook")
        let secret: WebhookSecret = try #require(endpoint["secret"]?.stringValue.flatMap { WebhookSecret($0) })
        let adapter: StripeAdapter = double.adapter()
        let source = WebhookSource(.stripe, .stripe(secrets: [secret]), reader: StripeNews())
        try await withInbound(port: port, source, provider: adapter) { world in
            try await double.control("webhooks/config", ["mode": "hold", "duplicate": 1])
            var asked: [ChargeRequest] = []
            for index in 0..<Self.payments {
                let request: ChargeRequest = try await world.lost("stripe", token: "pm_card_visa", offSession: false)
                asked.append(request)
                guard case .captured(let charge) = try await adapter.charge(request), index < 5 else { continue }
                _ = try await double.post(
                    "refunds", "payment_intent=\(charge.reference)&amount=100", key: "refund \(index)")
            }
            let statuses: JSONValue = try await double.control(
                "webhooks/release", ["order": "shuffle", "seed": 20_261_126])
            #expect(statuses.arrayValue?.isEmpty == false)
            #expect(statuses.arrayValue?.allSatisfy { $0 == 200 } == true, "\(statuses)")
            try await check(world, asked, provider: "stripe")
            let event: String = try await world.texts("SELECT event_id FROM inbound_webhooks ORDER BY id")[0]
            let stored: [String] = try await world.texts("SELECT count(*)::text FROM inbound_webhooks")
            let table: [(String, Int64)] = [
                ("none", 200), ("rolled_secret", 200), ("wrong_secret", 401), ("body", 401), ("stale", 401),
                ("v0_only", 401), ("no_signature", 400), ("replayed_time", 401),
            ]
            for (corrupt, status) in table {
                let told: JSONValue = try await double.control(
                    "webhooks/send", ["event": .string(event), "corrupt": .string(corrupt)])
                #expect(told[0]?.intValue == status, "\(corrupt): \(told)")
            }
            #expect(try await world.texts("SELECT count(*)::text FROM inbound_webhooks") == stored)
            #expect(
                try await world.texts("SELECT reason FROM inbound_webhook_rejections ORDER BY id") == [
                    "wrong_signature", "wrong_signature", "too_old", "no_usable_signature", "header_missing",
                    "wrong_signature",
                ])
            try await double.control("webhooks/config", ["mode": "auto", "duplicate": 0])
            let charge: String = try #require(await double.objects("charge").last?["id"]?.stringValue)
            try await double.control("dispute/\(charge)", [:])
            try await eventually(within: .seconds(20), "the dispute arrives, and is to be read") {
                _ = try await world.process.pass()
                return try await world.texts(
                    """
                    SELECT w.state FROM inbound_webhooks w, dispute_readings d
                    WHERE w.type = 'charge.dispute.created' AND d.provider = 'stripe'
                    """
                ) == ["done"]
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("PayPal's: shuffled and repeated they settle what was lost, and forged ones leave an audit line")
    func payPal() async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        try await expiredCertificateExpires()
        let port: Int = try ChildProcess.freePort()
        let hook: JSONValue = try await peer.post(
            "/v1/notifications/webhooks",
            ["url": .string("http://127.0.0.1:\(port)/v1/webhooks/paypal"), "event_types": [["name": "*"]]], key: "hook"
        )
        let webhookID: String = try #require(hook["id"]?.stringValue, "\(hook)")
        let verifier = PayPalVerifier(
            webhookID: webhookID, origins: [try #require(CertificateOrigin(peer.base))],
            certificates: SignerKeys(
                transport: ProviderCertificates(transport: peer.transport),
                roots: try TrustedRoots(pem: try await peer.root())))
        let adapter: PayPalAdapter = peer.adapter(limitMilliseconds: 5_000)
        try await withInbound(port: port, WebhookSource(verifier, reader: PayPalNews()), provider: adapter) { world in
            try await peer.control("config", ["mode": "hold", "duplicate": 1])
            var asked: [ChargeRequest] = []
            for index in 0..<Self.payments {
                let request: ChargeRequest = try await world.lost("paypal", token: "8kk8451t", offSession: true)
                asked.append(request)
                guard case .captured(let charge) = try await adapter.charge(request), index < 5 else { continue }
                _ = try await peer.post(
                    "/v2/payments/captures/\(charge.reference)/refund",
                    ["amount": ["currency_code": "USD", "value": "1.00"]], key: "refund-\(index)")
            }
            let statuses: JSONValue = try await peer.control("webhooks/release", ["order": "shuffle"])
            #expect(statuses.arrayValue?.isEmpty == false)
            #expect(statuses.arrayValue?.allSatisfy { $0 == 200 } == true, "\(statuses)")
            try await check(world, asked, provider: "paypal")
            let event: String = try await world.texts("SELECT event_id FROM inbound_webhooks ORDER BY id")[0]
            let stored: [String] = try await world.texts("SELECT count(*)::text FROM inbound_webhooks")
            let table: [(String, Int64)] = [
                ("none", 200), ("sig", 401), ("body", 401), ("time", 401), ("algo", 401), ("self_signed", 401),
                ("wrong_cn", 401), ("expired_cert", 401), ("other_webhook_id", 401), ("evil_host", 401),
                ("evil_userinfo", 401), ("no_headers", 400),
            ]
            for (corrupt, status) in table {
                let told: JSONValue = try await peer.control(
                    "webhooks/send", ["event": .string(event), "corrupt": .string(corrupt)])
                #expect(told[0]?.intValue == status, "\(corrupt): \(told)")
            }
            #expect(try await world.texts("SELECT count(*)::text FROM inbound_webhooks") == stored)
            #expect(try await world.texts("SELECT count(*)::text FROM inbound_webhook_rejections") == ["11"])
        }
    }
}

extension StripeDouble {
    /// Asks the double for something that is not asked for through the connector.
    func post(_ path: String, _ form: String, key: String) async throws -> JSONValue {
        let request = ProviderHTTPRequest(
            method: "POST", url: "http://127.0.0.1:\(port)/v1/\(path)",
            headers: [
                ("Authorization", "Bearer sk_test_" + String(repeating: "x", count: 12)),
                ("Stripe-Version", StripeConfiguration.apiVersion),
                ("Content-Type", "application/x-www-form-urlencoded"), ("Idempotency-Key", key),
            ], body: Array(form.utf8))
        let answer = try await SocketTransport(port: port, limitMilliseconds: 20_000).send(request)
        return try parseJSON(answer.body)
    }
}

extension LivePeer {
    var transport: SocketTransport {
        SocketTransport(port: Int(base.split(separator: ":").last ?? "") ?? 0, limitMilliseconds: 20_000)
    }

    /// The certificate that the double's are issued under.
    func root() async throws -> String {
        let request = ProviderHTTPRequest(method: "GET", url: base + "/_mock/root.pem", headers: [])
        return String(decoding: try await transport.send(request).body, as: UTF8.self)
    }

    /// Asks the double for something that is not asked for through the connector.
    func post(_ path: String, _ body: JSONValue, key: String) async throws -> JSONValue {
        let form: (name: String, value: String) = ("Content-Type", "application/x-www-form-urlencoded")
        let basic: (name: String, value: String) = (
            "Authorization", "Basic bW9jay1jbGllbnQtaWQ6bW9jay1jbGllbnQtc2VjcmV0"
        )
        let granted = try await transport.send(
            ProviderHTTPRequest(
                method: "POST", url: base + "/v1/oauth2/token", headers: [basic, form],
                body: Array("grant_type=client_credentials".utf8)))
        let token: String = try parseJSON(granted.body)["access_token"]?.stringValue ?? ""
        let request = ProviderHTTPRequest(
            method: "POST", url: base + path,
            headers: [
                ("Authorization", "Bearer \(token)"), ("Content-Type", "application/json"),
                ("PayPal-Request-Id", key),
            ], body: body.serialized)
        return try parseJSON(try await transport.send(request).body)
    }
}
