import PaymentRecords
import BillingCore
import HTTPKit
import PaymentDomain
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Captures and releases whose outcome is lost") struct LostCaptureTests {
    @Test(
        "the answer to a capture is lost: it stays under way, nothing else begins, and it is booked once",
        arguments: [ScriptedProvider.Mood.booksAndVanishes, .away])
    func capture(_ mood: ScriptedProvider.Mood) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            world.provider.turn(mood)
            #expect(try await world.capture(payment.id, 500, final: false, key: "k").status == 202)
            await #expect(throws: CapturePayment.Failure.underWay) { try await world.capture(payment.id, 100) }
            await #expect(throws: CancelPayment.Failure.captureUnderWay) { try await world.cancel(payment.id) }
            try await world.work.sweep.pass()
            #expect(try await world.booked(payment.id).isEmpty, "nothing is guessed")
            // Other processes, which know nothing of the first.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await PaymentWorld(world.database).work.sweep.pass() } }
                try await group.waitForAll()
            }
            #expect(try await world.payment(payment.id).amountCaptured == 500)
            #expect(try await world.number("SELECT sum(captured)::int FROM sandbox_charges") == 500)
            #expect(try await world.booked(payment.id) == ["capture"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "the answer to a release is lost: the payment is canceling until the provider is heard",
        arguments: [ScriptedProvider.Mood.booksAndVanishes, .away])
    func release(_ mood: ScriptedProvider.Mood) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            world.provider.turn(mood)
            #expect(try await world.cancel(payment.id).status == .canceling)
            await #expect(throws: CapturePayment.Failure.notAuthorized(.canceling)) {
                try await world.capture(payment.id)
            }
            try await PaymentWorld(world.database).work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("captures at once never take more than is held") func concurrent() async throws {
        try await withPayments(connections: 8) { world in
            let payment: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            let granted: Int = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        (try? await world.capture(payment.id, 300, final: false).status) == 201 ? 1 : 0
                    }
                }
                return await group.reduce(0, +)
            }
            #expect((1...3).contains(granted))
            #expect(try await world.payment(payment.id).amountCaptured == Int64(granted) * 300)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("whatever is asked for in whatever order, with answers lost, the books agree with the provider's to the unit")
    func anyOrder() async throws {
        try await withPayments(connections: 8) { world in
            var random = Seeded()
            let customer: CustomerID = try await world.payer()
            for _ in 0..<25 {
                let payment: PaymentRecord = try await world.authorized(customer, amount: 1_000)
                for _ in 0..<6 {
                    world.provider.turn(
                        [.well, .well, .booksAndVanishes, .away].randomElement(using: &random) ?? .well)
                    await step(payment.id, world, &random)
                    world.provider.turn(.well)
                    if Bool.random(using: &random) { try await world.work.sweep.pass() }
                }
            }
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.violations().isEmpty, "seed \(random.seed)")
            let open: Int = try await world.number(
                """
                SELECT (SELECT count(*) FROM payments WHERE status = 'canceling')
                    + (SELECT count(*) FROM captures WHERE status = 'processing')
                    + (SELECT count(*) FROM refunds WHERE status = 'processing')
                """)
            #expect(open == 0, "seed \(random.seed)")
        }
    }

    /// One thing that a merchant may ask for; refusals are part of it.
    private func step(_ id: PaymentID, _ world: PaymentWorld, _ random: inout Seeded) async {
        let amount: Int64 = Int64.random(in: 1...600, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0...3: _ = try? await world.capture(id, amount, final: Int.random(in: 0..<4, using: &random) == 0)
        case 4: _ = try? await world.cancel(id)
        default: _ = try? await world.refund(id, amount)
        }
    }
}
