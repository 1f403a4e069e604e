import BillingCore
package import PaymentContract
import Postgres

extension SandboxProvider: ProviderDisputes {
    /// It is next door.
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
                try SandboxDisputeBooks.turn(at: now, in: db)
                let changed: [(reference: String, number: Int64)] = try SandboxDisputeBooks.changed(
                    after: after, at: name, in: db)
                return ChangedDisputes(
                    references: changed.map(\.reference), cursor: changed.last.map { String($0.number) } ?? cursor,
                    hasMore: changed.count >= SandboxDisputeBooks.pageLimit)
            }
        }
    }
}
