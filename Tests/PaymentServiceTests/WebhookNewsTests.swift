import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Working off webhooks") struct WebhookNewsTests {
    /// A payment whose outcome at the provider was lost.
    private func lost(_ world: PaymentWorld) async throws -> PaymentRecord {
        world.provider.turn(.booksAndVanishes)
        let before: Int = world.provider.readInVain
        let payment: PaymentRecord = try await world.created(world.payer())
        await world.decide(payment)
        try await eventually(within: .seconds(20), "the answer is lost") { world.provider.readInVain == before + 1 }
        return try await world.payment(payment.id)
    }

    @Test("a lost charge is settled by the news of it, which may come often and late") func charge() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await lost(world)
            let news: [UInt8] = hooks.charge(payment)
            try await hooks.deliver(news)
            try await hooks.deliver(hooks.charge(payment))
            #expect(try await world.payment(payment.id).status == .processing)
            world.provider.turn(.well)
            try await hooks.work()
            #expect(try await world.payment(payment.id).status == .succeeded)
            try await hooks.deliver(news)
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(try await hooks.stored() == ["done", "done", "done"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "an authorization that the provider has let go is over, with what was captured of it; one it still holds is not"
    )
    func released() async throws {
        try await withWebhooks { hooks, world in
            let held: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            let gone: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            let partly: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            try await world.capture(partly.id, 400, final: false)
            try await world.execute(
                """
                UPDATE sandbox_charges SET held_until = NULL
                WHERE idempotency_key IN (\(gone.attemptID), \(partly.attemptID))
                """)
            for payment in [held, gone, partly, gone] { try await hooks.deliver(hooks.charge(payment)) }
            world.provider.turn(.away)
            _ = try await hooks.process.pass()
            #expect(try await world.payment(gone.id).status == .authorized, "nothing is believed that is not read")
            world.provider.turn(.well)
            try await hooks.work()
            #expect(try await world.payment(held.id).status == .authorized)
            #expect(try await world.payment(gone.id).status == .canceled)
            #expect(
                try await world.texts(
                    "SELECT body::jsonb->>'reason' FROM outbox WHERE type = 'payment.canceled.v1'")
                    == ["released_by_provider"])
            let part: PaymentRecord = try await world.payment(partly.id)
            #expect(part.status == .succeeded && part.amountCaptured == 400)
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(try await hooks.stored() == Array(repeating: "done", count: 4))
            #expect(try await world.violations() == [])
        }
    }

    @Test("while the provider is away news wait, then are parked with the reason; a replay settles them")
    func parked() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await lost(world)
            try await hooks.deliver(hooks.charge(payment))
            #expect(try await hooks.process.pass() == 1)
            #expect(try await hooks.stored() == ["waiting timedOut"])
            try await hooks.work()
            #expect(try await hooks.stored() == ["parked timedOut"])
            #expect(try await world.number("SELECT attempts FROM inbound_webhooks") == 3)
            world.provider.turn(.well)
            let replayed: Int = try await world.database.transaction { db in
                try InboundLog.replay(from: PaymentWorld.start, id: nil, in: db)
            }
            #expect(replayed == 1)
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            #expect(try await world.payment(payment.id).status == .succeeded)
        }
    }

    @Test("a replay by number or time chooses what it says, and doubles nothing") func replay() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let taken: String = try await hooks.refundAtProvider("re_page", of: payment, 300)
            try await hooks.deliver(hooks.refund("re_page", of: taken, 300))
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            let counts: [Int] = try await world.database.transaction { db in
                [
                    try InboundLog.replay(from: nil, id: 1, in: db), try InboundLog.replay(from: nil, id: 99, in: db),
                    try InboundLog.replay(from: PaymentWorld.start + .seconds(1), id: nil, in: db),
                    try InboundLog.replay(from: PaymentWorld.start, id: nil, in: db),
                ]
            }
            #expect(counts == [1, 0, 0, 2])
            try await hooks.work()
            #expect(try await hooks.stored() == ["done", "done"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            let entries: [InboundLog.Entry] = try await world.database.transaction { db in
                try InboundLog.list(state: "done", limit: 1, in: db)
            }
            #expect(entries.map(\.type) == ["charge.updated"])
        }
    }

    @Test("a process that dies over a webhook leaves it to the next; one that always does is parked")
    func crash() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await lost(world)
            world.provider.turn(.well)
            try await hooks.deliver(hooks.charge(payment))
            // Taken, and never settled.
            try await world.execute("UPDATE inbound_webhooks SET attempts = 1, next_attempt_at = now()")
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            #expect(try await world.payment(payment.id).status == .succeeded)
            try await hooks.deliver(hooks.charge(payment))
            try await world.execute("UPDATE inbound_webhooks SET attempts = 3 WHERE state = 'waiting'")
            try await hooks.work()
            #expect(try await hooks.stored() == ["done", "parked no attempt came to an end"])
        }
    }

    @Test("news that cannot be read, or that nobody looks after, are parked; what concerns others is done")
    func unreadable() async throws {
        try await withWebhooks { hooks, world in
            let table: [(String, String, String)] = [
                ("charge.updated", "{}", "parked not readable: unusable(\"attempt_id\")"),
                ("charge.updated", #"{"attempt_id":"x"}"#, "parked not readable: unusable(\"attempt_id\")"),
                ("refund.updated", #"{"reference":1}"#, "parked not readable: unusable(\"state\")"),
                ("charge.updated", #"{"attempt_id":"\#(AttemptID.new(at: PaymentWorld.start))"}"#, "done"),
                ("customer.deleted", "[]", "done no concern of ours: customer.deleted"),
                (
                    "dispute.updated",
                    #"{"reference":"dp_1","taken":"ch_1","amount":5,"currency":"USD","reason":"fraudulent","stage":"needs_response","opened_at":"2027-01-01T00:00:00Z"}"#,
                    "done"
                ),
            ]
            for (type, object, _) in table { try await hooks.deliver(hooks.event(type, object)) }
            try await hooks.work()
            #expect(try await hooks.stored() == table.map(\.2))
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("news of many payments in any order, each several times, by instances at once: all is settled once")
    func shuffled() async throws {
        try await withWebhooks(connections: 8) { hooks, world in
            var payments: [PaymentRecord] = []
            var bodies: [[UInt8]] = []
            for index in 0..<12 {
                let payment: PaymentRecord = try await lost(world)
                payments.append(payment)
                bodies.append(hooks.charge(payment))
                let taken: String = try await hooks.refundAtProvider("re_\(index)", of: payment, 100)
                for _ in 0..<3 { bodies.append(hooks.refund("re_\(index)", of: taken, 100)) }
            }
            world.provider.turn(.well)
            var random = Seeded(20_261_126)
            bodies.shuffle(using: &random)
            for body in bodies { try await hooks.deliver(body) }
            // A refund may come up before its charge is settled: it waits, and is not given up.
            try await world.execute("UPDATE inbound_webhooks SET attempts = -100")
            for _ in 0..<20 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 { group.addTask { _ = try await hooks.process.pass() } }
                    try await group.waitForAll()
                }
            }
            try await hooks.work()
            #expect(try await hooks.stored().allSatisfy { $0 == "done" })
            for payment in payments {
                #expect(try await world.booked(payment.id) == ["payment", "refund"])
                #expect(try await world.payment(payment.id).amountRefunded == 100)
            }
            #expect(try await world.published("payment.refunded.v1") == 12)
            #expect(try await world.violations().isEmpty)
        }
    }
}
