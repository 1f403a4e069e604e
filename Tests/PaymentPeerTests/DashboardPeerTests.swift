import BillingCore
import JSON
import PaymentContract
import PaymentInbound
import PaymentPayPal
import PaymentStripe
import PaymentWebhooks
import Postgres
import Telemetry
import TestKit
import Testing

extension InboundWorld {
    /// A payment that only holds its money, as it stands when the answer to its charge was lost.
    fileprivate func lostHold(_ provider: String, token: String, offSession: Bool) async throws -> ChargeRequest {
        let asked: ChargeRequest = try await lost(provider, token: token, offSession: offSession)
        _ = try await texts("UPDATE payments SET capture_method = 'manual' WHERE id = \(asked.paymentID) RETURNING id")
        return ChargeRequest(
            idempotencyKey: asked.idempotencyKey, paymentID: asked.paymentID, source: asked.source,
            amount: asked.amount, capture: false, initiation: asked.initiation)
    }

    /// `status amount_captured amount_refunded` of every payment, by id.
    fileprivate func standing() async throws -> [String] {
        try await texts("SELECT concat_ws(' ', status, amount_captured, amount_refunded) FROM payments ORDER BY id")
    }

    /// What the ledger has with a provider, and the entries it is made of.
    fileprivate func booked(at provider: String) async throws -> [String] {
        let account = "assets:provider:\(provider)"
        return try await texts(
            """
            SELECT e.kind || ' ' || l.amount FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
            WHERE l.account = \(account) ORDER BY 1
            """)
    }
}

@Suite("What is done at the providers' own pages, from their webhooks to the books", .serialized)
struct DashboardPeerTests {
    private func withStripeInbound(
        _ events: [String], _ body: (InboundWorld, StripeDouble, StripeAdapter) async throws -> Void
    ) async throws {
        let double = try await StripeDouble()
        defer { double.stop() }
        let port: Int = try ChildProcess.freePort()
        let wanted: String = events.map { "&enabled_events[]=\($0)" }.joined()
        let endpoint: JSONValue = try await double.post(
            "webhook_endpoints", "url=http://127.0.0.1:\(port)/v1/webhooks/stripe\(wanted)", key: "hook")
        let secret: WebhookSecret = try #require(endpoint["secret"]?.stringValue.flatMap { WebhookSecret($0) })
        let adapter: StripeAdapter = double.adapter()
        let source = WebhookSource(.stripe, .stripe(secrets: [secret]), reader: StripeNews())
        try await withInbound(port: port, source, provider: adapter) { world in
            try await double.control("webhooks/config", ["mode": "hold", "duplicate": 1])
            try await body(world, double, adapter)
        }
    }

    /// Everything that the double has to tell arrives, and is worked off.
    private func deliver(_ double: StripeDouble, to world: InboundWorld) async throws {
        let statuses: JSONValue = try await double.control("webhooks/release", ["order": "shuffle", "seed": 7])
        #expect(statuses.arrayValue?.isEmpty == false)
        #expect(statuses.arrayValue?.allSatisfy { $0 == 200 } == true, "\(statuses)")
        try await world.work()
    }

