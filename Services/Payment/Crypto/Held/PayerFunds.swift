import BillingCore
import PaymentChains
import PaymentDomain
import PaymentRecords
import Postgres

/// Keeps the ledger of what was received beyond a price: it is owed to the payer (`liabilities:payer_funds:…`) until it
/// has gone back or was kept with the payer's consent.
///
/// Base units are booked at the quote. What is booked is always the value of a running total less what was booked of it
/// before, so that parts add up to the whole to the last minor unit, and the account is empty when nothing is left.
enum PayerFunds {
    /// Where money goes that leaves.
    enum Way: Sendable { case back, kept }

    /// A charge's totals, its row locked.
    private struct Totals: PostgresRecord {
        let attemptID: AttemptID
        let paymentID: PaymentID
        let provider: String
        let price: Money
        let expected: BaseUnits
        let surplus: BaseUnits
        let bookedSurplus: BaseUnits
        let bookedOut: BaseUnits
        let entries: Int

        init(row: inout PostgresRow) throws {
            attemptID = try row.next()
            paymentID = try row.next()
            provider = try row.next()
            price = Money(minor: try row.next(), currency: try row.next())
            expected = try row.next()
            surplus = try row.next()
            bookedSurplus = try row.next()
            bookedOut = try row.next()
            entries = try row.next()
        }

        static func lock(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Totals? {
            try db.first(
                """
                SELECT attempt_id, payment_id, provider, amount, currency, expected, held + refundable, booked_surplus,
                    booked_out, booked_entries
                FROM crypto_charges WHERE attempt_id = \(attempt) FOR UPDATE
                """, as: Totals.self)
        }

        /// What a total is worth at the quote, rounded down; `nil` beyond what the ledger can hold.
        func value(_ units: BaseUnits) -> Int64? {
            guard expected.high == 0 else { return nil }
            do throws(MoneyError) {
                let value: BaseUnits = try units.multiplied(by: UInt128(price.minor.magnitude))
                    .divided(by: expected.low, roundingUp: false)
                return value.high == 0 ? Int64(exactly: value.low) : nil
            } catch {
                return nil
            }
        }

        /// The lines for a total that moved; none where it moves by less than a minor unit.
        func lines(from old: BaseUnits, to new: BaseUnits, debit: String, credit: String) throws -> [Posting]? {
            guard let (before, after) = value(old).flatMap({ old in value(new).map { (old, $0) } }) else { return nil }
            guard before != after else { return [] }
            let amount = Money(minor: after - before, currency: price.currency)
            return [
                Posting(account: debit, amount: amount), Posting(account: credit, amount: try amount.negated()),
            ]
        }
    }

    /// Books what the surplus of a charge, as it is stored, has grown or shrunk by. The charge's row is locked.
    static func arrive(_ attempt: AttemptID, at now: Instant, in db: borrowing PostgresTransaction) throws {
        guard let totals = try Totals.lock(attempt, in: db), totals.surplus != totals.bookedSurplus else { return }
        // Beyond what the ledger can hold nothing is booked; the consistency check says so.
        guard
            let lines = try totals.lines(
                from: totals.bookedSurplus, to: totals.surplus, debit: Ledger.providerBalance(totals.provider),
                credit: Ledger.payerFunds(totals.provider))
        else { return }
        try book(
            lines, .payerFunds, reference: "\(attempt):\(totals.entries)", totals, at: now, in: db)
        try db.enqueue(
            """
            UPDATE crypto_charges SET booked_surplus = \(totals.surplus), booked_entries = booked_entries + 1
            WHERE attempt_id = \(attempt)
            """)
    }

    /// Books what leaves, once under its reference. What had arrived is booked before. Locks the charge's row.
    static func leave(
        _ units: BaseUnits, of attempt: AttemptID, _ way: Way, reference: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try arrive(attempt, at: now, in: db)
        guard let totals = try Totals.lock(attempt, in: db) else { return }
        let out: BaseUnits = try totals.bookedOut.adding(units)
        let credit: String =
            way == .kept ? Ledger.acceptedSurplus : Ledger.providerBalance(totals.provider)
        guard
            let lines = try totals.lines(
                from: totals.bookedOut, to: out, debit: Ledger.payerFunds(totals.provider), credit: credit)
        else { return }
        let kind: JournalEntry.Kind = way == .kept ? .payerFundsAccepted : .payerFundsReturned
        try book(lines, kind, reference: reference, totals, at: now, in: db)
        try db.enqueue("UPDATE crypto_charges SET booked_out = \(out) WHERE attempt_id = \(attempt)")
    }

    private static func book(
        _ lines: [Posting], _ kind: JournalEntry.Kind, reference: String, _ totals: Totals, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard !lines.isEmpty else { return }
        try LedgerStore.book(
            [
                JournalEntry(
                    id: .new(at: now), kind: kind, reference: reference, paymentID: totals.paymentID,
                    occurredAt: now, postings: lines)
            ], in: db)
    }
}
