import BillingCore
package import Logging
package import PaymentContract
import PaymentDomain
package import PaymentInbound
import PaymentRecords
package import Postgres
import ServiceKit

/// Takes what providers' settlement lines say as news, as if a webhook had told of it: so an outcome that was lost, and whose
/// webhook was lost too, is found when the provider reports the money. A charge is followed, by the provider's name of it,
/// whose line carries its attempt, and that is not booked, or whose line is about what is held for it: somebody may have had
/// that captured at the provider. A refund is followed that nobody knows here, of a charge of ours, and one that counts
/// here, where a line gives its money back to us: it may have failed since.
///
/// Nothing is booked by the line itself, and following is harmless to repeat. A line may wait for long (a direct debit,
/// until the bank has paid or not), so they take turns: those that nobody has looked at for longest are next, whoever
/// asks.
package struct FollowLines: Sendable {
    /// How often it looks; reports come hours after the charge.
    static let interval: Duration = .seconds(300)

    /// A charge that a line tells of.
    private struct Charge: PostgresRecord {
        let provider: String
        let attempt: AttemptID
        let source: String?
        let taken: String?

        init(row: inout PostgresRow) throws {
            provider = try row.next()
            attempt = try row.next()
            source = try row.next()
            taken = try row.next()
        }
    }

    private let providers: [String: any ProviderSettlements]
    private let news: any NewsHandler
    private let pool: PostgresPool
    private let logger: Logger
    private let limit: Int

    /// - Parameter limit: Lines of each kind that one pass looks at.
    package init(
        providers: [any ProviderSettlements], news: any NewsHandler, pool: PostgresPool, logger: Logger,
        limit: Int = 100
    ) {
        self.providers = Dictionary(providers.map { ($0.name, $0) }) { first, _ in first }
        self.news = news
        self.pool = pool
        self.logger = logger
        self.limit = limit
    }

    var loop: BackgroundLoop {
        BackgroundLoop(name: "what settlement lines tell", every: Self.interval) { try await pass() }
    }

    /// Looks at the next lines that wait; what cannot be settled yet is looked at again later and holds up no other.
    package func pass() async throws {
        // What was given back of a charge can be booked once the charge is.
        for line in try await charges() + holds() { await follow(line) }
        for told in try await refunds() + returns() { await follow(told.refund, at: told.provider) }
    }

    private func follow(_ line: Charge) async {
        guard let provider: any ProviderSettlements = providers[line.provider] else { return }
        let name: String? = provider.chargeName(source: line.source, taken: line.taken)
        do { try await news.charge(line.attempt, known: name, at: line.provider) } catch {
            logger.warning(
                "a charge that the provider has settled is not booked yet",
                metadata: [
                    "attempt_id": "\(line.attempt)", "provider": "\(line.provider)", "error": "\(error)",
                ])
        }
    }

    private func follow(_ refund: ProviderRefund, at provider: String) async {
        guard providers[provider] != nil else { return }
        do { try await news.refund(refund, at: provider) } catch {
            logger.warning(
                "a refund that the provider has settled is not booked yet",
                metadata: [
                    "reference": "\(refund.reference)", "provider": "\(provider)", "error": "\(error)",
                ])
        }
    }
}

/// The lines, each noted as looked at.
extension FollowLines {
    /// Charges whose lines carry their attempts.
    private func charges() async throws -> [Charge] {
        let open: [String] =
            LateOutcomes.ended + [PaymentStatus.processing, .requiresAction, .authorized].map(\.rawValue)
        let limit: Int = limit
        return try await pool.transactionRetrying { db in
            try db.query(
                """
                UPDATE settlement_lines l SET followed_at = now() FROM payment_attempts a
                WHERE a.id = l.own_reference AND (l.provider, l.line_id) IN (
                    SELECT n.provider, n.line_id FROM settlement_lines n
                    JOIN payment_attempts b ON b.id = n.own_reference AND b.provider = n.provider
                    JOIN payments p ON p.id = b.payment_id
                        AND CASE WHEN p.attempt_id = b.id THEN p.status = ANY(\(open)::text[])
                            ELSE b.status = ANY(\(LateOutcomes.ended)::text[]) END
                    WHERE n.kind = 'charge' AND n.state IN ('open', 'unmatched') AND n.own_reference IS NOT NULL
                    ORDER BY n.followed_at NULLS FIRST, n.occurred_at, n.line_id LIMIT \(limit)
                    FOR UPDATE OF n SKIP LOCKED)
                RETURNING l.provider, a.id, l.source, l.taken
                """, as: Charge.self)
        }
    }

