import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

/// A provider that thinks about a capture or a refund until it is told to go on, and meanwhile turns away who repeats the
/// question, or refuses for good.
private final class SlowRefunds: PaymentProvider {
    let name = "slow"
    let capabilities = ProviderCapabilities(
        methods: [
            ProviderCapabilities.Method(
                type: "card", separateCapture: true, partialCapture: true, multipleCapture: false, partialRefund: true,
                offSession: true)
        ], currencies: ["USD"])

    private struct State {
        var asked = 0
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let isRefusing: Bool

    init(isRefusing: Bool = false) { self.isRefusing = isRefusing }

    /// How often a capture or a refund was asked for.
    var asked: Int { state.withLock { $0.asked } }

    func goOn() { state.withLock { $0.waiting.take() }?.resume() }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        .captured(ProviderCharge(reference: "slow_1"))
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer { try await charge(request) }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try await isFirst() ? .captured(reference: "slow_2") : .refused(code: "not_possible")
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer { .released }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await isFirst() ? .refunded(reference: "slow_3") : .refused(code: "not_possible")
    }

    private func isFirst() async throws(ProviderFault) -> Bool {
        let isFirst: Bool = state.withLock { state in
            state.asked += 1
            return state.asked == 1
        }
        guard isFirst else {
            if isRefusing { return false }
            throw .unavailable(409)
        }
        await withCheckedContinuation { waiting in state.withLock { $0.waiting = waiting } }
        return true
    }

    /// How many contradictions a person was told of.
    func alarms(_ call: ProviderCall) -> Int {
        Metrics.shared.counter("provider_alarms_total", labels: ["provider": name, "call": call.rawValue]).value
    }
}

extension PaymentWorld {
    /// Has a payment be one of the slow provider's.
    fileprivate func slowly(_ payment: PaymentRecord) async throws -> PaymentRecord {
        for table: SQL in ["payments", "payment_attempts"] {
            try await execute("UPDATE \(table) SET provider = 'slow', provider_reference = 'slow_1'")
        }
        return payment
    }
}

@Suite("Refunds that are repeated while they are made") struct RefundTwinTests {
    @Test("the twin is told that it is not known yet, and repeats are told what the first request was") func twin()
        async throws
    {
        let slow = SlowRefunds()
        try await withPayments(connections: 6, beside: [slow]) { world in
            let payment: PaymentRecord = try await world.slowly(world.paid(world.payer()))
            async let first: Reply<RefundResource> = world.refund(payment.id, 300, key: "k")
            try await eventually(within: .seconds(10)) { slow.asked == 1 }
            let twin: Reply<RefundResource> = try await world.refund(payment.id, 300, key: "k")
            #expect(twin.status == 202 && slow.asked == 2)
            slow.goOn()
            let answer: Reply<RefundResource> = try await first
            #expect(answer.status == 201)
            let again: Reply<RefundResource> = try await world.refund(payment.id, 300, key: "k")
            #expect(again.status == 201 && again.body == answer.body && slow.asked == 2)
            #expect(try await world.number("SELECT count(*) FROM refunds") == 1)
        }
    }

    @Test("a refund that is refused to the twin and made for the first is not booked, and a person is told")
    func contradictedRefund() async throws {
        let slow = SlowRefunds(isRefusing: true)
        try await withPayments(connections: 6, beside: [slow]) { world in
            let payment: PaymentRecord = try await world.slowly(world.paid(world.payer()))
            let before: Int = slow.alarms(.refund)
            async let first: Reply<RefundResource> = world.refund(payment.id, 300, key: "k")
            try await eventually(within: .seconds(10)) { slow.asked == 1 }
            _ = try await world.refund(payment.id, 300, key: "k")
            slow.goOn()
            _ = try await first
            #expect(
                try await world.texts("SELECT concat_ws(' ', status, failure_code, provider_reference) FROM refunds")
                    == ["failed not_possible slow_3"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(slow.alarms(.refund) == before + 1)
        }
    }

    @Test("a capture that is refused to the twin and made for the first is not booked, and a person is told")
    func contradictedCapture() async throws {
        let slow = SlowRefunds(isRefusing: true)
        try await withPayments(connections: 6, beside: [slow]) { world in
            let payment: PaymentRecord = try await world.slowly(world.authorized(world.payer()))
            let before: Int = slow.alarms(.capture)
            async let first: Reply<CaptureResource> = world.capture(payment.id, key: "k")
            try await eventually(within: .seconds(10)) { slow.asked == 1 }
            _ = try await world.capture(payment.id, key: "k")
            slow.goOn()
            _ = try await first
            #expect(
                try await world.texts("SELECT concat_ws(' ', status, failure_code, provider_reference) FROM captures")
                    == ["failed not_possible slow_2"])
            #expect(try await world.booked(payment.id).isEmpty)
            #expect(slow.alarms(.capture) == before + 1)
        }
    }
}
