package import BillingCore
package import PaymentContract
package import Postgres

/// An acquirer of the sandbox: its charges, disputes and payouts are in the sandbox's books, under its name.
package protocol SandboxKeeper: ProviderDisputes, ProviderSettlements {
    /// Its name in the books, in records and account names.
    var name: String { get }
    /// Where the books are.
    var pool: PostgresPool { get }
    /// The business clock.
    var clock: any WallClock { get }
}

extension SandboxKeeper {
    /// Whatever keeps the books from answering leaves the outcome unknown, as with an outside provider that does not answer.
    /// It is no answer that makes no sense: nobody is called for it.
    func reachable<Answer>(_ work: () async throws -> Answer) async throws(ProviderFault) -> Answer {
        do { return try await work() } catch let fault as ProviderFault { throw fault } catch {
            throw .timedOut
        }
    }
}

/// Disputes are followed in the same way at every acquirer.
extension SandboxKeeper {
    /// It is next door; see ``SandboxDue/disputes``.
    package var disputesPolledEvery: Duration { .zero }

    package func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        let name: String = name
        return try await reachable {
            try await pool.transaction(readOnly: true) { db in
                try SandboxDisputeBooks.find(reference, at: name, in: db)?.told
            }
        }
    }

    package func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        let (name, now): (String, Instant) = (name, clock.now)
        return try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxDisputeBooks.submit(request, to: name, at: now, in: db)
            }
        }
    }

    package func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        let (name, now): (String, Instant) = (name, clock.now)
        return try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxDisputeBooks.accept(request, of: name, at: now, in: db)
            }
        }
    }

    /// Also does what is due by the business clock: the sandbox has no other moment to do it.
    package func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        let (name, now): (String, Instant) = (name, clock.now)
        let after: Int64 = cursor.flatMap { Int64($0) } ?? 0
        return try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxDue.turn(at: now, in: db)
                let changed: [(reference: String, number: Int64)] = try SandboxDisputeBooks.changed(
                    after: after, at: name, in: db)
                return ChangedDisputes(
                    references: changed.map(\.reference), cursor: changed.last.map { String($0.number) } ?? cursor,
                    hasMore: changed.count >= SandboxDisputeBooks.pageLimit)
            }
        }
    }
}
