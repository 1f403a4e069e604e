package import BillingCore
package import Postgres

/// What a charge without the customer refers to: that they agreed, and the first charge they made themselves.
package struct StoredCredential: Sendable, Equatable {
    /// The card network's id of the first charge that the customer made; `nil` before there is one.
    package let networkTransactionID: String?
    /// The agreement under which charges without the customer are made; `nil` when there is none.
    package let mandate: Mandate?

    package init(networkTransactionID: String?, mandate: Mandate?) {
        self.networkTransactionID = networkTransactionID
        self.mandate = mandate
    }
}

/// SQL over the stored credentials of payment methods.
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

    /// Keeps that a customer agreed; one that is in force stays as it is, with the proof of its time.
    package static func agree(
        _ mandate: Mandate, for method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE payment_methods SET mandate_id = \(mandate.id), mandate_type = \(mandate.type.rawValue),
                mandate_accepted_at = \(mandate.acceptedAt), mandate_ip = \(mandate.ip),
                mandate_agent = \(mandate.userAgent), mandate_ended_at = \(mandate.endedAt)
            WHERE id = \(method) AND (mandate_id IS NULL OR mandate_ended_at IS NOT NULL)
            """)
    }

    /// What is known of some methods; those that do not exist are left out.
    package static func find(
        _ methods: [PaymentMethodID], in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodID: StoredCredential] {
        let rows: [(PaymentMethodID, StoredCredential)] = try db.query(
            """
            SELECT id, network_transaction_id, \(Mandate.columns) FROM payment_methods
            WHERE id = ANY(\(methods.map(\.rawValue))::text[])
            """
        ) { row in
            (
                try row.next(),
                StoredCredential(networkTransactionID: try row.next(), mandate: try Mandate(row: &row))
            )
        }
        return Dictionary(rows) { first, _ in first }
    }
}
