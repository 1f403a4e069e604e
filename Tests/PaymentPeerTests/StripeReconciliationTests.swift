import BillingCore
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentStripe
import Postgres
import TestKit
import Testing

/// Payment's schema beside a Stripe double, with bookings as the service would make them.
private struct Books: Sendable {
    let pool: PostgresPool
    let double: StripeDouble
    let adapter: StripeAdapter

    var now: Instant { double.clock.now }

    /// Charges at Stripe and books it here, in one go or by a capture.
    func charge(_ minor: Int64, captures part: Int64? = nil, with token: String = "pm_card_visa") async throws -> (
        PaymentID, reference: String
    ) {
        let request: ChargeRequest = double.request(token, minor: minor, capture: part == nil)
        let amount = Money(minor: part ?? minor, currency: .usd)
        let charge: ProviderCharge
        switch try await adapter.charge(request) {
        case .captured(let made), .authorized(let made): charge = made
        default: throw MissingInfrastructure("the double answered otherwise")
        }
        var capture: CaptureID?
        if let part {
            let id = CaptureID.new(at: now)
            capture = id
            let asked = CaptureRequest(
                idempotencyKey: id, reference: charge.reference, amount: Money(minor: part, currency: .usd),
                isFinal: true)
            guard case .captured = try await adapter.capture(asked) else {
                throw MissingInfrastructure("the double did not capture")
            }
        }
        let (at, captureID): (Instant, CaptureID?) = (now, capture)
        try await pool.transaction { db in
            _ = try db.execute(
                """
                INSERT INTO payments (id, customer_id, provider, amount, currency, amount_captured, status, off_session,
                    attempt_id, created_at)
                VALUES (\(request.paymentID), 'cus_1', 'stripe', \(minor), 'USD', \(amount.minor), 'succeeded', false,
                    \(request.idempotencyKey), \(at))
                """)
            _ = try db.execute(
                """
                INSERT INTO payment_attempts (id, payment_id, number, provider, status, provider_reference, started_at)
                VALUES (\(request.idempotencyKey), \(request.paymentID), 1, 'stripe', 'succeeded', \(charge.reference),
                    \(at))
                """)
            try LedgerStore.book(
                [
                    JournalEntry(
                        id: .new(at: at), kind: captureID == nil ? .payment : .capture,
                        reference: captureID?.rawValue ?? request.idempotencyKey.rawValue, paymentID: request.paymentID,
                        occurredAt: at, postings: try Ledger.capture(amount, provider: "stripe"))
                ], in: db)
        }
        return (request.paymentID, charge.reference)
    }

    /// Refunds at Stripe and books it here.
    func refund(_ payment: PaymentID, _ reference: String, _ minor: Int64) async throws {
        let id = RefundID.new(at: now)
        let amount = Money(minor: minor, currency: .usd)
        let answer = try await adapter.refund(RefundRequest(idempotencyKey: id, reference: reference, amount: amount))
        guard case .refunded(let theirs) = answer else { throw MissingInfrastructure("the double did not refund") }
        let at: Instant = now
        try await pool.transaction { db in
            _ = try db.execute(
                """
                INSERT INTO refunds (id, payment_id, customer_id, amount, currency, status, provider_reference, created_at)
                VALUES (\(id), \(payment), 'cus_1', \(minor), 'USD', 'succeeded', \(theirs), \(at))
                """)
            try LedgerStore.book(
                [
                    JournalEntry(
                        id: .new(at: at), kind: .refund, reference: id.rawValue, paymentID: payment, occurredAt: at,
                        postings: try Ledger.refund(amount, provider: "stripe"))
                ], in: db)
        }
    }

    func texts(_ sql: SQL) async throws -> [String] {
        try await pool.transaction(readOnly: true) { db in try db.query(sql) { row in try row.next() } }
    }

    /// What our books say Stripe holds for us.
    func balance() async throws -> Int64 {
        try await pool.transaction(readOnly: true) { db in
            try db.first(
                "SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines WHERE account = 'assets:provider:stripe'"
            ) { row in try row.next() } ?? 0
        }
    }

    /// What Stripe's own books say.
    func theirBalance() async throws -> Int64 {
        try await double.objects("balance_transaction").reduce(0) { $0 + ($1["net"]?.intValue ?? 0) }
    }

    func reconcile() async throws {
        // Stripe's lines are read up to some minutes ago.
        double.clock.advance(by: .seconds(3_600))
        try await ReconcileProviders(
            providers: [adapter], pool: pool, clock: double.clock,
            policy: ReconciliationPolicy(window: .seconds(86_400), grace: .seconds(60), patience: .seconds(86_400 * 5)),
            logger: Logger(label: "test.reconcile") { _ in SwiftLogNoOpLogHandler() }
        ).pass()
    }
}

private func withBooks(strict: Bool = true, _ body: (Books) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: 2) { lent in
        try await withStripe(strict: strict) { double in
            try await body(Books(pool: lent.pool, double: double, adapter: double.adapter()))
        }
    }
}

@Suite("Reconciliation with the Stripe double", .serialized) struct StripeReconciliationTests {
    @Test("charges, captures and refunds match, fees are booked, and the ledger equals Stripe's balance to the unit")
    func equal() async throws {
        try await withBooks { books in
            var random = Seeded()
            for _ in 0..<110 {
                let (payment, reference) = try await books.charge(.random(in: 100...90_000, using: &random))
                if Int.random(in: 0..<4, using: &random) == 0 { try await books.refund(payment, reference, 60) }
            }
            _ = try await books.charge(5_000, captures: 3_210)
            try await books.reconcile()
            #expect(
                try await books.texts("SELECT DISTINCT state || ' ' || rule FROM settlement_lines") == [
                    "matched own_reference"
                ])
            #expect(try await books.balance() == books.theirBalance(), "seed \(random.seed)")
            #expect(try await books.texts("SELECT id FROM reconciliation_cases").isEmpty)
            let before: Int64 = try await books.balance()
            try await books.reconcile()
            #expect(try await books.balance() == before)
            #expect(try await books.double.complaints().isEmpty)
        }
    }

    @Test("a dispute that is booked is matched with its fee, one that is not is a case") func dispute() async throws {
        // The double knows no dispute as what a balance transaction is about, although it answers with one.
        try await withBooks(strict: false) { books in
            let (payment, reference) = try await books.charge(2_000, with: "pm_card_createDispute")
            let (_, other) = try await books.charge(3_000, with: "pm_card_createDispute")
            #expect(reference != other)
            let at: Instant = books.now
            try await books.pool.transaction { db in
                let accounts: [(String, Int64)] = [
                    ("assets:provider:stripe", -3_500), ("assets:disputed_funds", 2_000),
                    ("expense:dispute_fees", 1_500),
                ]
                let postings: [Posting] = accounts.map {
                    Posting(account: $0.0, amount: Money(minor: $0.1, currency: .usd))
                }
                try LedgerStore.book(
                    [
                        JournalEntry(
                            id: .new(at: at), kind: .dispute, reference: "dsp_1/1", paymentID: payment, occurredAt: at,
                            postings: postings)
                    ], in: db)
            }
            try await books.reconcile()
            #expect(
                try await books.texts("SELECT concat_ws(' ', reason, state, amount) FROM reconciliation_cases")
                    == ["not_booked open -4500"])
            #expect(
                try await books.texts(
                    "SELECT state || ' ' || rule FROM settlement_lines WHERE kind = 'dispute' AND state = 'matched'")
                    == ["matched provider_reference"])
            #expect(try await books.balance() == books.theirBalance() + 4_500)
            #expect(try await books.double.control("violations").arrayValue == [])
        }
    }
}
