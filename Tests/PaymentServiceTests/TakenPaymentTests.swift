import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import TestKit
import Testing

/// A provider that rejects what it is asked for, after something has happened.
private final class RejectingProvider: PaymentProvider {
    let name = "pages"
    let capabilities = PagesProvider().capabilities
    private let before = Mutex<(@Sendable () async throws -> Void)?>(nil)
    private let asked = Atomic<Int>(0)

    var charges: Int { asked.load(ordering: .relaxed) }
    func first(_ work: @escaping @Sendable () async throws -> Void) { before.withLock { $0 = work } }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        let work: (@Sendable () async throws -> Void)? = before.withLock { $0 }
        do { try await work?() } catch { throw .timedOut }
        asked.add(1, ordering: .relaxed)
        throw .rejected(code: "no_such_account")
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer { throw .timedOut }
    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer { throw .timedOut }
    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer { throw .timedOut }
    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer { throw .timedOut }
}

@Suite("Payments that several may ask about") struct TakenPaymentTests {
    private func create(_ world: PaymentWorld) async throws -> PaymentRecord {
        let body =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(await world.customer())","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/back","payer":{"country":"DE"}}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        return try await world.payment(world.id(reply))
    }

    @Test(
        "asking what became of one that is processing is a step: who set out to ask before does not go on elsewhere",
        arguments: [true, false])
    func sync(byAttempt: Bool) async throws {
        try await withPayments { world in
            world.provider.turn(.away)
            let payment: PaymentRecord = try await world.created(world.payer())
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked") { world.provider.charges == 1 }
            try await world.execute("UPDATE payments SET stepped_at = now() - interval '1 hour'")
            if byAttempt {
                await #expect(throws: ProviderFault.timedOut) {
                    try await world.work.sync(attempt: payment.attemptID)
                }
            } else {
                #expect(try await world.work.sync(payment.id).payment.status == .processing)
            }
            #expect(
                try await world.number("SELECT count(*) FROM payments WHERE stepped_at > now() - interval '1 minute'")
                    == 1)
        }
    }

    @Test(
        "a rejected request fails the payment, unless somebody else has taken it meanwhile: they may have asked, too",
        arguments: [false, true])
    func rejected(isTaken: Bool) async throws {
        let provider = RejectingProvider()
        try await withPayments(beside: [provider]) { world in
            let payment: PaymentRecord = try await create(world)
            if isTaken {
                provider.first { try await world.execute("UPDATE payments SET stepped_at = clock_timestamp()") }
            }
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked") { provider.charges == 1 }
            if isTaken {
                try await world.work.sweep.pass()
                #expect(try await world.payment(payment.id).status == .processing)
                #expect(try await world.published("payment.failed.v1") == 0)
            } else {
                let failed: PaymentRecord = try await world.settled(payment.id)
                #expect(failed.status == .failed && failed.declineCode == "provider_configuration")
            }
        }
    }

    @Test("a provider that refuses to release a hold whose time is over is asked what it holds, and nothing is guessed")
    func refusedRelease() async throws {
        let pages = PagesProvider()
        let end = Instant(seconds: PaymentWorld.start.seconds + 86_400)
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_1", expiresAt: end)))
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await create(world)
            try await world.execute("UPDATE payments SET capture_method = 'manual'")
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .authorized)
            pages.refuseReleases()
            world.clock.set(end)
            for held: Bool? in [nil, true] {
                pages.hold(held)
                try await world.execute("UPDATE payments SET look_at = now()")
                try await world.work.sweep.pass()
                #expect(try await world.payment(payment.id).status == .canceling, "taken by hand, for all we know")
            }
            #expect(
                try await world.violations()
                    == ["1 holds whose time is over and that their provider does not release"])
            let asked: Int = pages.asked
            try await world.work.sweep.pass()
            #expect(pages.asked == asked, "it is asked ever more rarely")
            pages.hold(false)
            try await world.execute("UPDATE payments SET look_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a challenge that nobody passes in time fails, where no page and no issuer's word ends it")
    func leftChallenge()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer("4000002500003155"))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .requiresAction)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 86_399))
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .requiresAction)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 86_400))
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .authenticationFailed)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.confirm(payment.id, passed: nil).status == .created, "the customer may try again")
            #expect(try await world.violations() == [])
        }
    }
}
