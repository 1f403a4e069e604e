import BillingCore
import HTTPKit
import PaymentInbound
import PaymentRecords
import PaymentWebhooks
import Postgres
import Telemetry
import Testing

@Suite("Taking webhooks in") struct WebhookReceivingTests {
    @Test("a webhook is stored as it came, once; the same event again is answered and changes nothing")
    func stored() async throws {
        try await withWebhooks { hooks, world in
            let body: [UInt8] = hooks.event("customer.updated", #"{"name":"Zoë"}"#, id: "evt_a")
            #expect(try await hooks.deliver(body, headers: [("User-Agent", "Sandbox/1")]).status == 200)
            let again = try await hooks.deliver(body)
            #expect(again.status == 200)
            #expect(String(decoding: again.body, as: UTF8.self).contains(#""repeated":true"#))
            #expect(try await hooks.deliver(body, secret: WebhookWorld.retired).status == 200)
            #expect(try await hooks.stored() == ["waiting"])
            let kept: [UInt8]? = try await world.database.transaction { db in
                try db.first("SELECT body FROM inbound_webhooks") { row in try row.next() }
            }
            #expect(kept == body)
            let headers: [String] = try await world.texts("SELECT headers::text FROM inbound_webhooks")
            #expect(headers == [#"{"user-agent": "Sandbox/1", "sandbox-signature": "\#(Redaction.mark)"}"#])
            #expect(try await hooks.rejections().isEmpty)
        }
    }

    @Test("what is not believed leaves an audit line and nothing else") func refused() async throws {
        try await withWebhooks { hooks, world in
            let body: [UInt8] = hooks.event("charge.updated", "{}", id: "evt_a")
            let right: String = WebhookWorld.secret?.signature(of: body, at: PaymentWorld.start) ?? ""
            let other: [UInt8] = hooks.event("charge.updated", "{}", id: "evt_b")
            let stranger: String =
                WebhookSecret("whsec_of_somebody_else")?.signature(of: body, at: PaymentWorld.start) ?? ""
            func signed(_ bytes: [UInt8], _ seconds: Int64 = 0) -> Delivery {
                let time: Instant = PaymentWorld.start + .seconds(seconds)
                return Delivery(
                    headers: [("sandbox-signature", WebhookWorld.secret?.signature(of: bytes, at: time) ?? "")],
                    body: bytes)
            }
            let table: [(Delivery, Int, String)] = [
                (Delivery(headers: [], body: body), 400, "header_missing"),
                (Delivery(headers: [("Sandbox-Signature", "?")], body: body), 400, "header_malformed"),
                (
                    Delivery(headers: [("Sandbox-Signature", right), ("sandbox-signature", right)], body: body), 400,
                    "header_repeated"
                ),
                (Delivery(headers: [("Sandbox-Signature", stranger)], body: body), 401, "wrong_signature"),
                (Delivery(headers: [("Sandbox-Signature", right)], body: other), 401, "wrong_signature"),
                (signed(body, -301), 401, "too_old"), (signed(body, 301), 401, "too_new"),
                (Delivery(headers: [("Sandbox-Signature", right)], body: nil), 413, "body_too_long"),
                (signed([UInt8](repeating: 0x20, count: 1 << 20 + 1)), 413, "body_too_long"),
                (signed(Array("<html>".utf8)), 400, "body_malformed"), (signed([]), 400, "body_malformed"),
                (signed(Array(#"{"id":"evt","type":"a"}"#.utf8)), 400, "body_malformed"),
            ]
            for (delivery, status, reason) in table {
                do {
                    _ = try await hooks.send(delivery)
                    Issue.record("\(reason) was believed")
                } catch let problem as Problem {
                    #expect(problem.status == status, "\(reason)")
                }
            }
            #expect(try await hooks.rejections() == table.map(\.2))
            #expect(try await hooks.stored().isEmpty)
            let hashes: Int = try await world.number(
                "SELECT count(*) FROM inbound_webhook_rejections WHERE length(body_hash) = 32 AND source = '127.0.0.1'")
            #expect(hashes == table.count - 1)
        }
    }

    @Test("a provider without a secret has no route") func unknown() async throws {
        try await withWebhooks { hooks, _ in
            for provider in ["stripe", "paypal", "", "../sandbox"] {
                do {
                    _ = try await hooks.send(Delivery(headers: [], body: []), to: provider)
                    Issue.record("\(provider) has a route")
                } catch let problem as Problem {
                    #expect(problem.status == 404)
                }
            }
            #expect(try await hooks.rejections().isEmpty)
        }
    }

    @Test("a flood of forgeries is noted up to a limit") func flood() async throws {
        try await withWebhooks { hooks, _ in
            for _ in 0..<650 { await hooks.forge([1]) }
            let lines: [String] = try await hooks.rejections()
            #expect(lines.count == 600)
        }
    }

    @Test("what has been done for long enough goes; what is parked or waits stays") func pruning() async throws {
        try await withWebhooks { hooks, world in
            for id in ["evt_a", "evt_b", "evt_c"] { try await hooks.deliver(hooks.event("x", "{}", id: id)) }
            try await world.execute("UPDATE inbound_webhooks SET received_at = now() - interval '91 days'")
            try await world.execute("UPDATE inbound_webhooks SET state = 'done' WHERE event_id = 'evt_a'")
            try await world.execute(
                "UPDATE inbound_webhooks SET state = 'parked', reason = 'r' WHERE event_id = 'evt_b'")
            for byte: UInt8 in [1, 2] { await hooks.forge([byte]) }
            try await world.execute(
                "UPDATE inbound_webhook_rejections SET rejected_at = now() - interval '91 days' WHERE id = 1")
            #expect(try await hooks.process.pruneOnce() == 2)
            #expect(try await hooks.stored() == ["parked r", "waiting"])
            #expect(try await hooks.rejections().count == 1)
        }
    }
}
