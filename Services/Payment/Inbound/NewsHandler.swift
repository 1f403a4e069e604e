package import BillingCore
package import PaymentContract

/// What is done about providers' news.
///
/// Each call may come again, and calls come in any order: what counts is read back from the provider. A handler throws
/// `Refusal.park` for news that no repeat can settle, and any other error for what may settle later.
package protocol NewsHandler: Sendable {
    /// Something became of an attempt's charge.
    /// - Parameter reference: What the provider calls it by, where that is told.
    func charge(_ attempt: AttemptID, known reference: String?, at provider: String) async throws
    /// Something became of a charge or capture that is told by the provider's name of it alone; perhaps not one of ours.
    /// - Parameter authorization: The provider's name of what a capture takes from, where that is told.
    func taken(_ reference: String, of authorization: String?, at provider: String) async throws
    /// Something became of a capture that was asked for here, perhaps before a restore.
    /// - Parameter authorization: The provider's name of what it takes from, where that is told.
    func capture(_ id: CaptureID, of authorization: String?, at provider: String) async throws
    /// Something was given back of a charge; which refunds it has is to be read.
    func refunded(_ reference: String, of attempt: AttemptID?, at provider: String) async throws
    /// A refund was made or changed, here or at the provider's own pages.
    func refund(_ refund: ProviderRefund, at provider: String) async throws
    /// A dispute was raised or moved on.
    func dispute(_ dispute: ProviderDispute, at provider: String) async throws
    /// Something happened on the chain that a node of ours follows.
    func activity(at provider: String) async throws
}

extension NewsHandler {
    /// Hands news on.
    /// - Returns: Why nothing was to be done; `nil` when something was.
    func handle(_ news: ProviderNews, at provider: String) async throws -> String? {
        switch news {
        case .charge(let attempt, let reference): try await charge(attempt, known: reference, at: provider)
        case .taken(let reference, let authorization):
            try await taken(reference, of: authorization, at: provider)
        case .capture(let id, let authorization): try await capture(id, of: authorization, at: provider)
        case .refunded(let reference, let attempt): try await refunded(reference, of: attempt, at: provider)
        case .refund(let told): try await refund(told, at: provider)
        case .dispute(let told): try await dispute(told, at: provider)
        case .activity: try await activity(at: provider)
        case .nothing(let kind): return "no concern of ours: \(kind)"
        }
        return nil
    }
}
