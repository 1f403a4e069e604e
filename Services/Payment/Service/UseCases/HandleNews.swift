package import BillingCore
import Messaging
package import PaymentContract
import PaymentDomain
import PaymentCrypto
import PaymentDisputes
import PaymentInbound
import PaymentRecords
import Postgres

/// What Payment does about providers' news: reads back what it is about, and lets whoever settles it otherwise settle it.
package struct HandleNews: NewsHandler {
    let pool: PostgresPool
    let sync: SyncPayment
    let capture: CapturePayment
    let refunds: FollowRefunds
    let releases: FollowReleases
    let late: FollowLateCharges

    /// Settles an attempt that waits for its outcome, books what was captured at the provider and ends an authorization that
    /// it has let go, and finds money that came after its payment had ended; any other has been settled, or is not with the
    /// provider.
    package func charge(_ attempt: AttemptID, known reference: String?, at provider: String) async throws {
        try await sync(attempt: attempt, known: reference, at: provider)
        try await releases(attempt)
        try await late(attempt, known: reference, at: provider)
    }

    /// The same, found by the provider's name of the charge or of a capture, which is finished where it is under way, or of
    /// what the capture takes from.
    package func taken(_ reference: String, of authorization: String? = nil, at provider: String) async throws {
        try await capture.finish(known: reference, at: provider)
        let named: AttemptID? = try await attempt(known: reference, at: provider)
        let found: AttemptID? = if let named { named } else { try await attempt(known: authorization, at: provider) }
        if let found { try await charge(found, known: nil, at: provider) }
    }

    /// Finishes a capture that is under way. One that is not known here, or was given up, may have been made all the same.
    package func capture(_ id: CaptureID, of authorization: String? = nil, at provider: String) async throws {
        let isKnown: Bool = try await pool.transaction(readOnly: true) { db in
            try CaptureStore.find(id, in: db) != nil
        }
        if isKnown, try await capture.finish(id).status != .failed { return }
        let found: AttemptID? = try await attempt(known: authorization, at: provider)
        if let found { try await charge(found, known: nil, at: provider) }
    }

    /// The attempt whose charge or capture the provider knows by a name; `nil` without a name, too.
    private func attempt(known reference: String?, at provider: String) async throws -> AttemptID? {
        guard let reference else { return nil }
        return try await pool.transaction(readOnly: true) { db in
            try PaymentStore.attempt(known: reference, at: provider, in: db)?.id
        }
    }

    /// Follows the charge, then every refund that the provider has of it. Refunds of charges that are not known here are told
    /// of by their own news, if at all.
    package func refunded(_ reference: String, of attempt: AttemptID?, at provider: String) async throws {
        if let attempt {
            try await charge(attempt, known: reference, at: provider)
        } else {
            try await taken(reference, at: provider)
        }
        guard try await self.attempt(known: reference, at: provider) != nil else { return }
        var failures: [any Error] = []
        for told in try await capture.providers.named(provider).refunds(of: reference) {
            do { try await refunds(told, at: provider) } catch { failures.append(error) }
        }
        // What may settle later comes again; what never can is parked once nothing else is left.
        if let failure = failures.first(where: { !($0 is Refusal) }) ?? failures.first { throw failure }
    }

    package func refund(_ told: ProviderRefund, at provider: String) async throws {
        try await refunds(told, at: provider)
    }

    /// Has the dispute read back from the provider.
    package func dispute(_ told: ProviderDispute, at provider: String) async throws {
        try await pool.transaction { db in try DisputeReadingStore.note([told.reference], at: provider, in: db) }
    }

    /// Has the chain looked at now. Nothing of what the node says about it is taken over.
    package func activity(at provider: String) async throws {
        try await pool.transaction { db in try CryptoWork.lookNow(at: provider, in: db) }
    }

    /// What the watchers of chains tell: charges and refunds of the providers they serve.
    package func follow(_ news: ProviderNews) async throws {
        switch news {
        case .charge(let attempt, _): try await sync(attempt: attempt)
        case .refund(let told): if let id: RefundID = told.refundID { _ = try await refunds.refund.finish(id) }
        case .dispute, .nothing, .capture, .taken, .refunded, .activity: return
        }
    }
}
