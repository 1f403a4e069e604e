import BillingCore
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Takes the credential of a wallet's card for a payment, in the transaction that records the payment.
enum WalletPayment {
    /// - Returns: Why the card cannot pay the order.
    static func take(
        _ order: PaymentOrder, _ resolved: ResolvedMethod, in db: borrowing PostgresTransaction
    ) throws -> RecordPayments.Failure? {
        guard let method: PaymentMethodID = resolved.method?.id,
            let obstacle: WalletStore.Obstacle = try WalletStore.take(
                method, for: order.id, of: order.amount, at: order.now, in: db)
        else { return nil }
        try WalletStore.refuse("card", obstacle.rawValue, of: order.customerID, at: order.now, in: db)
        return .wallet(obstacle)
    }
}

extension PaymentRecord {
    /// What is over for a wallet's card; `nil` for another payment, and while its charge may still be asked about.
    func finishedWallet(_ outcomes: [AttemptID: Outcome]) -> WalletStore.Finished? {
        guard status != .processing, status != .requiresAction, let outcome: Outcome = outcomes[attemptID],
            case .walletCard(let card) = outcome.attempt.request.source
        else { return nil }
        return WalletStore.Finished(
            payment: id, attempt: attemptID, eci: card.eci, isAuthenticated: card.isAuthenticated,
            isShifted: card.isShifted)
    }
}
