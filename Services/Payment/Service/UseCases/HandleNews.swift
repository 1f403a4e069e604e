package import BillingCore
import Messaging
package import PaymentContract
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

    /// Settles an attempt that waits for its outcome, ends an authorization that the provider has let go, and finds money
    /// that came after its payment had ended; any other has been settled, or is not with the provider.
    package func charge(_ attempt: AttemptID, known reference: String?, at provider: String) async throws {
        try await sync(attempt: attempt, known: reference, at: provider)
        try await releases(attempt)
        try await late(attempt, known: reference, at: provider)
    }

    /// The same, found by the provider's name of the charge or of a capture, which is finished where it is under way.
    package func taken(_ reference: String, at provider: String) async throws {
        try await capture.finish(known: reference, at: provider)
        let attempt: AttemptID? = try await pool.transaction(readOnly: true) { db in
            try PaymentStore.attempt(known: reference, at: provider, in: db)?.id
        }
        if let attempt { try await charge(attempt, known: nil, at: provider) }
    }

    /// Finishes a capture that is under way.
    package func capture(_ id: CaptureID) async throws {
        let isKnown: Bool = try await pool.transaction(readOnly: true) { db in try CaptureStore.find(id, in: db) != nil
        }
        if isKnown { _ = try await capture.finish(id) }
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
        case .dispute, .nothing, .capture, .taken, .activity: return
        }
    }
}
