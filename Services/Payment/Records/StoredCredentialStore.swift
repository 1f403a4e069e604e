package import BillingCore
import PaymentDomain
package import Postgres

/// SQL over what a charge without the customer refers to: that they agreed, and the first charge they made themselves.
package enum StoredCredentialStore {
    /// Keeps the network's ids of charges that customers made themselves; a method that has one keeps it.
    package static func learn(
        _ charges: [(method: PaymentMethodID, networkTransactionID: String)], in db: borrowing PostgresTransaction
    ) throws {
        guard !charges.isEmpty else { return }
        try db.enqueue(
            """
            UPDATE payment_methods m SET network_transaction_id = c.network_id
            FROM unnest(\(charges.map(\.method.rawValue))::text[], \(charges.map(\.networkTransactionID))::text[])
                AS c(id, network_id)
            WHERE m.id = c.id AND m.network_transaction_id IS NULL
            """)
    }

    /// Keeps that a customer agreed; one that is in force stays as it is, with the proof of its time. It gives way where they
    /// have had their bank stop charges of the card since: what they agree to now is another agreement, and
    /// that they were authenticated for the one before does not prove it.
    package static func agree(
        _ mandate: Mandate, for method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE payment_methods m SET mandate_id = \(mandate.id), mandate_type = \(mandate.type.rawValue),
                mandate_accepted_at = \(mandate.acceptedAt), mandate_ip = \(mandate.ip),
                mandate_agent = \(mandate.userAgent), mandate_ended_at = \(mandate.endedAt),
                agreement_authenticated_at = NULL
            WHERE m.id = \(method) AND (m.mandate_id IS NULL OR m.mandate_ended_at IS NOT NULL
                OR (m.type = ANY(\(CardMethod.types)::text[]) AND EXISTS (
                    SELECT 1 FROM payment_methods k JOIN payment_attempts a ON a.payment_method_id = k.id
                    WHERE k.customer_id = m.customer_id AND k.fingerprint = m.fingerprint AND a.status = 'failed'
                        AND a.started_at >= m.mandate_accepted_at AND (a.decline_code = ANY(\(StopOrder.declines)::text[])
                            OR a.network_code = ANY(\(StopOrder.networkCodes)::text[])
                            OR a.advice_code = \(StopOrder.advice.rawValue)))))
            """)
    }
}