    /// Charges whose money is held, and of which lines tell by the provider's name alone: what they carry is no attempt, as
    /// where a capture was made at the provider's own pages, or is forgotten since a restore.
    private func holds() async throws -> [Charge] {
        let limit: Int = limit
        return try await pool.transactionRetrying { db in
            try db.query(
                """
                UPDATE settlement_lines l SET followed_at = now() FROM payment_attempts a
                WHERE a.provider = l.provider AND a.provider_reference = l.taken AND (l.provider, l.line_id) IN (
                    SELECT n.provider, n.line_id FROM settlement_lines n
                    JOIN payment_attempts b ON b.provider_reference = n.taken AND b.provider = n.provider
                    JOIN payments p ON p.attempt_id = b.id AND p.status = \(PaymentStatus.authorized.rawValue)
                    WHERE n.kind = 'charge' AND n.state IN ('open', 'unmatched')
                        AND NOT EXISTS (SELECT 1 FROM payment_attempts c WHERE c.id = n.own_reference)
                    ORDER BY n.followed_at NULLS FIRST, n.occurred_at, n.line_id LIMIT \(limit)
                    FOR UPDATE OF n SKIP LOCKED)
                RETURNING l.provider, a.id, l.source, l.taken
                """, as: Charge.self)
        }
    }

    /// Refunds of charges of ours that nobody knows here: what their lines carry is no refund, nor the provider's name of one.
    /// Amounts beyond what anybody can have meant are left to a person.
    private func refunds() async throws -> [(provider: String, refund: ProviderRefund)] {
        let limit: Int = limit
        return try await pool.transactionRetrying { db in
            try db.query(
                """
                UPDATE settlement_lines l SET followed_at = now() WHERE (l.provider, l.line_id) IN (
                    SELECT n.provider, n.line_id FROM settlement_lines n
                    WHERE n.kind = 'refund' AND n.state IN ('open', 'unmatched') AND n.source IS NOT NULL
                        AND coalesce(n.presentment_amount, n.gross) BETWEEN -\(SettlementLine.largestAmount)::bigint AND -1
                        AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.provider_reference = n.source)
                        AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.id = n.own_reference)
                        AND NOT EXISTS (SELECT 1 FROM reversals v WHERE v.provider = n.provider AND v.reference = n.source)
                        AND (EXISTS (SELECT 1 FROM payment_attempts a
                                WHERE a.provider_reference = n.taken AND a.provider = n.provider)
                            OR EXISTS (SELECT 1 FROM captures c JOIN payments p ON p.id = c.payment_id
                                WHERE c.provider_reference = n.taken AND p.provider = n.provider))
                    ORDER BY n.followed_at NULLS FIRST, n.occurred_at, n.line_id LIMIT \(limit)
                    FOR UPDATE OF n SKIP LOCKED)
                RETURNING l.provider, l.source, l.taken, -coalesce(l.presentment_amount, l.gross),
                    coalesce(l.presentment_currency, l.currency)
                """
            ) { row in
                let provider: String = try row.next()
                let reference: String = try row.next()
                let taken: String = try row.next()
                let amount = Money(minor: try row.next(), currency: try row.next())
                return (
                    provider: provider,
                    refund: ProviderRefund(
                        reference: reference, taken: taken, refundID: nil, amount: amount, state: .succeeded)
                )
            }
        }
    }

    /// Refunds that count here, and whose money lines give back. That they have failed is believed once the provider says so.
    private func returns() async throws -> [(provider: String, refund: ProviderRefund)] {
        let limit: Int = limit
        return try await pool.transactionRetrying { db in
            try db.query(
                """
                WITH told AS (
                    SELECT n.provider, n.line_id, r.id, r.provider_reference, r.amount, r.currency
                    FROM settlement_lines n
                    CROSS JOIN LATERAL (
                        SELECT id FROM refunds WHERE id = n.own_reference
                        UNION ALL SELECT id FROM refunds WHERE provider_reference = n.source
                        UNION ALL SELECT id FROM refunds WHERE provider_reference = n.taken LIMIT 1) AS named
                    JOIN refunds r ON r.id = named.id
                    JOIN payments p ON p.id = r.payment_id AND p.provider = n.provider
                    WHERE n.kind = 'adjustment' AND n.state IN ('open', 'unmatched')
                        AND coalesce(n.presentment_amount, n.gross) > 0
                        AND r.status = \(FollowUpStatus.succeeded.rawValue) AND r.provider_reference IS NOT NULL
                    ORDER BY n.followed_at NULLS FIRST, n.occurred_at, n.line_id LIMIT \(limit)
                    FOR UPDATE OF n SKIP LOCKED)
                UPDATE settlement_lines l SET followed_at = now() FROM told t
                WHERE l.provider = t.provider AND l.line_id = t.line_id
                RETURNING t.provider, t.provider_reference, coalesce(l.taken, t.provider_reference), t.id, t.amount,
                    t.currency
                """
            ) { row in
                let provider: String = try row.next()
                let reference: String = try row.next()
                let taken: String = try row.next()
                let id: RefundID = try row.next()
                let amount = Money(minor: try row.next(), currency: try row.next())
                return (
                    provider: provider,
                    refund: ProviderRefund(
                        reference: reference, taken: taken, refundID: id, amount: amount,
                        state: .failed(code: "returned"))
                )
            }
        }
    }
}
