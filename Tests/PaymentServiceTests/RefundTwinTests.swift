import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import TestKit
import Testing

/// A provider that thinks about a refund until it is told to go on, and meanwhile turns away who repeats the question.
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

    /// How often a refund was asked for.
    var asked: Int { state.withLock { $0.asked } }

    func goOn() { state.withLock { $0.waiting.take() }?.resume() }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        .captured(ProviderCharge(reference: "slow_1"))
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer { try await charge(request) }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        .captured(reference: "slow_2")
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer { .released }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        let isFirst: Bool = state.withLock { state in
            state.asked += 1
            return state.asked == 1
        }
        guard isFirst else { throw .unavailable(409) }
        await withCheckedContinuation { waiting in state.withLock { $0.waiting = waiting } }
        return .refunded(reference: "slow_3")
    }
}

@Suite("Refunds that are repeated while they are made") struct RefundTwinTests {
    @Test("the twin is told that it is not known yet, and repeats are told what the first request was") func twin()
        async throws
    {
        let slow = SlowRefunds()
        try await withPayments(connections: 6, beside: [slow]) { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            for table: SQL in ["payments", "payment_attempts"] {
                try await world.execute("UPDATE \(table) SET provider = 'slow', provider_reference = 'slow_1'")
            }
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
}
