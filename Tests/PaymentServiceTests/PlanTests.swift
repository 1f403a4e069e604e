import PaymentContract
import PaymentRecords
import BillingCore
import PaymentDomain
import PaymentService
import Postgres
import Testing

@Suite("How Payment's hot statements find their rows") struct PlanTests {
    @Test("a verdict and an outcome find their payment by its key, not among all payments in flight")
    func byKey() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.created(customer)
            // Thousands of payments that are over, as the planner sees a service at work: few in flight.
            try await world.execute(
                """
                INSERT INTO payments SELECT (p).* FROM (
                    SELECT jsonb_populate_record(p, jsonb_build_object('id', p.id || n, 'status', 'succeeded')) AS p
                    FROM payments p, generate_series(1, 3000) n) AS copies
                """)
            try await world.execute("ANALYZE payments")
            let verdict = Verdict(
                paymentID: payment.id, attemptID: payment.attemptID,
                risk: RiskVerdict(score: "0.1000", decision: .approve, reasons: []))
            let used: [Int] = try await world.database.transaction { db in
                let approved: [ApprovedAttempt] = try db.query(
                    ApplyVerdicts.approval(of: [verdict], by: .standard, held: ["sandbox/card"]),
                    as: ApprovedAttempt.self)
                let outcomes: [Outcome] = approved.map {
                    Outcome(attempt: $0, answer: .captured(ProviderCharge(reference: "ch_1")))
                }
                let settled: [PaymentRecord] = try db.query(
                    BookOutcomes.settlement(of: outcomes, until: PaymentWorld.start), as: PaymentRecord.self)
                #expect(settled.map(\.status) == [.succeeded])
                return try ["payments_in_flight", "payments_pkey"].map { index in
                    try db.first("SELECT pg_stat_get_xact_numscans(\(index)::regclass)::int") { try $0.next() } ?? -1
                }
            }
            #expect(used[0] == 0)
            #expect(used[1] > 0)
        }
    }

    @Test("lists by subscription and by what is waited for, and refunds by customer, go straight to their rows")
    func lists() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let paid: PaymentRecord = try await world.paid(customer)
            _ = try await world.refund(paid.id, 100)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let collected: PaymentRecord = try await world.payment(of: invoice)
            try await world.execute(
                """
                INSERT INTO payments SELECT (p).* FROM (
                    SELECT jsonb_populate_record(p, jsonb_build_object('id', p.id || n)) AS p
                    FROM payments p, generate_series(1, 3000) n WHERE p.id = \(paid.id)) AS copies
                """)
            try await world.execute(
                """
                INSERT INTO refunds SELECT (r).* FROM (
                    SELECT jsonb_populate_record(r, jsonb_build_object(
                        'id', r.id || n, 'customer_id', 'cus_other', 'provider_reference', 're_' || n)) AS r
                    FROM refunds r, generate_series(1, 3000) n) AS copies
                """)
            try await world.execute("ANALYZE payments")
            try await world.execute("ANALYZE refunds")
            let used: [Int] = try await world.database.transaction { db in
                let payments: [PaymentRecord] = try PaymentStore.list(
                    subscription: collected.subscriptionID, after: nil, limit: 21, in: db)
                #expect(payments.map(\.id) == [collected.id])
                let refunds: [RefundRecord] = try RefundStore.list(customer: customer, after: nil, limit: 21, in: db)
                #expect(refunds.map(\.paymentID) == [paid.id])
                let waiting: [PaymentRecord] = try PaymentStore.list(
                    status: .requiresAction, after: nil, limit: 21, in: db)
                #expect(waiting.isEmpty)
                let indexes: [String] = [
                    "payments_subscription", "refunds_customer", "payments_waiting_for_customers",
                ]
                return try indexes.map { index in
                    try db.first("SELECT pg_stat_get_xact_numscans(\(index)::regclass)::int") { try $0.next() } ?? -1
                }
            }
            #expect(used.allSatisfy { $0 > 0 }, "\(used)")
        }
    }
}
