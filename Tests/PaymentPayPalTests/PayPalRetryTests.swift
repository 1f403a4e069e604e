import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("Repeating a call to PayPal") struct RetryTests {
    private let order = FakePayPal.Step.answer(200, Say.order("PAYER_ACTION_REQUIRED"))

    @Test(
        "cures what time cures, under the same key",
        arguments: [
            .fault(.timedOut), .fault(.notSent("refused")), .text(500), .text(502), .text(503), .text(408), .text(429),
            .refusal(409, "PREVIOUS_REQUEST_IN_PROGRESS", name: "RESOURCE_CONFLICT"),
        ] as [FakePayPal.Step])
    func cures(step: FakePayPal.Step) async throws {
        let world = FakeWorld([step, step, step, order])
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.fake.isOver)
        #expect(world.waits.all == [.milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(Set(world.fake.sent.map { $0.headers["PayPal-Request-Id"] }) == [Say.attempt])
        #expect(Set(world.fake.sent.map(\.body)).count == 1)
    }

    @Test(
        "ends after three repeats with what is known",
        arguments: [
            (.fault(.timedOut), .timedOut), (.fault(.notSent("refused")), .notSent("refused")),
            (.text(500), .unavailable(500)), (.text(429), .rateLimited(retryAfter: nil)),
            (.refusal(409, "PREVIOUS_REQUEST_IN_PROGRESS"), .unavailable(409)),
        ] as [(FakePayPal.Step, ProviderFault)])
    func ends(step: FakePayPal.Step, fault: ProviderFault) async {
        let world = FakeWorld(Array(repeating: step, count: 4))
        await #expect(throws: fault) { try await world.adapter.charge(Ask.charge()) }
        #expect(world.fake.isOver)
    }

    @Test(
        "never turns doubt into certainty",
        arguments: [
            ([.fault(.timedOut), .fault(.notSent("a")), .fault(.notSent("b")), .fault(.notSent("c"))], .timedOut),
            ([.fault(.timedOut), .refusal(403, nil, name: "NOT_AUTHORIZED")], .timedOut),
            ([.text(500), .text(429), .text(429), .text(429)], .unavailable(500)),
            ([.fault(.timedOut), .refusal(422, "PAYEE_ACCOUNT_RESTRICTED")], .timedOut),
            (
                [.fault(.notSent("a")), .refusal(422, "PAYEE_ACCOUNT_RESTRICTED")],
                .unauthorized(code: "PAYEE_ACCOUNT_RESTRICTED")
            ),
            ([.text(500), .fault(.timedOut), .text(503), .text(502)], .unavailable(502)),
            (
                [.fault(.notSent("a")), .refusal(400, "INVALID_PARAMETER_SYNTAX", name: "INVALID_REQUEST")],
                .rejected(code: "INVALID_PARAMETER_SYNTAX")
            ),
        ] as [([FakePayPal.Step], ProviderFault)])
    func doubt(script: [FakePayPal.Step], fault: ProviderFault) async {
        let world = FakeWorld(script)
        await #expect(throws: fault) { try await world.adapter.charge(Ask.charge()) }
        #expect(world.fake.isOver)
    }

    @Test("waits as long as PayPal asks, if that is not long") func patience() async throws {
        let soon = FakePayPal.Step.text(429, "", [("Retry-After", "3")])
        let world = FakeWorld([soon, order])
        _ = try await world.adapter.charge(Ask.charge())
        #expect(world.waits.all == [.seconds(3)])
        let late = FakeWorld([.text(429, "", [("retry-after", "60")])])
        await #expect(throws: ProviderFault.rateLimited(retryAfter: 60)) {
            try await late.adapter.charge(Ask.charge())
        }
        let odd = FakeWorld([.text(429, "", [("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")]), order])
        _ = try await odd.adapter.charge(Ask.charge())
        #expect(odd.waits.all == [.milliseconds(200)])
    }

    @Test(
        "is not for answers that make no sense",
        arguments: [
            .text(200, "<html/>"), .text(201, "{\"id\": \"ORDER1\""), .text(302), .answer(200, []), .text(200),
            .text(204),
            .text(404, "<html/>"), .text(422, "{}"), .answer(400, ["name": "no code at all"]),
        ] as [FakePayPal.Step])
    func senseless(step: FakePayPal.Step) async {
        let world = FakeWorld([step])
        do throws(ProviderFault) {
            _ = try await world.adapter.charge(Ask.charge())
            Issue.record("an answer without sense was used")
        } catch {
            #expect(error.isUnusable)
        }
        #expect(world.fake.isOver && world.waits.all.isEmpty)
    }

    @Test("stops when the caller gives up") func givenUp() async {
        let fake = FakePayPal([.text(503)])
        var retry = ProviderRetryPolicy.payPal
        retry.sleep = { _ in throw CancellationError() }
        let configuration = PayPalConfiguration(
            baseURL: FakePayPal.base, clientID: "c", clientSecret: Secret("s"), returnURL: "https://pay.test/back/",
            retry: retry)
        let surroundings = PayPalSurroundings(
            transport: fake, clock: ManualClock(Instant(seconds: 1_800_000_000)))
        let adapter = PayPalAdapter(configuration: configuration, surroundings: surroundings)
        await #expect(throws: ProviderFault.unavailable(503)) { try await adapter.charge(Ask.charge()) }
        #expect(fake.isOver)
    }

    @Test("waits are drawn between half and all of a doubling span, capped") func jitter() async {
        let spans = Mutex<[ClosedRange<Int64>]>([])
        var retry = ProviderRetryPolicy(retries: 7, firstWait: .milliseconds(100), longestWait: .seconds(2))
        retry.sleep = { _ in }
        retry.draw = { span in
            spans.withLock { $0.append(span) }
            return span.lowerBound
        }
        let configuration = PayPalConfiguration(
            baseURL: FakePayPal.base, clientID: "c", clientSecret: Secret("s"), returnURL: "https://pay.test/back/",
            retry: retry)
        let surroundings = PayPalSurroundings(
            transport: FakePayPal(Array(repeating: .text(500), count: 8)),
            clock: ManualClock(Instant(seconds: 1_800_000_000)))
        let adapter = PayPalAdapter(configuration: configuration, surroundings: surroundings)
        await #expect(throws: ProviderFault.unavailable(500)) { try await adapter.charge(Ask.charge()) }
        let upper = spans.withLock { $0.map(\.upperBound) }
        #expect(upper.prefix(7) == [100_000, 200_000, 400_000, 800_000, 1_600_000, 2_000_000, 2_000_000])
        #expect(spans.withLock { $0.allSatisfy { $0.lowerBound == $0.upperBound / 2 } })
    }
}
