import BillingCore
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Disputes at several providers") struct DisputeFollowingTests {
    @Test("a provider that does not answer holds up no other's disputes, and is not asked the same by another instance")
    func silent() async throws {
        let silent = SilentProvider()
        try await withPayments(connections: 8, beside: [silent]) { world in
            // What waits for the silent one has waited longer.
            let (_, stuck) = try await world.disputed()
            try await world.execute("UPDATE disputes SET provider = \(silent.name) WHERE id = \(stuck.id)")
            try await world.contest(stuck.id)
            try await world.database.transaction { db in
                try DisputeReadingStore.note(["dp_other"], at: silent.name, in: db)
            }
            let payment: PaymentRecord = try await world.paid(world.payer(Disputing.fraudulent), amount: 2_000)
            world.clock.advance(by: .seconds(86_400))
            let looks = Looks(world.disputes.follow.looks, world.database)
            let clock = OffsetClock(system: world.clock)
            let running = Task { await BackgroundLoop.run(looks.loops, on: clock, world.logger) }
            defer { running.cancel() }
            try await eventually(within: .seconds(10), "the other's dispute is booked") {
                try await world.disputes(of: payment.id).count == 1
            }
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            try await world.contest(dispute.id, "the parcel was signed for")
            try await eventually(within: .seconds(10), "the other's evidence is handed in") {
                try await world.status(dispute.id) == .underReview
            }
            let taken: SQL = """
                SELECT (SELECT count(*) FROM dispute_readings WHERE tries = 1 AND due_at > now() + interval '4 minutes')
                    + (SELECT count(*) FROM dispute_responses
                        WHERE status = 'processing' AND looks = 1 AND due_at > now() + interval '4 minutes')
                """
            try await eventually(within: .seconds(10), "the silent one is asked both") {
                try await world.number(taken) == 2
            }
            let other = PaymentWorld(world.database, beside: [silent])
            other.clock.advance(by: world.clock.now - other.clock.now)
            try await other.disputes.follow.pass()
            #expect(try await world.number(taken) == 2, "it was asked once")
            running.cancel()
            await running.value
        }
    }

    @Test("what is to be read from a provider that is not configured any more says so, and is tried again")
    func gone() async throws {
        try await withPayments { world in
            try await world.database.transaction { db in try DisputeReadingStore.note(["dp_1"], at: "gone", in: db) }
            try await world.disputes.follow.pass()
            let faults: [String] = try await world.texts("SELECT fault FROM dispute_readings")
            #expect(faults.count == 1 && faults[0].contains("gone has no disputes"))
            try await world.disputes.follow.pass()
            #expect(try await world.number("SELECT tries FROM dispute_readings") == 2)
        }
    }
}

/// A provider that hears what it is asked about disputes, and does not answer.
private struct SilentProvider: ProviderDisputes {
    let name = "silent"
    let pages = PagesProvider(name: "silent", methods: [])
    let disputesPolledEvery: Duration = .zero
    let longestDisputeCall: Duration = .seconds(300)
    var capabilities: ProviderCapabilities { pages.capabilities }

    /// Comes back when nobody waits any more.
    private func fault() async -> ProviderFault {
        try? await Task.sleep(for: .seconds(3_600))
        return .timedOut
    }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await pages.charge(request)
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await pages.outcome(of: request)
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try await pages.capture(request)
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await pages.release(request)
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await pages.refund(request)
    }

    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? { throw await fault() }

    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        throw await fault()
    }

    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        throw await fault()
    }

    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        ChangedDisputes(references: [], cursor: nil)
    }
}
