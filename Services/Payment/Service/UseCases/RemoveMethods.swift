package import BillingCore
import HTTPKit
import Logging
import PaymentAuthentication
import PaymentContract
package import PaymentRecords
import PaymentRouting
package import Postgres

/// Takes methods off their customers, here at once and then at the providers that keep them.
///
/// The intent is stored with the change here; the sweeper asks the provider until it has an answer. Asking again is harmless:
/// what is gone counts as removed. A crash leaves the intent, due again.
package struct RemoveMethods: Sendable {
    private static let passLimit = 100

    let providers: PaymentProviders
    let pool: PostgresPool
    let logger: Logger

    /// Detaches a method, in the caller's transaction; one that is detached stays as it is. Every provider that keeps it is to
    /// remove it.
    /// - Throws: ``Problem`` for a method that is not there.
    package func detach(
        _ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodRecord {
        guard let known: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db),
            try PaymentMethodStore.lockCustomer(known.customerID, in: db)
        else { throw Problem.notFound("payment method", id.rawValue) }
        if try PaymentMethodStore.detach(id, at: now, in: db) {
            try WalletStore.forget(id, in: db)
            let tokens: [MethodToken] = try MethodTokenStore.all(of: [id], in: db)[id] ?? []
            if tokens.contains(where: isKept) { try MethodRemovalStore.intend(id, at: now, in: db) }
        }
        return try PaymentMethodStore.find(id, in: db) ?? known
    }

    /// Takes a method away from one of the further providers that keep it, in the caller's transaction: no charge goes there
    /// any more, and the provider is to remove it.
    /// - Throws: ``Problem``: 404 where it is not kept there, 409 for its own provider and while a charge of it is under way
    ///   there.
    package func detach(
        _ id: PaymentMethodID, from provider: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodRecord {
        // The customer first, as whoever keeps or detaches a method does.
        guard let known: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db),
            try PaymentMethodStore.lockCustomer(known.customerID, in: db)
        else { throw Problem.notFound("payment method", id.rawValue) }
        guard provider != known.provider else {
            throw Problem.conflict("own_provider", "The method belongs to \(provider): detach the method itself.")
        }
        guard let (token, isCharged) = try MethodTokenStore.lock(at: provider, of: id, in: db) else {
            throw Problem.notFound("token of the payment method at this provider")
        }
        guard !isCharged else {
            throw Problem.conflict("payment_in_progress", "A payment with the method is under way at \(provider).")
        }
        try MethodTokenStore.remove(at: provider, of: id, in: db)
        if isKept(token) { try MethodRemovalStore.intend(token.token, at: provider, of: id, at: now, in: db) }
        return try PaymentMethodStore.find(id, in: db) ?? known
    }

    /// Whether a provider has something to remove: of a card out of a wallet no provider has heard.
    private func isKept(_ token: MethodToken) -> Bool {
        !token.token.isEmpty && providers.vault(token.provider) != nil
    }

    /// Has the providers remove what is due. What a provider does not answer to is due again later.
    package func pass() async throws {
        let due: [PaymentMethodID: [MethodToken]] = try await pool.transaction { db in
            try MethodTokenStore.all(of: try MethodRemovalStore.take(limit: Self.passLimit, in: db), in: db)
        }
        for (id, tokens) in due { try await remove(id, known: tokens) }
    }

    /// Ends a removal once every provider has answered. A further one that has removed the method is not asked again while
    /// others are: what it knew the method by is forgotten.
    private func remove(_ id: PaymentMethodID, known tokens: [MethodToken]) async throws {
        var failure: String?
        var isOver = true
        var gone: [String] = []
        for token in tokens where !token.token.isEmpty {
            do {
                switch try await forget(token, of: id) {
                case .forgotten?: gone.append(token.provider)
                case .refused(let code)?: failure = code
                case nil: isOver = false
                }
            } catch let fault as ProviderFault {
                isOver = false
                logger.warning(
                    "a method stays at its provider for now",
                    metadata: [
                        "payment_method_id": "\(id)", "provider": "\(token.provider)", "error": "\(fault)",
                    ])
            }
        }
        let (code, isEnd, providers): (String?, Bool, [String]) = (failure, isOver, gone)
        guard isEnd || !providers.isEmpty else { return }
        try await pool.transactionRetrying { db in
            for provider in providers { try MethodTokenStore.remove(at: provider, of: id, in: db) }
            if isEnd { try MethodRemovalStore.end(id, failure: code, in: db) }
        }
    }

    /// Has one provider remove a method.
    /// - Returns: `nil` while the provider is not configured.
    private func forget(_ token: MethodToken, of id: PaymentMethodID) async throws -> ForgetMethodAnswer? {
        guard let vault: any ProviderVault = providers.vault(token.provider) else {
            return providers.capabilities(of: token.provider) == nil ? nil : .forgotten
        }
        let others: [String] = try await pool.transaction(readOnly: true) { db in
            try MethodRemovalStore.tokensBeside(id, at: token.provider, in: db)
        }
        // Under another method the customer may have the same thing kept, which the provider does not tell apart.
        let name: String = vault.name(of: token.token)
        if others.contains(where: { vault.name(of: $0) == name }) { return .forgotten }
        let answer: ForgetMethodAnswer = try await vault.forget(
            ForgetMethodRequest(methodID: id, token: token.token))
        if case .refused(let code) = answer {
            logger.error(
                "a provider keeps a method that was detached: a person has to remove it there",
                metadata: [
                    "payment_method_id": "\(id)", "provider": "\(token.provider)", "code": "\(code)",
                ])
        }
        return answer
    }
}
