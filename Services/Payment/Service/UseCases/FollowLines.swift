import BillingCore
package import Logging
package import PaymentContract
import PaymentDomain
package import PaymentInbound
import PaymentRecords
package import Postgres
import ServiceKit

/// Takes what providers' settlement lines say of charges as news: a charge whose line carries its attempt, and that is not
/// booked, is followed as if a webhook had told of it, by the provider's name of it. So an outcome that was lost, and whose
/// webhook was lost too, is found when the provider reports the money.
///
/// Nothing is booked by the line itself, and following is harmless to repeat. A line may wait for long (a direct debit,
/// until the bank has paid or not), so they take turns: those that nobody has looked at for longest are next, whoever
/// asks.
package struct FollowLines: Sendable {
    /// How often it looks; reports come hours after the charge.
    static let interval: Duration = .seconds(300)

    /// A charge that a line tells of.
    private struct Told: PostgresRecord {
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

    /// - Parameter limit: Lines that one pass looks at.
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
        BackgroundLoop(name: "charges of settlement lines", every: Self.interval) { try await pass() }
    }

    /// Looks at the next lines that wait; what cannot be settled yet is looked at again later and holds up no other.
    package func pass() async throws {
        let open: [String] = LateOutcomes.ended + [PaymentStatus.processing, .requiresAction].map(\.rawValue)
        let limit: Int = limit
        let told: [Told] = try await pool.transactionRetrying { db in
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
                """, as: Told.self)
        }
        for line in told {
            guard let provider: any ProviderSettlements = providers[line.provider] else { continue }
            let name: String? = provider.chargeName(source: line.source, taken: line.taken)
            do { try await news.charge(line.attempt, known: name, at: line.provider) } catch {
                logger.warning(
                    "a charge that the provider has settled is not booked yet",
                    metadata: [
                        "attempt_id": "\(line.attempt)", "provider": "\(line.provider)", "error": "\(error)",
                    ])
            }
        }
    }
}
