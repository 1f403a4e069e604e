import BillingCore
import BillingEvents
import FraudDomain
import FraudService
import JSON
import Messaging
import Postgres
import TestKit
import Testing

@Suite("Assessing attempts") struct AssessingTests {
    @Test("an attempt gets one assessment, which is stored and told") func usual() async throws {
        try await withFraud { world in
            let attempt = Sample.attempt()
            try await world.receive([attempt])
            let event = try #require(try await world.published().first)
            #expect(event.paymentID == attempt.paymentID)
            #expect(event.attemptID == attempt.attemptID)
            #expect(event.attempt == 1)
            #expect(event.customerID == attempt.customerID)
            #expect(event.score == "0.0200")
            #expect(event.decision == "approve")
            #expect(event.reasons.isEmpty)
            #expect(event.model == "rules-3")
            let stored = try #require(try await world.assessments().first)
            #expect(stored["id"]?.stringValue == event.assessmentID.rawValue)
            #expect(stored["score"]?.stringValue == "0.0200")
            #expect(stored["risk_level"]?.stringValue == "low")
            #expect(stored["velocity"]?["card_hour"]?.intValue == 1)
            #expect(stored["velocity"]?["customer_day"]?.intValue == 1)
            #expect(stored["amount"]?.intValue == 1_299)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a repeated delivery changes neither counts nor assessments and tells nothing again")
    func repeated() async throws {
        try await withFraud { world in
            let attempts = Sample.burst(5)
            try await world.receive(attempts)
            let before = try await world.assessments()
            try await world.receive(attempts + [attempts[0]])
            #expect(try await world.assessments() == before)
            #expect(try await world.published().count == 5)
            let next = Sample.attempt(after: .seconds(10))
            try await world.receive([next])
            #expect(try await world.assessments().first?["velocity"]?["card_hour"]?.intValue == 6)
        }
    }

    @Test("every further attempt at a payment is assessed by itself") func attempts() async throws {
        try await withFraud { world in
            let first = Sample.attempt()
            try await world.receive([first])
            try await world.receive([Sample.attempt(after: .seconds(5), number: 2, payment: first.paymentID)])
            #expect(try await world.published().map(\.attempt) == [1, 2])
            #expect(try await world.assessments(AssessmentFilter(paymentID: first.paymentID)).count == 2)
        }
    }

    @Test("what a person decides is kept beside the assessment, once; the assessment stays as it was")
    func reviewed() async throws {
        try await withFraud { world in
            let first = Sample.attempt(Money(minor: 6_000_00, currency: .usd))
            let second = Sample.attempt(after: .seconds(5), number: 2, payment: first.paymentID)
            try await world.receive([first, second])
            func decided(_ attempt: AttemptID, _ outcome: String, of payment: PaymentID) -> PaymentReviewedV1 {
                PaymentReviewedV1(
                    paymentID: payment, attemptID: attempt, customerID: first.customerID, outcome: outcome,
                    reviewedAt: FraudWorld.start.adding(.seconds(90)))
            }
            try await world.receive(decided(first.attemptID, "declined", of: first.paymentID))
            try await world.receive(decided(first.attemptID, "approved", of: first.paymentID))
            // Another provider had followed: the attempt was not assessed by itself.
            try await world.receive(decided(.new(at: FraudWorld.start), "approved", of: second.paymentID))
            // Held by the fallback, without an assessment.
            try await world.receive(decided(.new(at: FraudWorld.start), "approved", of: .new(at: FraudWorld.start)))
            let shown = try await world.assessments(AssessmentFilter(paymentID: first.paymentID))
            #expect(shown.map { $0["attempt"]?.intValue } == [2, 1])
            #expect(shown.map { $0["review_outcome"]?.stringValue } == ["approved", "declined"])
            #expect(shown[1]["decision"]?.stringValue == "review")
            #expect(
                shown[1]["reviewed_at"]?.stringValue == FraudWorld.start.adding(.seconds(90)).rfc3339)
            await #expect(throws: Refusal.self) {
                try await world.receive(decided(first.attemptID, "perhaps", of: first.paymentID))
            }
        }
    }

