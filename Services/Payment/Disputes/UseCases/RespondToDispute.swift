package import BillingCore
package import HTTPKit
import PaymentContract
package import PaymentDomain
package import Postgres

/// Contests a dispute or gives in: the response is stored, then the provider is asked under its id, then its word is
/// booked. Whatever happens in between, a `processing` response is taken up again until the provider has spoken.
package struct RespondToDispute: Sendable {
    /// Why it is refused. Nothing is stored then.
    package enum Failure: Error, Equatable {
        case notFound(DisputeID)
        case state(DisputeStatus)
        case overdue(Instant)
        case underWay
        case noEvidence
        case tooMuchEvidence
    }

    let providers: PaymentProviders
    let pool: PostgresPool
    let clock: any WallClock

    /// Keeps evidence and, when the caller says so, has it handed in.
    /// - Returns: 200 with the dispute, or 202 when the evidence is on its way to the provider.
    /// - Throws: ``Failure``.
    package static func contest(
        _ id: DisputeID, _ input: SubmitEvidenceInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Reply<DisputeResource> {
        let dispute: DisputeRecord = try open(id, in: db)
        guard dispute.status.takesEvidence else { throw Failure.state(dispute.status) }
        guard let due: Instant = dispute.evidenceDueBy else { throw Failure.state(dispute.status) }
        guard now < due else { throw Failure.overdue(due) }
        let evidence: DisputeEvidence = dispute.evidence.with(input.texts)
        guard evidence.length <= DisputeEvidence.maxLength else { throw Failure.tooMuchEvidence }
        guard !(input.isSubmitted && evidence.isEmpty) else { throw Failure.noEvidence }
        try DisputeStore.keep(evidence, for: id, in: db)
        if input.isSubmitted { try store(.evidence, evidence, to: id, at: now, in: db) }
        return try reply(id, isUnderWay: input.isSubmitted, in: db)
    }

    /// Has the provider told that the dispute is accepted.
    /// - Returns: 202 with the dispute.
    /// - Throws: ``Failure``.
    package static func accept(
        _ id: DisputeID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Reply<DisputeResource> {
        let dispute: DisputeRecord = try open(id, in: db)
        guard dispute.status.phase == .dispute else { throw Failure.state(dispute.status) }
        try store(.acceptance, DisputeEvidence(), to: id, at: now, in: db)
        return try reply(id, isUnderWay: true, in: db)
    }

    /// A dispute, locked, to which nothing is being said at the moment.
    private static func open(_ id: DisputeID, in db: borrowing PostgresTransaction) throws -> DisputeRecord {
        guard let dispute: DisputeRecord = try DisputeStore.lock(id, in: db) else { throw Failure.notFound(id) }
        let last: DisputeResponseRecord? = try DisputeResponseStore.last(of: [id], in: db)[id]
        guard last?.status != .processing else { throw Failure.underWay }
        return dispute
    }

    private static func store(
        _ kind: DisputeResponseRecord.Kind, _ evidence: DisputeEvidence, to id: DisputeID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        let response = DisputeResponseRecord(id: .new(at: now), disputeID: id, kind: kind, evidence: evidence)
        try DisputeResponseStore.insert(response, at: now, in: db)
    }

    private static func reply(
        _ id: DisputeID, isUnderWay: Bool, in db: borrowing PostgresTransaction
    ) throws -> Reply<DisputeResource> {
        guard let dispute: DisputeRecord = try DisputeStore.find(id, in: db) else { throw Failure.notFound(id) }
        let last: DisputeResponseRecord? = try DisputeResponseStore.last(of: [id], in: db)[id]
        return Reply(status: isUnderWay ? 202 : 200, DisputeResource(dispute, last))
    }

    /// Asks the provider and books its word; harmless to repeat.
    /// - Throws: ``ProviderFault`` while the outcome is not known; ``RecordDispute/Refusal`` where the provider's word cannot
    ///   be booked, which raises an alarm.
    package func finish(_ id: DisputeResponseID) async throws {
        let read: (response: DisputeResponseRecord, dispute: DisputeRecord)? =
            try await pool.transaction(readOnly: true) { db in
                guard let response: DisputeResponseRecord = try DisputeResponseStore.find(id, in: db),
                    let dispute: DisputeRecord = try DisputeStore.find(response.disputeID, in: db)
                else { return nil }
                return (response, dispute)
            }
        guard let (response, dispute) = read, response.status == .processing else { return }
        let answer: DisputeAnswer = try await ask(response, of: dispute)
        let now: Instant = clock.now
        do {
            try await pool.transactionRetrying { db in
                switch answer {
                case .standing(let told):
                    try RecordDispute.record(told, from: dispute.provider, at: now, in: db)
                    try DisputeResponseStore.settle(id, failureCode: nil, in: db)
                case .refused(let code):
                    try DisputeResponseStore.settle(id, failureCode: code, in: db)
                    // The provider may know more of it than we do.
                    try DisputeReadingStore.note([dispute.reference], at: dispute.provider, in: db)
                }
            }
        } catch let refusal as RecordDispute.Refusal {
            refusal.alarm(about: dispute.reference, at: dispute.provider)
            throw refusal
        }
    }

    private func ask(
        _ response: DisputeResponseRecord, of dispute: DisputeRecord
    ) async throws(ProviderFault) -> DisputeAnswer {
        let provider: any ProviderDisputes = try providers.disputing(dispute.provider)
        switch response.kind {
        case .evidence:
            return try await provider.submitEvidence(
                EvidenceRequest(
                    idempotencyKey: response.id, reference: dispute.reference, evidence: response.evidence))
        case .acceptance:
            return try await provider.acceptDispute(
                DisputeAcceptance(idempotencyKey: response.id, reference: dispute.reference))
        }
    }
}

extension RespondToDispute.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound(let id): .notFound("dispute", id.rawValue)
        case .state(let status):
            .conflict("dispute_state", "A dispute that is \(status.rawValue) cannot be answered so.")
        case .overdue(let due): .conflict("evidence_overdue", "Evidence had to be in by \(due.rfc3339).")
        case .underWay: .conflict("dispute_response_in_progress", "The last response is still on its way.")
        case .noEvidence: .invalid("submit", code: "no_evidence", "there is no evidence to hand in")
        case .tooMuchEvidence:
            .invalid(
                "", code: "too_long",
                "all evidence together must have at most \(DisputeEvidence.maxLength) characters")
        }
    }
}
