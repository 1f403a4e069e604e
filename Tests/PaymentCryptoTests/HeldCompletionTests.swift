import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import PaymentRecords
import Postgres
import TestKit
import Testing

extension CryptoWorld {
    /// The charge's payment as the charge flow has stored it: its attempt was declined.
    func declined(_ request: ChargeRequest, _ status: PaymentStatus = .failed, amount: Money = price) async throws {
        let (attempt, payment): (AttemptID, PaymentID) = (request.idempotencyKey, request.paymentID)
        let now: Instant = clock.now
        try await database.transaction { db in
            _ = try PaymentStore.insert(
                [
                    NewPayment(
                        id: payment, attemptID: attempt, customerID: CustomerID.new(at: now),
                        method: ChargeableMethod(
                            id: PaymentMethodID.new(at: now), type: "bitcoin", fingerprint: "f", provider: "bitcoin"),
                        amount: amount, description: nil, offSession: false, createdAt: now)
                ], in: db)
            _ = try db.execute(
                """
                UPDATE payments SET status = \(status),
                    decline_code = CASE WHEN \(status.rawValue)::text = 'failed' THEN 'quote_expired' END,
                    decline_class = CASE WHEN \(status.rawValue)::text = 'failed' THEN 'soft' END
                WHERE id = \(payment)
                """)
            _ = try db.execute("UPDATE payment_attempts SET status = 'failed', ended_at = now() WHERE id = \(attempt)")
        }
    }

    @discardableResult
    func complete(_ request: ChargeRequest) async throws -> HeldCompletion {
        let (complete, now): (CompleteHeld, Instant) = (CompleteHeld(accepted: accepted), clock.now)
        let attempt: AttemptID = request.idempotencyKey
        return try await database.transactionRetrying { db in
            try complete(attempt, reason: "the goods are still here", by: "key_bob", at: now, in: db)
        }
    }

    func payment(_ request: ChargeRequest) async throws -> PaymentRecord {
        let id: PaymentID = request.paymentID
        let found: PaymentRecord? = try await database.transaction { db in try PaymentStore.find(id, in: db) }
        return try #require(found)
    }
}

/// The code of the problem that some work ends in; `nil` when it does not.
private func code(_ work: () async throws -> Void) async throws -> String? {
    do { try await work() } catch let problem as Problem { return problem.errors.first?.code ?? problem.code }
    return nil
}

