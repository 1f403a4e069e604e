package import BillingCore
import HTTPKit
import Logging
import PaymentAuthentication
import PaymentContract
package import PaymentRecords
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

    /// Detaches a method, in the caller's transaction; one that is detached stays as it is.
    /// - Throws: ``Problem`` for a method that is not there.
    package func detach(
        _ id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodRecord {
        guard let known: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db),
            try PaymentMethodStore.lockCustomer(known.customerID, in: db)
        else { throw Problem.notFound("payment method", id.rawValue) }
        if try PaymentMethodStore.detach(id, at: now, in: db) {
            try WalletStore.forget(id, in: db)
            // Of a card out of a wallet no provider has heard.
            if !known.providerToken.isEmpty, providers.vault(known.provider) != nil {
                try MethodRemovalStore.intend(id, at: now, in: db)
            }
        }
        return try PaymentMethodStore.find(id, in: db) ?? known
    }

    /// Has the providers remove what is due. What a provider does not answer to is due again later.
    package func pass() async throws {
        let due: [MethodRemovalStore.Due] = try await pool.transaction { db in
            try MethodRemovalStore.take(limit: Self.passLimit, in: db)
        }
        for removal in due {
            do { try await remove(removal) } catch let fault as ProviderFault {
                logger.warning(
                    "a method stays at its provider for now",
                    metadata: [
                        "payment_method_id": "\(removal.request.methodID)", "provider": "\(removal.provider)",
                        "error": "\(fault)",
                    ])
            }
        }
    }

    private func remove(_ removal: MethodRemovalStore.Due) async throws {
        let id: PaymentMethodID = removal.request.methodID
        guard let vault: any ProviderVault = providers.vault(removal.provider) else { return }
        let tokens: [String] = try await pool.transaction(readOnly: true) { db in
            try MethodRemovalStore.tokensBeside(id, in: db)
        }
        // Under another method the customer may have the same thing kept, which the provider does not tell apart.
        let name: String = vault.name(of: removal.request.token)
        let isStillWanted: Bool = tokens.contains { vault.name(of: $0) == name }
        let answer: ForgetMethodAnswer = isStillWanted ? .forgotten : try await vault.forget(removal.request)
        var failure: String?
        if case .refused(let code) = answer {
            failure = code
            logger.error(
                "a provider keeps a method that was detached: a person has to remove it there",
                metadata: [
                    "payment_method_id": "\(id)", "provider": "\(removal.provider)", "code": "\(code)",
                ])
        }
        let code: String? = failure
        try await pool.transactionRetrying { db in try MethodRemovalStore.end(id, failure: code, in: db) }
    }
}
