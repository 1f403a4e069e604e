import BillingCore
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentReconciliation
import Postgres
import TestKit
import Testing

/// The days after the storm: customers object, merchants answer, banks decide, and the provider reports each day and
/// pays out. Two daemons, whose clocks are minutes apart, do all of it at once while transactions break.
struct MatrixDays {
    /// Longer than any dispute and payout takes.
    private static let days = 12

    private let database: PostgresPool
    private let daemons: [PaymentWorld]

    init(_ database: PostgresPool) {
        self.database = database
        daemons = (0...1).map { _ in PaymentWorld(database) }
        daemons[1].clock.advance(by: .seconds(180))
    }

    func pass(_ random: inout Seeded) async throws {
        for day in 1...Self.days {
            // Reports are booked by the hundred: a strong wind breaks them all.
            let wind: Double = day == Self.days ? 0 : day.isMultiple(of: 2) ? 0.01 : 0.000_5
            try await DatabaseStorm.blow(wind, in: database)
            for daemon in daemons { daemon.clock.advance(by: .seconds(86_400)) }
            try await look()
            for dispute in try await daemons[0].disputes() {
                try await answer(dispute, Int.random(in: 0..<12, using: &random))
            }
        }
        try await look()
        try await compare()
    }

    /// Both look at everything, as often as a day's work needs where some of it breaks.
    private func look() async throws {
        for _ in 0..<6 {
            await withTaskGroup(of: Void.self) { group in
                for daemon in daemons {
                    group.addTask {
                        try? await daemon.disputes.follow.pass()
                        try? await daemon.reconciliation().pass()
                    }
                }
            }
        }
    }

    /// Now and then the merchant says something to a dispute, and some of that breaks, too.
    private func answer(_ dispute: DisputeRecord, _ drawn: Int) async throws {
        do {
            switch drawn {
            case 0: try await daemons[0].contest(dispute.id, "winning_evidence")
            case 1: try await daemons[1].contest(dispute.id, "losing_evidence")
            case 2: try await daemons[1].accept(dispute.id)
            default: break
            }
        } catch is RespondToDispute.Failure {} catch is PostgresError {}
    }

    /// Every dispute is decided and booked as the provider has it, every payout has arrived or is on its way.
    private func compare() async throws {
        let world: PaymentWorld = daemons[0]
        #expect(try await world.texts("SELECT reference FROM dispute_readings").isEmpty)
        #expect(try await world.texts("SELECT id FROM dispute_responses WHERE status = 'processing'").isEmpty)
        let open: [String] = try await world.texts(
            "SELECT reference || ' ' || status FROM disputes WHERE status NOT IN ('won', 'lost', 'closed', 'under_review')"
        )
        #expect(open.isEmpty)
        let waiting: [String] = try await world.texts(
            "SELECT line_id || ' ' || kind || ' ' || state FROM settlement_lines WHERE state <> 'matched'")
        #expect(waiting.isEmpty, "\(waiting.prefix(10)) of \(waiting.count)")
        #expect(
            try await world.texts("SELECT reason || ' ' || amount FROM reconciliation_cases WHERE state = 'open'")
                .isEmpty)
        let unlike: [String] = try await world.texts(
            """
            SELECT currency || ' ' || sum(amount) FROM (
                SELECT currency, amount FROM sandbox_payouts
                UNION ALL SELECT currency, -amount FROM journal_lines
                WHERE account IN ('assets:bank', 'assets:payouts_in_transit')) AS both_books
            GROUP BY currency HAVING sum(amount) <> 0
            """)
        #expect(unlike.isEmpty)
        let standing: [String] = try await world.texts(
            """
            SELECT 'disputes ' || status || ' ' || count(*) FROM disputes GROUP BY status
            UNION ALL SELECT kind || ' ' || count(*) FROM settlement_lines GROUP BY kind ORDER BY 1
            """)
        print("sandbox: \(standing.joined(separator: ", "))")
        #expect(try await world.number("SELECT count(*) FROM sandbox_payouts") > 0)
    }
}