    @Test("a capture in Stripe's Dashboard, whole or of a part, is booked once") func stripeCaptures() async throws {
        try await withStripeInbound(["*"]) { world, double, adapter in
            for (index, minor) in ([1_299, 400] as [Int64]).enumerated() {
                let asked: ChargeRequest = try await world.lostHold("stripe", token: "pm_card_visa", offSession: false)
                let answer: ChargeAnswer = try await adapter.charge(asked)
                guard case .authorized(let charge) = answer else { throw MissingInfrastructure("\(answer)") }
                // The first is known to be held when it is captured; of the second all is told at once.
                if index == 0 {
                    try await deliver(double, to: world)
                    #expect(try await world.standing() == ["authorized 0 0"])
                }
                _ = try await double.post(
                    "payment_intents/\(charge.reference)/capture", "amount_to_capture=\(minor)", key: "page \(index)")
                try await deliver(double, to: world)
            }
            #expect(try await world.standing() == ["succeeded 1299 0", "succeeded 400 0"])
            #expect(try await world.booked(at: "stripe") == ["capture 1299", "capture 400"])
            #expect(
                try await world.texts("SELECT type FROM outbox WHERE type LIKE 'payment.%ed.v1' ORDER BY type")
                    == [
                        "payment.authorized.v1", "payment.authorized.v1", "payment.captured.v1", "payment.captured.v1",
                        "payment.succeeded.v1", "payment.succeeded.v1",
                    ])
            let taken: [Int64] = try await double.objects("charge").compactMap { $0["amount_captured"]?.intValue }
            #expect(taken.reduce(0, +) == 1_699)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("refunds in Stripe's Dashboard are booked where only charge.refunded tells of them") func stripeRefunds()
        async throws
    {
        try await withStripeInbound(["payment_intent.succeeded", "charge.refunded"]) { world, double, adapter in
            let asked: ChargeRequest = try await world.lost("stripe", token: "pm_card_visa", offSession: false)
            let answer: ChargeAnswer = try await adapter.charge(asked)
            guard case .captured(let charge) = answer else { throw MissingInfrastructure("\(answer)") }
            for amount in [100, 250] {
                _ = try await double.post(
                    "refunds", "payment_intent=\(charge.reference)&amount=\(amount)", key: "page \(amount)")
            }
            try await deliver(double, to: world)
            #expect(try await world.standing() == ["succeeded 1299 350"])
            // News of a further one finds the first two known.
            _ = try await double.post("refunds", "payment_intent=\(charge.reference)&amount=1", key: "page again")
            try await deliver(double, to: world)
            #expect(try await world.standing() == ["succeeded 1299 351"])
            #expect(
                try await world.booked(at: "stripe") == ["payment 1299", "refund -1", "refund -100", "refund -250"])
            #expect(
                try await world.texts("SELECT DISTINCT type FROM inbound_webhooks ORDER BY type")
                    == ["charge.refunded", "payment_intent.succeeded"])
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("captures in PayPal's pages, in parts, are booked one by one, whatever they carry as their invoice's number")
    func payPalCaptures() async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        try await expiredCertificateExpires()
        let port: Int = try ChildProcess.freePort()
        let hook: JSONValue = try await peer.post(
            "/v1/notifications/webhooks",
            ["url": .string("http://127.0.0.1:\(port)/v1/webhooks/paypal"), "event_types": [["name": "*"]]], key: "hook"
        )
        let verifier = PayPalVerifier(
            webhookID: try #require(hook["id"]?.stringValue), origins: [try #require(CertificateOrigin(peer.base))],
            certificates: SignerKeys(
                transport: ProviderCertificates(transport: peer.transport),
                roots: try TrustedRoots(pem: try await peer.root())))
        let adapter: PayPalAdapter = peer.adapter(limitMilliseconds: 5_000)
        try await withInbound(port: port, WebhookSource(verifier, reader: PayPalNews()), provider: adapter) { world in
            try await peer.control("config", ["mode": "hold", "duplicate": 1])
            let asked: ChargeRequest = try await world.lostHold("paypal", token: "8kk8451t", offSession: true)
            let answer: ChargeAnswer = try await adapter.charge(asked)
            guard case .authorized(let held) = answer else { throw MissingInfrastructure("\(answer)") }
            let path = "/v2/payments/authorizations/\(held.reference)/capture"
            // One carries the attempt, as PayPal's pages propose; one an id of ours that is forgotten; one something else.
            let forgotten = CaptureID.new(at: SystemClock().now)
            let captures: [(value: String, invoice: String?, isFinal: Bool)] = [
                ("4.00", nil, false), ("3.00", forgotten.rawValue, false), ("2.00", "by hand", true),
            ]
            for (index, capture) in captures.enumerated() {
                var body: [JSONMember] = [
                    JSONMember(
                        name: "amount", value: ["currency_code": "USD", "value": .string(capture.value)]),
                    JSONMember(name: "final_capture", value: .bool(capture.isFinal)),
                ]
                if let invoice = capture.invoice {
                    body.append(JSONMember(name: "invoice_id", value: .string(invoice)))
                }
                _ = try await peer.post(path, .object(body), key: "page-\(index)")
                let statuses: JSONValue = try await peer.control("webhooks/release", ["order": "shuffle"])
                #expect(statuses.arrayValue?.allSatisfy { $0 == 200 } == true, "\(statuses)")
                try await world.work()
            }
            #expect(try await world.standing() == ["succeeded 900 0"])
            #expect(try await world.booked(at: "paypal") == ["capture 200", "capture 300", "capture 400"])
            #expect(
                try await world.texts("SELECT amount::text FROM captures WHERE id = \(forgotten)") == ["300"])
            #expect(
                try await world.texts("SELECT count(*)::text FROM outbox WHERE type = 'payment.succeeded.v1'") == ["1"])
        }
    }
}
