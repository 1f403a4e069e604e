import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentRouting
import PaymentService
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("Alarms of what providers answer") struct ProviderAlarmTests {
    /// A payment on its way to a provider of pages.
    private static func begun(_ world: PaymentWorld, isManual: Bool = false) async throws -> PaymentRecord {
        let body =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(await world.customer())","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/back","payer":{"country":"DE"}}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        let id: PaymentID = try world.id(reply)
        if isManual { try await world.execute("UPDATE payments SET capture_method = 'manual' WHERE id = \(id)") }
        let payment: PaymentRecord = try await world.payment(id)
        await world.decide(payment)
        return payment
    }

    /// A payment whose charge came to this.
    private static func settled(
        _ world: PaymentWorld, _ garbled: GarbledProvider, _ answer: ChargeAnswer, isManual: Bool = false
    ) async throws -> PaymentRecord {
        garbled.pages.begin(with: answer)
        return try await world.settled(begun(world, isManual: isManual).id)
    }

    @Test("the first answer to a charge counts, although the charge is read back well") func firstAnswer() async throws
    {
        let garbled = GarbledProvider("garbled_first")
        garbled.garble([.charge])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let answer = ChargeAnswer.captured(ProviderCharge(reference: "pg_1"))
            let paid: PaymentRecord = try await Self.settled(world, garbled, answer)
            #expect(paid.status == .succeeded)
            #expect(garbled.alarms(.charge) == 1 && garbled.alarms(.readBack) == 0)
        }
    }

    @Test(
        "a decline that refuses us, not who pays, counts as a rejected request does",
        arguments: [("provider_configuration", 1), ("insufficient_funds", 0)])
    func ours(code: String, alarms: Int) async throws {
        let garbled = GarbledProvider("garbled_\(code)")
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let failed: PaymentRecord = try await Self.settled(
                world, garbled, .declined(ProviderDecline(code: code)))
            #expect(failed.status == .failed && failed.declineCode == code)
            #expect(garbled.alarms(.charge) == alarms)
        }
    }

    /// Who reads a charge back.
    enum Reader: String, CaseIterable, Sendable { case sweeper, caller, webhook }

    @Test("whoever reads a charge back, its answer counts", arguments: Reader.allCases)
    func readBack(reader: Reader) async throws {
        let garbled = GarbledProvider("garbled_for_\(reader)")
        garbled.garble([.charge, .readBack])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let payment: PaymentRecord = try await Self.begun(world)
            try await eventually(within: .seconds(10), "it is asked about") { garbled.alarms(.readBack) == 1 }
            switch reader {
            case .sweeper: try await world.work.sweep.pass()
            case .caller: _ = try await world.work.sync(payment.id)
            case .webhook:
                await #expect(throws: ProviderFault.unusable("not JSON")) {
                    try await world.work.news.charge(payment.attemptID, known: nil, at: garbled.name)
                }
            }
            #expect(garbled.alarms(.charge) == 1 && garbled.alarms(.readBack) == 2)
            #expect(try await world.payment(payment.id).status == .processing)
        }
    }

    @Test("captures, releases and refunds count, though their callers are told that it is not known yet")
    func followUps() async throws {
        let garbled = GarbledProvider("garbled_follow_ups")
        garbled.garble([.capture, .release, .refund])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let held = ChargeAnswer.authorized(ProviderCharge(reference: "pg_1"))
            let taken: PaymentRecord = try await Self.settled(world, garbled, held, isManual: true)
            #expect(try await world.capture(taken.id).status == 202)
            let other = ChargeAnswer.authorized(ProviderCharge(reference: "pg_2"))
            let left: PaymentRecord = try await Self.settled(world, garbled, other, isManual: true)
            #expect(try await world.cancel(left.id).status == .canceling)
            let paid: PaymentRecord = try await Self.settled(
                world, garbled, .captured(ProviderCharge(reference: "pg_3")))
            #expect(try await world.refund(paid.id, nil).status == 202)
            for call in [ProviderCall.capture, .release, .refund] { #expect(garbled.alarms(call) == 1, "\(call)") }
        }
    }

    @Test(
        "a refund of the service's own that is refused counts each time it is asked for; one that somebody asks for does not"
    )
    func ownRefunds() async throws {
        let garbled = GarbledProvider("garbled_own_refunds")
        garbled.pages.refund(as: .refused(code: "insufficient_funds"))
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let paid: PaymentRecord = try await Self.settled(
                world, garbled, .captured(ProviderCharge(reference: "pg_1")))
            #expect(try await world.refund(paid.id, 100).status == 201)
            #expect(garbled.alarms(.refund) == 0)
            try await world.database.transaction { db in
                let payment: PaymentRecord? = try PaymentStore.lock(paid.id, in: db)
                _ = try RefundStore.reserveRest(
                    of: try #require(payment), reason: OwnRefund.ofEndedPayment, at: PaymentWorld.start, in: db)
            }
            for times in 1...3 {
                for _ in 0..<2 { try await world.work.sweep.pass() }
                #expect(garbled.alarms(.refund) == times)
                try await world.execute("UPDATE refunds_to_repeat SET next_at = now()")
            }
        }
    }

    @Test("a refund by which somebody gave back what nobody owes counts once when it comes back") func cameBack()
        async throws
    {
        let garbled = GarbledProvider("garbled_came_back")
        garbled.pages.refund(as: .refused(code: "insufficient_funds"))
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let paid: PaymentRecord = try await Self.settled(
                world, garbled, .captured(ProviderCharge(reference: "pg_1")))
            try await world.database.transaction { db in
                let payment: PaymentRecord? = try PaymentStore.lock(paid.id, in: db)
                _ = try RefundStore.reserveRest(
                    of: try #require(payment), reason: OwnRefund.ofEndedPayment, at: PaymentWorld.start, in: db)
            }
            for _ in 0..<2 { try await world.work.sweep.pass() }
            garbled.pages.refund(as: nil)
            #expect(try await world.refund(paid.id, nil).status == 201)
            try await world.execute("UPDATE refunds_to_repeat SET next_at = now()")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.number("SELECT count(*) FROM refunds_to_repeat") == 0)
            #expect(garbled.alarms(.refund) == 1)
            let made: [String] = try await world.texts("SELECT id FROM refunds WHERE status = 'succeeded'")
            let refund = RefundID(unchecked: try #require(made.first))
            for _ in 0..<2 {
                try await world.database.transaction { db in
                    _ = try BounceRefund.undo(refund, code: "account_closed", at: PaymentWorld.start, in: db)
                }
            }
            #expect(garbled.alarms(.refund) == 2)
        }
    }

    @Test("a hold whose time is over, and that its provider does not let go, counts") func heldForEver() async throws {
        let garbled = GarbledProvider("garbled_hold")
        garbled.pages.refuseReleases()
        garbled.pages.hold(true)
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let end = Instant(seconds: PaymentWorld.start.seconds + 86_400)
            let answer = ChargeAnswer.authorized(ProviderCharge(reference: "pg_1", expiresAt: end))
            let payment: PaymentRecord = try await Self.settled(world, garbled, answer, isManual: true)
            world.clock.set(end)
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceling)
            #expect(garbled.alarms(.release) == 1)
        }
    }

    @Test("kept methods count, when they are kept and when they are removed; a token that is not taken does not")
    func methods() async throws {
        let garbled = GarbledProvider("garbled_methods")
        garbled.garble([.method])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let body =
                #"{"customer_id":"\#(await world.customer())","type":"sepa_debit","provider":"\#(garbled.name)","#
                + #""token":"pm_1","acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}}"#
            let reply: Reply<PaymentMethodResource> = try await world.work.attach(
                world.call("/v1/payment_methods", body: body), world.read(body))
            #expect(reply.status == 202 && garbled.alarms(.method) == 1)
            let id = PaymentMethodID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? "")
            _ = try await world.database.transaction { db in
                try world.work.remove.detach(id, at: PaymentWorld.start, in: db)
            }
            try await world.work.remove.pass()
            #expect(garbled.alarms(.method) == 2)
            garbled.garble([])
            garbled.pages.fail(with: .rejected(code: "token_malformed"))
            let refused: Reply<PaymentMethodResource> = try await world.work.attach(
                world.call("/v1/payment_methods", body: body), world.read(body))
            #expect(try parseJSON(refused.body)["status"]?.stringValue == "failed")
            #expect(garbled.alarms(.method) == 2)
        }
    }

    @Test("news of disputes counts, and a dispute that its provider does not know") func disputes() async throws {
        let garbled = GarbledProvider("garbled_disputes")
        garbled.garble([.dispute])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            try await world.disputes.follow.pass()
            #expect(garbled.alarms(.dispute) == 1)
            garbled.garble([])
            try await world.database.transaction { db in
                try DisputeReadingStore.note(["dp_1"], at: garbled.name, in: db)
            }
            try await world.disputes.follow.pass()
            #expect(garbled.alarms(.dispute) == 2)
        }
    }

    @Test("a dispute that contradicts what is booked counts at once, one of an unknown charge after some tries")
    func contradictions() async throws {
        let garbled = GarbledProvider("garbled_contradictions")
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let answer = ChargeAnswer.captured(ProviderCharge(reference: "pg_1"))
            let paid: PaymentRecord = try await Self.settled(world, garbled, answer)
            func stand(_ currency: Currency, taken: String = "pg_1") {
                garbled.dispute(
                    ProviderDispute(
                        reference: "dp_1", taken: taken, paymentID: paid.id,
                        amount: Money(minor: 1_299, currency: currency), fee: nil, reason: "fraudulent",
                        stage: .needsResponse, openedAt: PaymentWorld.start,
                        evidenceDueBy: Instant(seconds: PaymentWorld.start.seconds + 86_400)))
            }
            stand(.usd)
            try await world.database.transaction { db in
                try DisputeReadingStore.note(["dp_1"], at: garbled.name, in: db)
            }
            try await world.disputes.follow.pass()
            #expect(garbled.alarms(.dispute) == 1)
            stand(.eur, taken: "pg_other")
            for _ in 0..<4 { try await world.disputes.follow.pass() }
            #expect(garbled.alarms(.dispute) == 1, "the charge may not be recorded yet")
            try await world.disputes.follow.pass()
            #expect(garbled.alarms(.dispute) == 2)
            stand(.eur)
            try await world.disputes.follow.pass()
            let dispute: DisputeRecord = try #require(try await world.disputes(of: paid.id).first)
            // The answer to evidence is held against what is booked like any other news.
            stand(.usd)
            try await world.contest(dispute.id)
            try await world.disputes.follow.pass()
            #expect(garbled.alarms(.dispute) == 3)
            #expect(try await world.texts("SELECT status FROM dispute_responses") == ["processing"])
            #expect(try await world.status(dispute.id) == .needsResponse)
        }
    }

    @Test(
        "a dispute that can be appealed against at the provider's own pages counts, though nothing of it changes here")
    func appeals() async throws {
        let garbled = GarbledProvider("garbled_appeals")
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let answer = ChargeAnswer.captured(ProviderCharge(reference: "pg_1"))
            let paid: PaymentRecord = try await Self.settled(world, garbled, answer)
            let due: Instant = PaymentWorld.start + .seconds(86_400)
            let cases: [(appealDueBy: Instant?, alarms: Int)] = [(nil, 0), (due, 1), (PaymentWorld.start, 1)]
            for (appealDueBy, alarms) in cases {
                garbled.dispute(
                    ProviderDispute(
                        reference: "dp_1", taken: "pg_1", paymentID: paid.id,
                        amount: Money(minor: 1_299, currency: .eur), fee: nil, reason: "fraudulent",
                        stage: .underReview, openedAt: PaymentWorld.start, evidenceDueBy: nil,
                        changedAt: PaymentWorld.start, appealDueBy: appealDueBy))
                try await world.database.transaction { db in
                    try DisputeReadingStore.note(["dp_1"], at: garbled.name, in: db)
                }
                try await world.disputes.follow.pass()
                #expect(garbled.alarms(.dispute) == alarms)
                #expect(try await world.number("SELECT count(*) FROM dispute_readings") == 0)
            }
            let dispute: DisputeRecord = try #require(try await world.disputes(of: paid.id).first)
            #expect(dispute.status == .underReview)
            await #expect(throws: RespondToDispute.Failure.state(.underReview)) { try await world.contest(dispute.id) }
        }
    }

    @Test("settlement lines count") func settlements() async throws {
        let garbled = GarbledProvider("garbled_settlements")
        garbled.garble([.settlement])
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let settling: [any ProviderSettlements] = world.providers.beneath.compactMap {
                $0 as? any ProviderSettlements
            }
            let reconcile: ReconcileProviders = world.reconciliation(settling)
            try await reconcile.pass()
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(garbled.alarms(.settlement) > 0)
        }
    }

    @Test("what else a provider is asked counts, too") func otherCalls() async throws {
        let garbled = GarbledProvider("garbled_others")
        garbled.garble(Set(ProviderCall.allCases))
        let providers = PaymentProviders([garbled.alarmed()])
        let charging: any PaymentProvider = try providers.named(garbled.name)
        let account = BankAccount(
            iban: try IBAN("DE89370400440532013000"), holder: "Ada", email: "a@example.com")
        let taker: any ProviderBankAccounts = try #require(providers.bankAccounts(garbled.name))
        let disputing: any ProviderDisputes = try providers.disputing(garbled.name)
        let request = ChargeRequest(
            idempotencyKey: .new(at: PaymentWorld.start), paymentID: .new(at: PaymentWorld.start),
            source: .stored(token: "t", providerCustomer: nil), amount: Money(minor: 100, currency: .eur))
        let evidence = EvidenceRequest(
            idempotencyKey: .new(at: PaymentWorld.start), reference: "dp_1", evidence: DisputeEvidence())
        let fault = ProviderFault.unusable("not JSON")
        await #expect(throws: fault) { _ = try await charging.lookUp(request) }
        await #expect(throws: fault) { _ = try await charging.holds("pg_1") }
        await #expect(throws: fault) { _ = try await charging.refund(named: "pr_1") }
        await #expect(throws: fault) { _ = try await taker.token(of: account, as: .new(at: PaymentWorld.start)) }
        await #expect(throws: fault) { _ = try await disputing.submitEvidence(evidence) }
        let counted: [Int] = [ProviderCall.readBack, .refund, .method, .dispute].map { garbled.alarms($0) }
        #expect(counted == [2, 1, 1, 1])
    }

    @Test("an answer that comes too late for its caller is heard all the same") func lateAnswer() async throws {
        let garbled = GarbledProvider("garbled_late", isLate: true)
        garbled.garble([.charge])
        let catalogue = ProviderCatalogue([
            ProviderProfile(
                name: garbled.name, capabilities: garbled.capabilities,
                limits: ProviderProfile.Limits(timeout: .milliseconds(1)))
        ])
        let health = ProviderHealth(
            catalogue, redis: nil, instance: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let providers = PaymentProviders(guarding: [garbled], as: catalogue, health: health)
        let request = ChargeRequest(
            idempotencyKey: .new(at: PaymentWorld.start), paymentID: .new(at: PaymentWorld.start),
            source: .stored(token: "t", providerCustomer: nil), amount: Money(minor: 100, currency: .eur))
        await #expect(throws: ProviderFault.timedOut) {
            _ = try await providers.named(garbled.name).charge(request)
        }
        try await eventually(within: .seconds(10), "it is heard") { garbled.alarms(.charge) == 1 }
    }

    /// Log lines as they are written.
    private final class Lines: Sendable {
        private let written = Mutex<[String]>([])

        var all: [String] { written.withLock { $0 } }

        func logger() -> Logger {
            Logger(label: "test") { label in
                JSONLogHandler(
                    service: "payment", label: label,
                    sink: LogSink { line in
                        let text = String(decoding: line, as: UTF8.self)
                        self.written.withLock { $0.append(text) }
                    })
            }
        }
    }

    @Test("every alarm is counted; one in a minute of each provider and call is written, and all singular ones")
    func lines() {
        let (metrics, lines): (Metrics, Lines) = (Metrics(), Lines())
        let alarms = ProviderAlarms(metrics: metrics, logger: lines.logger())
        let start: ContinuousClock.Instant = .now
        let fault = ProviderFault.unusable("order.status")
        alarms.note(fault, of: "a", on: .charge, at: start)
        alarms.note(fault, of: "a", on: .charge, at: start.advanced(by: .seconds(59)))
        #expect(lines.all.count == 1)
        alarms.note(fault, of: "a", on: .refund, at: start)
        alarms.note(.unauthorized(code: "401"), of: "b", on: .charge, at: start)
        alarms.note(fault, of: "a", on: .charge, at: start.advanced(by: .seconds(60)))
        #expect(lines.all.count == 4)
        for ordinary in [ProviderFault.timedOut, .notSent("-"), .unavailable(503), .rateLimited(retryAfter: nil)] {
            alarms.note(ordinary, of: "c", on: .charge, at: start)
        }
        alarms.note(.rejected(code: "token_malformed"), of: "c", on: .method, at: start)
        #expect(lines.all.count == 4)
        for _ in 0..<2 { alarms.note(fault, of: "a", on: .capture, isSingular: true, at: start) }
        #expect(lines.all.count == 6, "what is never asked about again has its line in any case")
        alarms.note(.rejected(code: String(repeating: "x", count: 100_000)), of: "c", on: .capture, at: start)
        #expect(lines.all.last.map { $0.utf8.count < 1_000 } == true, "a provider's word fills no log")
        #expect(lines.all.allSatisfy { $0.contains(#""level":"error""#) && $0.contains(#""provider":"#) })
        let counts: [Int] = [("a", "charge"), ("a", "refund"), ("b", "charge"), ("c", "charge"), ("c", "capture")].map {
            metrics.counter("provider_alarms_total", labels: ["provider": $0.0, "call": $0.1]).value
        }
        #expect(counts == [3, 1, 1, 0, 1])
    }
}
