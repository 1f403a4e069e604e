import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import TestKit
import Testing

@Suite("Faults of the Stripe double", .serialized) struct StripeLiveFaultTests {
    static let kinds: [String] = [
        "429", "lock_timeout", "409", "500_before", "500_after", "502", "503", "reset_before", "reset_after",
        "timeout_before", "timeout_after", "slow", "malformed", "html",
    ]

    static func fault(_ kind: String, times: Int, skip: Int = 0, method: String = "POST") -> JSONValue {
        [
            "kind": .string(kind), "times": .number("\(times)"), "skip": .number("\(skip)"),
            "method": .string(method), "path": "^/v1/", "ms": 260,
        ]
    }

    /// Charges, and reads back until the outcome is known; `nil` when it stays unknown while the key lives.
    static func settle(_ asked: ChargeRequest, with adapter: StripeAdapter) async throws -> ChargeAnswer? {
        do throws(ProviderFault) {
            return try await adapter.charge(asked)
        } catch {
            if case .rejected = error { Issue.record("\(error)") }
        }
        for _ in 0..<12 {
            do throws(ProviderFault) {
                return try await adapter.outcome(of: asked)
            } catch {
                if case .rejected = error { Issue.record("\(error)") }
            }
        }
        return nil
    }

    @Test("each fault, however often it comes, charges at most once and ends known", arguments: kinds)
    func each(kind: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter(limitMilliseconds: 200)
            var asked: [ChargeRequest] = []
            var answers: [AttemptID: ChargeAnswer] = [:]
            for times in [1, 2, 4, 7] {
                for method in ["POST", "GET", "."] {
                    for token in ["pm_card_visa", "pm_card_chargeDeclined"] {
                        let verb: String? = method == "." ? nil : method
                        try await double.control("faults", Self.fault(kind, times: times, method: verb ?? "POST"))
                        if verb == nil {
                            try await double.control("faults", Self.fault(kind, times: times, method: "GET"))
                        }
                        let request = double.request(token)
                        asked.append(request)
                        answers[request.idempotencyKey] = try await Self.settle(request, with: adapter)
                        try await double.clearFaults()
                    }
                }
            }
            let unknown: Int = asked.count - answers.count
            try await Self.reconcile(asked, &answers, double)
            print("fault \(kind): \(asked.count) charges, \(unknown) known only after the key's life")
        }
    }

    /// Lets the keys' life pass, reads what is still unknown, and compares every answer with the double's books.
    static func reconcile(
        _ asked: [ChargeRequest], _ answers: inout [AttemptID: ChargeAnswer], _ double: StripeDouble
    ) async throws {
        let adapter = double.adapter()
        double.clock.advance(by: .seconds(26 * 3_600))
        for request in asked where answers[request.idempotencyKey] == nil {
            answers[request.idempotencyKey] = try await adapter.outcome(of: request)
        }
        let books: [String: [JSONValue]] = try await double.charged()
        for request in asked {
            let charges: [JSONValue] = books[request.idempotencyKey.rawValue] ?? []
            let answer: ChargeAnswer = try #require(answers[request.idempotencyKey])
            #expect(charges.count == (outline(answer) == .captured ? 1 : 0), "\(answer)")
            #expect(charges.allSatisfy { $0["amount"]?.intValue == request.amount.minor })
        }
        #expect(books.values.reduce(0) { $0 + $1.count } == answers.values.filter { outline($0) == .captured }.count)
        #expect(try await double.complaints().isEmpty)
    }

    @Test("a seeded mixture of faults and cards leaves books that agree") func mixture() async throws {
        try await withStripe { double in
            let adapter = double.adapter(limitMilliseconds: 200)
            var random = Seeded()
            var asked: [ChargeRequest] = []
            var answers: [AttemptID: ChargeAnswer] = [:]
            for _ in 0..<400 {
                for _ in 0..<Int.random(in: 0...2, using: &random) {
                    let kind: String = Self.kinds[Int.random(in: 0..<Self.kinds.count, using: &random)]
                    let method: String = Bool.random(using: &random) ? "POST" : "GET"
                    let times = Int.random(in: 1...3, using: &random)
                    let skip = Int.random(in: 0...1, using: &random)
                    try await double.control("faults", Self.fault(kind, times: times, skip: skip, method: method))
                }
                let card = StripeLiveTests.cards[Int.random(in: 0..<StripeLiveTests.cards.count, using: &random)]
                let request = double.request(
                    card.token, minor: Int64.random(in: 50...99_999, using: &random), offSession: true)
                asked.append(request)
                answers[request.idempotencyKey] = try await Self.settle(request, with: adapter)
                try await double.clearFaults()
            }
            let unknown: Int = asked.count - answers.count
            try await Self.reconcile(asked, &answers, double)
            print("mixture: \(asked.count) charges, \(unknown) known only after the key's life")
        }
    }

    @Test("a refused repeat is settled within minutes: never charged, or charged after all")
    func refusedRepeat() async throws {
        try await withStripe { double in
            let adapter = double.adapter(limitMilliseconds: 5_000)
            // Nothing of it arrives, and the method is gone when it is asked again.
            let never = double.request("pm_gone")
            try await double.control("faults", Self.fault("reset_before", times: 8))
            await #expect(throws: ProviderFault.self) { try await adapter.charge(never) }
            try await double.clearFaults()
            await #expect(throws: ProviderFault.timedOut) { try await adapter.outcome(of: never) }
            // All of it arrives, no answer comes back; the repeat is another request, and the search does not find it.
            let charged = double.request()
            try await double.control("faults", Self.fault("reset_after", times: 8))
            await #expect(throws: ProviderFault.self) { try await adapter.charge(charged) }
            try await double.clearFaults()
            double.clock.advance(by: .seconds(180))
            let moved = double.adapter(limitMilliseconds: 5_000, returnURL: "https://pay.test/moved/", searchLags: true)
            #expect(outline(try await adapter.outcome(of: never)) == .declined("resource_missing"))
            #expect(outline(try await moved.outcome(of: charged)) == .captured)
            #expect(try await double.charged().count == 1)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("captures and refunds under faults happen once", arguments: kinds) func followUps(kind: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter(limitMilliseconds: 200)
            for times in [1, 3, 6] {
                let asked = double.request(minor: 5_000, capture: false)
                guard case .authorized(let charge) = try await adapter.charge(asked) else {
                    throw MissingInfrastructure("the double answered otherwise")
                }
                let capture = CaptureRequest(
                    idempotencyKey: .made(at: double.clock.now), reference: charge.reference,
                    amount: Money(minor: 4_000, currency: .usd), isFinal: true)
                try await double.control("faults", Self.fault(kind, times: times))
                #expect(
                    try await Self.repeated(double) { () throws(ProviderFault) in try await adapter.capture(capture) }
                        == .captured(reference: charge.reference))
                try await double.clearFaults()
                let refund = RefundRequest(
                    idempotencyKey: .made(at: double.clock.now), reference: charge.reference,
                    amount: Money(minor: 1_500, currency: .usd))
                try await double.control("faults", Self.fault(kind, times: times))
                let answer = try await Self.repeated(double) { () throws(ProviderFault) in
                    try await adapter.refund(refund)
                }
                try await double.clearFaults()
                // A stored failure that did nothing keeps its key for a day; then the refund is made.
                if answer == nil {
                    #expect(kind == "500_before")
                    try await double.control("clock", ["advance": 100_000])
                    double.clock.advance(by: .seconds(100_000))
                    guard case .refunded = try await adapter.refund(refund) else {
                        throw MissingInfrastructure("the double answered otherwise")
                    }
                }
                let books: JSONValue? = try await double.objects("charge").last
                #expect(books?["amount_captured"] == 4_000 && books?["amount_refunded"] == 1_500)
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    /// Calls until there is an answer, a minute apart.
    static func repeated<Answer>(
        _ double: StripeDouble, _ call: () async throws(ProviderFault) -> Answer
    ) async throws -> Answer? {
        for _ in 0..<8 {
            do throws(ProviderFault) {
                return try await call()
            } catch {
                if case .rejected = error { throw error }
                double.clock.advance(by: .seconds(60))
            }
        }
        return nil
    }
}
