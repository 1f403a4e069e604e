import BillingCore
import HTTPKit
import PaymentWebhooks
import Postgres
import TestKit
import Testing

@Suite("What nodes of ours tell") struct WebhookNodeTests {
    private static let body: [UInt8] = Array(
        #"{"id":"n1","type":"address.activity","created":1800000000,"data":{"object":{"amount":"99999999"}}}"#.utf8)

    private func signed(_ body: [UInt8], _ seconds: Int64 = 0, as name: String = "Node-Signature") -> Delivery {
        let time: Instant = PaymentWorld.start + .seconds(seconds)
        return Delivery(headers: [(name, WebhookWorld.secret?.signature(of: body, at: time) ?? "")], body: body)
    }

    /// Chains of which no look is due.
    private func quiet(_ world: PaymentWorld) async throws {
        try await world.execute(
            """
            INSERT INTO crypto_chains (chain, due_at) VALUES ('bitcoin:main', now() + interval '1 hour'),
                ('evm:1', now() + interval '1 hour')
            ON CONFLICT (chain) DO UPDATE SET due_at = excluded.due_at
            """)
    }

    private func due(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT chain FROM crypto_chains WHERE due_at <= now() ORDER BY chain")
    }

    @Test("a notice that is believed is kept as it came and has the chain looked at; nothing else comes of it, ever")
    func activity() async throws {
        try await withWebhooks { hooks, world in
            try await quiet(world)
            #expect(try await hooks.send(signed(Self.body), to: "bitcoin").status == 200)
            try await hooks.work()
            #expect(try await due(world) == ["bitcoin:main"])
            #expect(try await hooks.stored() == ["done"])
            let headers: [String] = try await world.texts("SELECT headers::text FROM inbound_webhooks")
            #expect(headers.allSatisfy { !$0.contains("v1=") })
            try await quiet(world)
            let again = try await hooks.send(signed(Self.body), to: "bitcoin")
            #expect(String(decoding: again.body, as: UTF8.self).contains(#""repeated":true"#))
            try await hooks.work()
            #expect(try await due(world).isEmpty, "a notice counts once")
            #expect(try await hooks.send(signed(Self.body), to: "evm").status == 200)
            try await hooks.work()
            #expect(try await due(world) == ["evm:1"])
            #expect(try await world.number("SELECT count(*) FROM crypto_transfers") == 0)
            #expect(try await world.number("SELECT count(*) FROM journal_entries") == 0)
        }
    }

    @Test("forged, stale, oversized and malformed ones are refused, and no look comes of them")
    func refused() async throws {
        try await withWebhooks { hooks, world in
            try await quiet(world)
            let other: [UInt8] = Array(#"{"id":"n2","type":"a","created":1}"#.utf8)
            let table: [(Delivery, Int, String)] = [
                (Delivery(headers: [], body: Self.body), 400, "header_missing"),
                (signed(Self.body, as: "Sandbox-Signature"), 400, "header_missing"),
                (Delivery(headers: signed(other).headers, body: Self.body), 401, "wrong_signature"),
                (signed(Self.body, -301), 401, "too_old"), (signed(Self.body, 301), 401, "too_new"),
                (signed([UInt8](repeating: 0x20, count: 1 << 20 + 1)), 413, "body_too_long"),
                (signed(Array("[]".utf8)), 400, "body_malformed"),
            ]
            for (delivery, status, reason) in table {
                do {
                    _ = try await hooks.send(delivery, to: "bitcoin")
                    Issue.record("\(reason) was believed")
                } catch let problem as Problem {
                    #expect(problem.status == status, "\(reason)")
                }
            }
            try await hooks.work()
            #expect(try await hooks.rejections() == table.map(\.2))
            #expect(try await hooks.stored().isEmpty)
            #expect(try await due(world).isEmpty)
        }
    }
}
