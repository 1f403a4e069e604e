package import BillingCore
package import Logging
import PaymentDomain
import PaymentRecords
package import Postgres

/// Tells plans what they wait for: ends of their payments, and new default methods. It was written down where it happened
/// (migration 0025), and is deleted here together with its effect: each counts once, whatever dies in between. What a plan
/// cannot take stays, is told of in the log, and holds up no other plan.
package struct HearNews: Sendable {
    /// News in one transaction at most.
    package static let batchLimit = 200

    private struct Item: PostgresRecord {
        let id: Int64
        let outcome: InstalmentOutcome?
        let customer: CustomerID?

        init(row: inout PostgresRow) throws {
            id = try row.next()
            let payment: PaymentID? = try row.next()
            let status: String? = try row.next()
            let attempts: Int? = try row.next()
            customer = try row.next()
            outcome =
                if let payment, let status = status.flatMap(PaymentStatus.init(rawValue:)), let attempts {
                    InstalmentOutcome(payment: payment, status: status, attempts: attempts)
                } else { nil }
        }
    }

    /// What nobody has heard.
    static let unheard: SQL = "SELECT id, payment_id, status, attempts, customer_id FROM plan_news ORDER BY id"

    let logger: Logger

    /// - Parameter logger: Told what stays.
    package init(logger: Logger) { self.logger = logger }

    /// Hears one batch; what another instance hears is passed over.
    /// - Returns: How much was heard.
    package func callAsFunction(at now: Instant, in db: borrowing PostgresTransaction) throws -> Int {
        let items: [Item] = try db.query(
            "\(Self.unheard) LIMIT \(Self.batchLimit) FOR UPDATE SKIP LOCKED", as: Item.self)
        guard !items.isEmpty else { return 0 }
        do {
            try db.savepoint { try Self.take(items, at: now, in: db) }
            return items.count
        } catch let error as PostgresError where Self.isWorthAll(error) { throw error } catch {
            return try oneByOne(items, at: now, in: db)
        }
    }

    private func oneByOne(_ items: [Item], at now: Instant, in db: borrowing PostgresTransaction) throws -> Int {
        var heard: Int = 0
        for item in items {
            do {
                try db.savepoint { try Self.take([item], at: now, in: db) }
                heard += 1
            } catch let error as PostgresError where Self.isWorthAll(error) { throw error } catch {
                logger.error(
                    "a plan cannot take what it should hear", metadata: ["news": "\(item.id)", "error": "\(error)"])
            }
        }
        return heard
    }

    /// Whether everything is to be heard again later. A row that somebody holds for long holds up its own plan only.
    static func isWorthAll(_ error: PostgresError) -> Bool { error.isRetryable && error.kind != .lockTimeout }

    private static func take(_ items: [Item], at now: Instant, in db: borrowing PostgresTransaction) throws {
        try InstalmentOutcomes.apply(items.compactMap(\.outcome), at: now, in: db)
        try tryAgain(Set(items.compactMap(\.customer)), at: now, in: db)
        _ = try db.execute("DELETE FROM plan_news WHERE id = ANY(\(items.map(\.id))::bigint[])")
    }

    /// A new default method is what unpaid instalments wait for: they are tried with it at once, but for those that were
    /// tried with it before this was heard.
    private static func tryAgain(
        _ customers: Set<CustomerID>, at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        guard !customers.isEmpty else { return }
        let records: [PlanRecord] = try PlanStore.lock(runningOf: customers.sorted(), in: db)
        let tried: Set<PaymentID> = try triedWithDefault(records.flatMap(\.failedPayments), in: db)
        var works: [PlanWork] = []
        for record in records {
            let waiting: [Int] = record.parts.indices.filter { index in
                guard let payment = record.parts[index].payment, payment.status == .failed else { return false }
                return record.plan.instalments[index].status.hasComeDue && !tried.contains(payment.id)
            }
            guard !waiting.isEmpty else { continue }
            let day: CivilDate = record.dayOfCustomer(at: now)
            var work = PlanWork(record, at: now)
            work.change { record in
                record.methodID = nil
                for index in waiting where record.awaited == nil || record.awaited != record.parts[index].payment?.id {
                    record.parts[index].nextAttempt = day
                    record.parts[index].notBefore = nil
                }
            }
            works.append(work)
        }
        try PlanWriter.save(works, in: db)
    }

    /// Those of failed payments whose last attempt was with what is the customer's default method now.
    private static func triedWithDefault(
        _ failed: [PaymentID], in db: borrowing PostgresTransaction
    ) throws -> Set<PaymentID> {
        guard !failed.isEmpty else { return [] }
        let tried: [PaymentID] = try db.query(
            """
            SELECT p.id FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id AND m.is_default
            WHERE p.id = ANY(\(failed)::text[])
            """
        ) { row in try row.next() }
        return Set(tried)
    }
}
