import PaymentRecords
import BillingCore
import PaymentDomain
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Payment's own consistency") struct ConsistencyTests {
    private static let cards: [String] = [
        "4242424242424242", "4000000000009995", "4000000000000002", "4000002500003155", "4000009900000020",
    ]

    /// Does something that may happen, to one of the payments.
    private static func step(
        _ world: PaymentWorld, _ customers: [CustomerID], _ invoices: inout [(InvoiceID, CustomerID)],
        _ payments: inout [PaymentID], _ random: inout Seeded
    ) async throws {
        guard let customer: CustomerID = customers.randomElement(using: &random) else { return }
        let payment: PaymentID? = payments.randomElement(using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: payments.append(try await world.created(customer, amount: .random(in: 1...5_000, using: &random)).id)
        case 2:
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer), world.finalized(invoice, customer)])
            invoices.append((invoice, customer))
            payments.append(try await world.payment(of: invoice).id)
        case 3, 4, 5:
            let waiting: [String] = try await world.texts(
                "SELECT id FROM payments WHERE status = 'created' ORDER BY id")
            guard let id: String = waiting.randomElement(using: &random) else { return }
            let decision: String =
                ["approve", "approve", "approve", "review", "block"].randomElement(using: &random) ?? ""
            await world.decide(try await world.payment(PaymentID(unchecked: id)), decision)
        case 6:
            if let invoice = invoices.randomElement(using: &random) {
                await world.deliver([world.due(invoice.0, invoice.1)])
            }
        case 7:
            if let invoice = invoices.randomElement(using: &random) {
                await world.deliver([world.voided(invoice.0, invoice.1)])
            }
        case 8:
            let paid: [String] = try await world.texts("SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id")
            guard let id: String = paid.randomElement(using: &random) else { return }
            _ = try? await world.refund(PaymentID(unchecked: id), .random(in: 1...3_000, using: &random))
        case 9:
            guard let payment else { return }
            _ = try? await world.confirm(payment, passed: Bool.random(using: &random))
        case 10: if let payment, Bool.random(using: &random) { _ = try? await world.cancel(payment) }
        default:
            let mood: ScriptedProvider.Mood =
                [.well, .well, .booksAndVanishes, .away].randomElement(using: &random) ?? .well
            world.provider.turn(mood)
            if Bool.random(using: &random) { try await world.work.sweep.pass() }
            if Bool.random(using: &random) {
                try await world.attach(cards.randomElement(using: &random) ?? cards[0], to: customer)
            }
        }
    }

    @Test("after any history of payments, faults and retries the books are right", arguments: 0..<4)
    func history(run: Int) async throws {
        try await withPayments { world in
            var random = Seeded()
            var customers: [CustomerID] = []
            for card in Self.cards { customers.append(try await world.payer(card)) }
            var (invoices, payments): ([(InvoiceID, CustomerID)], [PaymentID]) = ([], [])
            for _ in 0..<150 { try await Self.step(world, customers, &invoices, &payments, &random) }
            world.provider.turn(.well)
            try await eventually(within: .seconds(30), "all is settled; seed \(random.seed)") {
                try await world.work.sweep.pass()
                return try await world.number(
                    """
                    SELECT (SELECT count(*) FROM payments WHERE status IN ('created', 'processing'))
                         + (SELECT count(*) FROM refunds WHERE status = 'processing')
                    """) == 0
            }
            #expect(try await world.violations().isEmpty, "seed \(random.seed)")
            #expect(try await world.number("SELECT count(*) FROM event_retries") == 0, "seed \(random.seed)")
            #expect(try await world.number("SELECT count(*) FROM parked_events") == 0, "seed \(random.seed)")
            #expect(
                try await world.number(
                    "SELECT count(*) FROM (SELECT invoice_id FROM payments WHERE invoice_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1) AS twice"
                ) == 0, "seed \(random.seed)")
            #expect(
                try await world.number("SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines") == 0,
                "seed \(random.seed)")
            let succeeded: Int = try await world.number("SELECT count(*) FROM payments WHERE status = 'succeeded'")
            #expect(try await world.published("payment.succeeded.v1") == succeeded, "seed \(random.seed)")
            let refunds: Int = try await world.number("SELECT count(*) FROM refunds")
            print(
                "history \(run): \(payments.count) payments, \(succeeded) succeeded, \(refunds) refunds, \(world.provider.charges) charges asked for"
            )
        }
    }

    /// Statements that break the books, and the sentence that must report each.
    private static let tampering: [(SQL, String)] = [
        (
            "UPDATE journal_lines SET amount = amount + 1 WHERE account = 'income:customer_payments'",
            "journal entries that do not balance"
        ),
        ("DELETE FROM journal_lines", "the ledger differ"),
        ("UPDATE payments SET invoice_id = 'inv_same' WHERE status = 'succeeded'", "invoices paid more than once"),
        (
            "UPDATE payments SET attempt_id = 'att_other' WHERE status = 'succeeded'",
            "succeeded payments that are not booked"
        ),
        (
            "UPDATE journal_entries SET reference = 'att_other' WHERE kind = 'payment' AND id = (SELECT min(id) FROM journal_entries)",
            "charges at the sandbox provider that are not booked"
        ),
        (
            "UPDATE payment_attempts SET payment_id = (SELECT min(id) FROM payments), number = CASE WHEN payment_id = (SELECT min(id) FROM payments) THEN 1 ELSE 2 END",
            "payments charged more than once"
        ),
        ("UPDATE refunds SET status = 'processing'", "refunds whose booking and provider disagree"),
        ("DELETE FROM refunds", "refunds whose booking and provider disagree"),
        ("UPDATE journal_lines SET amount = amount * 2", "the sandbox provider's books and the ledger differ"),
        ("UPDATE journal_lines SET currency = 'EUR'", "2 currencies"),
        ("DELETE FROM sandbox_refunds", "the sandbox provider's books and the ledger differ"),
        (
            "UPDATE payments SET amount_refunded = amount_refunded + 1 WHERE status = 'succeeded'",
            "payments whose refunds do not add up"
        ),
    ]

    @Test("every kind of tampering is reported") func tampered() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let first: PaymentRecord = try await world.paid(customer)
            _ = try await world.paid(customer)
            _ = try await world.refund(first.id, 500)
            #expect(try await world.violations().isEmpty)
            // What nobody but the owner can do: the guards are taken away first.
            for guarded: SQL in [
                "ALTER TABLE journal_lines DISABLE TRIGGER USER", "ALTER TABLE journal_entries DISABLE TRIGGER USER",
                "ALTER TABLE payments DROP CONSTRAINT payments_invoice_id_key",
            ] { try await world.execute(guarded) }
            for (statement, sentence) in Self.tampering {
                let found: [String] = try await world.found(after: statement)
                #expect(found.contains { $0.contains(sentence) }, "\(sentence): \(found)")
            }
            #expect(try await world.violations().isEmpty)
        }
    }
}

extension PaymentWorld {
    private struct Undo: Error { let found: [String] }

    /// What the check reports after a statement, which is undone.
    func found(after statement: SQL) async throws -> [String] {
        do {
            try await database.transaction { db in
                _ = try db.execute(statement)
                throw Undo(found: try PaymentConsistency.facts(in: db).violations)
            }
        } catch let undo as Undo { return undo.found }
        return []
    }
}
