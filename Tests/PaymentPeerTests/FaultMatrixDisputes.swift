import BillingCore
import HTTPKit
import PaymentDisputes
import PaymentRecords
import PaymentService
import Postgres
import TestKit

/// A customer who objects to a payment at their bank.
struct MatrixObjection: Sendable {
    /// What the merchant says to it.
    enum Answer: CaseIterable { case evidence, acceptance, nothing }
    /// What the bank decides while the storm blows.
    enum Verdict: CaseIterable { case won, lost, none }

    /// How much of what was taken, in percent.
    let percent: Int64
    /// The bank asks first and takes no money.
    let isInquiry: Bool
    let answer: Answer
    let verdict: Verdict

    static func draw(_ random: inout Seeded) -> MatrixObjection {
        MatrixObjection(
            percent: Bool.random(using: &random) ? 100 : Int64.random(in: 10...90, using: &random),
            isInquiry: Int.random(in: 0..<4, using: &random) == 0,
            answer: Answer.allCases[Int.random(in: 0..<3, using: &random)],
            verdict: Verdict.allCases[Int.random(in: 0..<3, using: &random)])
    }
}

extension MatrixStage {
    /// The customer objects, the merchant answers once the dispute is known here, and the bank decides.
    func object(_ story: MatrixStory, _ payment: PaymentRecord) async throws {
        guard let objection: MatrixObjection = story.objection,
            let taken: String = try await taken(payment.id)
        else { return }
        let amount = Money(
            minor: max(1, payment.amountCaptured * objection.percent / 100), currency: payment.amount.currency)
        // The double may be at its worst: then nobody has objected.
        guard let reference = try? await world.peer.dispute(taken, amount, isInquiry: objection.isInquiry) else {
            return
        }
        guard try await answer(story, objection, reference) else { return }
        if objection.verdict != .none {
            try? await world.peer.decide(reference, isWon: objection.verdict == .won)
        }
    }

    /// - Returns: Whether the merchant has said what there is to say.
    private func answer(
        _ story: MatrixStory, _ objection: MatrixObjection, _ reference: String
    ) async throws -> Bool {
        if objection.answer == .nothing { return true }
        guard let id: DisputeID = try await known(reference) else { return false }
        let world: FaultMatrixWorld = world
        let evidence: SubmitEvidenceInput = try world.read(#"{"uncategorized_text":"It arrived.","submit":true}"#)
        _ = try await twins(story) {
            try await ask(story) { daemon in
                let now: Instant = daemon.clock.now
                return try await daemon.pool.transaction { db in
                    switch objection.answer {
                    case .evidence: _ = try RespondToDispute.contest(id, evidence, at: now, in: db)
                    case .acceptance: _ = try RespondToDispute.accept(id, at: now, in: db)
                    case .nothing: break
                    }
                }
            }
        }
        for _ in 0..<100 {
            let open: Int64 = try await world.number(
                "SELECT count(*) FROM dispute_responses WHERE dispute_id = \(id) AND status = 'processing'")
            if open == 0 { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// Our dispute of the provider's name; `nil` when it takes too long to be heard of.
    private func known(_ reference: String) async throws -> DisputeID? {
        for turn in 0..<250 {
            // Nobody waits for the minute after which a provider is asked again.
            if turn % 25 == 0 {
                try await world.execute("UPDATE dispute_cursors SET polled_at = polled_at - interval '1 minute'")
            }
            let ids: [String] = try await world.texts("SELECT id FROM disputes WHERE reference = \(reference)")
            if let id: String = ids.first { return DisputeID(id) }
            try await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }
}