    @Test("a high amount is reviewed and named, never blocked by itself") func amounts() async throws {
        try await withFraud { world in
            try await world.receive([Sample.attempt(Money(minor: 6_000_00, currency: .usd))])
            try await world.receive([Sample.attempt(Money(minor: .max, currency: .usd))])
            let events = try await world.published()
            #expect(events.map(\.decision) == ["review", "review"])
            #expect(events.allSatisfy { $0.reasons == ["amount_high"] })
        }
    }

    @Test("an attempt number that cannot be is parked") func impossible() async throws {
        try await withFraud { world in
            for number: Int64 in [0, -1, .max] {
                await #expect(throws: Refusal.self) { try await world.receive([Sample.attempt(number: number)]) }
            }
            let stored = try await world.assessments()
            #expect(stored.isEmpty)
        }
    }
}

@Suite("Bursts") struct BurstTests {
    @Test("on one card go from approve over review to block, with the default limits") func burst() async throws {
        try await withFraud { world in
            try await world.receive(Sample.burst(250))
            let decisions = try await world.published().map(\.decision)
            #expect(decisions.prefix(60).allSatisfy { $0 == "approve" })
            #expect(decisions[60..<200].allSatisfy { $0 == "review" })
            #expect(decisions[200...].allSatisfy { $0 == "block" })
            let last = try #require(try await world.published().last)
            #expect(last.reasons == ["card_velocity", "customer_velocity"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("are judged by the configured limits") func configured() async throws {
        try await withFraud(review: 2, block: 4) { world in
            try await world.receive(Sample.burst(6))
            #expect(
                try await world.published().map(\.decision)
                    == ["approve", "approve", "review", "review", "block", "block"])
        }
    }

    @Test("of renewals are reviewed at most", arguments: [Bool?.none, false])
    func renewals(_ customerStarted: Bool?) async throws {
        try await withFraud(review: 2, block: 4) { world in
            try await world.receive(Sample.burst(10, offSession: true, customerStarted: customerStarted))
            #expect(try await world.published().last?.decision == "review")
        }
    }

    @Test("of sign-ups and new cards are blocked, though they are charged off session") func cardTesting() async throws
    {
        try await withFraud(review: 2, block: 4) { world in
            try await world.receive(Sample.burst(10, offSession: true, customerStarted: true))
            #expect(try await world.published().map(\.decision).suffix(6).allSatisfy { $0 == "block" })
        }
    }

    @Test("end when the hour is over, by business time") func windows() async throws {
        try await withFraud(review: 2, block: 4) { world in
            try await world.receive(Sample.burst(5))
            try await world.receive([Sample.attempt(after: .seconds(3_600 + 60))])
            let later = try #require(try await world.assessments().first)
            #expect(later["velocity"]?["card_hour"]?.intValue == 1)
            #expect(later["velocity"]?["card_day"]?.intValue == 6)
            #expect(later["decision"]?.stringValue == "approve")
            try await world.receive([Sample.attempt(after: .seconds(25 * 3_600))])
            #expect(try await world.assessments().first?["velocity"]?["card_day"]?.intValue == 2)
        }
    }

    @Test("of three thousand payments spread over two hundred customers with one test card block nobody")
    func benchmark() async throws {
        try await withFraud { world in
            let customers = (0..<200).map { _ in CustomerID.new(at: FraudWorld.start) }
            let attempts = (0..<3_000).map { Sample.attempt(customer: customers[$0 % 200]) }
            for start in stride(from: 0, to: attempts.count, by: 500) {
                try await world.receive(Array(attempts[start..<start + 500]), world.velocity(scope: .perCustomer))
            }
            #expect(try await world.facts()["decisions"]?["approve"]?.intValue == 3_000)
        }
    }
}
