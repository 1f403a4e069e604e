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
/// Nothing is booked by the line itself, and following is harmless to repeat. Lines that wait for something else are few, and
/// each is looked at once in a pass.
package struct FollowLines: Sendable {
    /// How often it looks; reports come hours after the charge.
    static let interval: Duration = .seconds(300)
    /// Lines taken in one pass.
    static let limit = 100

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

    package init(
        providers: [any ProviderSettlements], news: any NewsHandler, pool: PostgresPool, logger: Logger
    ) {
        self.providers = Dictionary(providers.map { ($0.name, $0) }) { first, _ in first }
        self.news = news
        self.pool = pool
        self.logger = logger
    }

    var loop: BackgroundLoop {
        BackgroundLoop(name: "charges of settlement lines", every: Self.interval) { try await pass() }
    }

    /// Once over the lines that wait; what cannot be settled yet is looked at again later and holds up no other.
    package func pass() async throws {
        let open: [String] = LateOutcomes.ended + [PaymentStatus.processing, .requiresAction].map(\.rawValue)
        let told: [Told] = try await pool.transaction(readOnly: true) { db in
            try db.query(
                """
                SELECT l.provider, a.id, l.source, l.taken FROM settlement_lines l
                JOIN payment_attempts a ON a.id = l.own_reference AND a.provider = l.provider
                JOIN payments p ON p.id = a.payment_id AND CASE WHEN p.attempt_id = a.id THEN p.status = ANY(\(open)::text[])
                    ELSE a.status = ANY(\(LateOutcomes.ended)::text[]) END
                WHERE l.kind = 'charge' AND l.state IN ('open', 'unmatched') AND l.own_reference IS NOT NULL
                ORDER BY l.occurred_at DESC, l.line_id LIMIT \(Self.limit)
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