@Suite("Money that came too late and completes the payment after all") struct HeldCompletionTests {
    @Test("the payment is processing, its provider says captured and tells so, and nothing is owed to the payer")
    func completed() async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            try await world.declined(request)
            #expect(try await world.books() == [100_00, 0])
            let told: Int = world.flow.heard.count
            let completion: HeldCompletion = try await world.complete(request)
            #expect(completion.amount == BaseUnits(200_000) && completion.paymentID == request.paymentID)
            let payment: PaymentRecord = try await world.payment(request)
            #expect(payment.status == .processing && payment.declineCode == nil)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts WHERE status = 'started'") == 1)
            let charge: CryptoCharge = try await world.charge(request)
            #expect(charge.answer == .captured && charge.capturedUnits == BaseUnits(200_000))
            #expect(try await world.answer(request) == .captured(ProviderCharge(reference: charge.address)))
            #expect(try await world.books() == [0, 0])
            #expect(try await world.held().isEmpty)
            try await world.look()
            #expect(world.flow.heard.dropFirst(told) == [.charge(request.idempotencyKey)])
            #expect(try await world.charge(request).standing.applied == BaseUnits(200_000), "and it stays so")
            #expect(try await code { try await world.complete(request) } == "payment_made")
            #expect(
                try await world.number(
                    "SELECT count(*) FROM crypto_completions WHERE actor = 'key_bob' AND reason <> ''") == 1)
            #expect(try await world.violations().filter { !$0.contains("are not booked") } == [])
        }
    }

    @Test("more than the price goes back by the ordinary rule; late money within the tolerance is enough")
    func amounts() async throws {
        for (more, back) in [(UInt128(30_000), ["overpaid 30000 open"]), (0, [])] {
            try await withCrypto(late: .hold) { world in
                let (request, address) = try await world.opened()
                world.clock.advance(by: .seconds(2_000))
                try await world.look()
                world.chain.pay(address, more == 0 ? 198_000 : 200_000 + more)
                world.chain.mine(2)
                try await world.look()
                try await world.declined(request)
                try await world.complete(request)
                #expect(try await world.goingBack(request) == back)
                #expect(try await world.books() == [more == 0 ? 0 : 15_00, 0])
                try await world.look()
                #expect(try await world.goingBack(request) == back)
            }
        }
    }

    @Test(
        "a payment that has gone on, was given up, or asks for another amount is not completed, and nothing changes",
        arguments: [
            PaymentStatus.created, .processing, .requiresAction, .authorized, .canceling, .succeeded, .canceled,
        ])
    func state(status: PaymentStatus) async throws {
        try await withCrypto(late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            try await world.declined(request, status)
            #expect(try await code { try await world.complete(request) } == "payment_state")
            #expect(try await world.charge(request).answer == .declined("quote_expired"))
            #expect(try await world.payment(request).status == status)
            #expect(try await world.held().map(\.free) == [BaseUnits(200_000)])
            #expect(try await world.books() == [100_00, 0])
        }
    }

    @Test("another attempt, another price, too little, and what is partly decided on are refused") func refused()
        async throws
    {
        try await withCrypto(late: .hold) { world in
            let other: ChargeRequest = try await world.paidLate()
            try await world.declined(other)
            try await world.execute("UPDATE payments SET attempt_id = 'att_next' WHERE id = \(other.paymentID)")
            #expect(try await code { try await world.complete(other) } == "payment_state")
            let dearer: ChargeRequest = try await world.paidLate()
            try await world.declined(dearer, amount: Money(minor: 105_00, currency: .usd))
            #expect(try await code { try await world.complete(dearer) } == "payment_state")
            let parted: ChargeRequest = try await world.paidLate()
            try await world.declined(parted)
            let back: InstructionRecord = try await world.sendBack(parted, 50_000)
            #expect(try await code { try await world.complete(parted) } == "partly_decided")
            try await world.cancel(back.id)
            try await world.complete(parted)
            let (short, address) = try await world.opened()
            world.clock.advance(by: .seconds(2_000))
            try await world.look()
            world.chain.pay(address, 150_000)
            world.chain.mine(2)
            try await world.look()
            try await world.declined(short)
            #expect(try await code { try await world.complete(short) } == "not_enough_held")
            #expect(try await world.charge(short).answer == .declined("quote_expired"))
            let (paid, paidAddress) = try await world.captured()
            world.clock.advance(by: .seconds(2_000))
            try await world.look()
            world.chain.pay(paidAddress, 30_000)
            world.chain.mine(2)
            try await world.look()
            #expect(try await code { try await world.complete(paid) } == "payment_made")
            #expect(try await code { try await world.complete(world.request()) } == "not_found")
            // The rest comes: then it is enough.
            world.chain.pay(address, 50_000)
            world.chain.mine(2)
            try await world.look()
            try await world.complete(short)
            #expect(try await world.number("SELECT count(*) FROM crypto_completions") == 2)
        }
    }

    @Test("of ten who complete and send back at once one does") func concurrent() async throws {
        try await withCrypto(connections: 8, late: .hold) { world in
            let request: ChargeRequest = try await world.paidLate()
            try await world.declined(request)
            let done: Int = try await withThrowingTaskGroup { group in
                for place in 0..<10 {
                    group.addTask {
                        try await code {
                            if place.isMultiple(of: 2) {
                                try await world.complete(request)
                            } else {
                                try await world.sendBack(request)
                            }
                        } == nil
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(done == 1)
            let isCompleted: Bool = try await world.payment(request).status == .processing
            #expect(try await world.goingBack(request) == (isCompleted ? [] : ["held 199500 open"]))
        }
    }
}
