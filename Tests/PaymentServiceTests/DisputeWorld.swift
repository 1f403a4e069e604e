import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import TestKit

extension ScriptedProvider: ProviderDisputes {
    var disputesPolledEvery: Duration { .zero }

    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try await moody { () throws(ProviderFault) in try await sandbox.readDispute(reference) }
    }

    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        try await moody { () throws(ProviderFault) in try await sandbox.submitEvidence(request) }
    }

    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        try await moody { () throws(ProviderFault) in try await sandbox.acceptDispute(request) }
    }

    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        try await moody { () throws(ProviderFault) in try await sandbox.changedDisputes(since: cursor) }
    }
}

/// Cards that dispute.
enum Disputing {
    static let fraudulent = "4000000000000259"
    static let notReceived = "4000000000002685"
    static let inquiry = "4000000000001976"
}

extension PaymentWorld {
    /// Lets business time pass and the disputes part look.
    func pass(days: Int64 = 0, hours: Int64 = 0) async throws {
        clock.advance(by: .seconds(days * 86_400 + hours * 3_600))
        // News, then what it tells of.
        for _ in 0..<2 { try await disputes.follow.pass() }
    }

    /// What the sandbox says by itself of refunds and debits.
    var sandboxWords: FollowSandbox {
        FollowSandbox(
            due: SandboxDue(pool: database, clock: clock, of: ["sandbox", SandboxLocalProvider.name]), news: work.news,
            logger: logger)
    }

    func disputes(of payment: PaymentID? = nil) async throws -> [DisputeRecord] {
        try await database.transaction(readOnly: true) { db in
            try DisputeStore.list(payment: payment, customer: nil, status: nil, after: nil, limit: 100, in: db)
        }
    }

    /// A payment with a card that disputes, a day later.
    func disputed(_ card: String = Disputing.fraudulent, amount: Int64 = 2_000) async throws -> (
        payment: PaymentRecord, dispute: DisputeRecord
    ) {
        let payment: PaymentRecord = try await paid(payer(card), amount: amount)
        try await pass(days: 1)
        guard let dispute: DisputeRecord = try await disputes(of: payment.id).first else { throw Absent() }
        return (try await self.payment(payment.id), dispute)
    }

    /// `POST /v1/disputes/{id}/evidence`.
    @discardableResult
    func contest(_ id: DisputeID, _ text: String = "winning_evidence", submit: Bool = true) async throws -> JSONValue {
        let input: SubmitEvidenceInput = try read(#"{"uncategorized_text":"\#(text)","submit":\#(submit)}"#)
        let now: Instant = clock.now
        let reply: Reply<DisputeResource> = try await database.transaction { db in
            try RespondToDispute.contest(id, input, at: now, in: db)
        }
        return try parseJSON(reply.body)
    }

    /// `POST /v1/disputes/{id}/accept`.
    func accept(_ id: DisputeID) async throws {
        let now: Instant = clock.now
        try await database.transaction { db in _ = try RespondToDispute.accept(id, at: now, in: db) }
    }

    func status(_ id: DisputeID) async throws -> DisputeStatus? {
        try await disputes().first { $0.id == id }?.status
    }

    /// What the test clock would wait for at this world's time.
    func inFlight() async throws -> Int64 {
        let now: Instant = clock.now
        return try await database.transaction { db in
            try setTestClock(to: now, in: db)
            return try PaymentAssembly.inFlight(db)
        }
    }

    /// Lets a provider's word come in.
    @discardableResult
    func hear(_ told: ProviderDispute) async throws -> DisputeRecord {
        let now: Instant = clock.now
        return try await database.transaction { db in
            try RecordDispute.record(told, from: "sandbox", at: now, in: db)
        }
    }

    /// A dispute of a payment in a provider's words.
    func told(
        _ payment: PaymentRecord, _ stage: DisputeStatus, reference: String = "dp_1", amount: Int64? = nil,
        fee: Int64? = 1_500, changedAt: Instant? = nil
    ) -> ProviderDispute {
        ProviderDispute(
            reference: reference, taken: "ch_\(payment.attemptID)", paymentID: payment.id,
            amount: Money(minor: amount ?? payment.amountCaptured, currency: payment.amount.currency),
            fee: fee.map { Money(minor: $0, currency: .usd) }, reason: "fraudulent", stage: stage,
            openedAt: Self.start,
            evidenceDueBy: stage.takesEvidence ? Instant(seconds: Self.start.seconds + 86_400) : nil,
            changedAt: changedAt)
    }
}
