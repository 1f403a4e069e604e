package import BillingCore
package import Logging
package import PaymentContract
import PaymentDomain
package import Postgres
package import ServiceKit

/// Fetches the ECB's reference rates when a publication is due that is not there yet (`payment.ecb_feed_url`).
///
/// One instance looks at a time, by claiming the feed's row. A crash after the claim costs one interval; rates and the
/// feed's tag are stored together, so a publication is either there or looked for again.
package struct ImportRates: Sendable {
    /// How long after a look another one may follow.
    package static let usualInterval: Duration = .seconds(600)

    let url: String
    let transport: any ProviderTransport
    let pool: PostgresPool
    let clock: any WallClock
    let interval: Duration
    let logger: Logger

    /// - Returns: `nil` when no feed is configured.
    package init?(
        url: String, transport: any ProviderTransport, pool: PostgresPool, clock: any WallClock,
        interval: Duration = usualInterval, logger: Logger
    ) {
        guard !url.isEmpty else { return nil }
        self.url = url
        self.transport = transport
        self.pool = pool
        self.clock = clock
        self.interval = interval
        self.logger = logger
    }

    /// A feed that is away, or faulty, is looked at again after the interval.
    package var loop: BackgroundLoop {
        BackgroundLoop(name: "exchange rates", every: interval) {
            if let count: Int = try await pass(), count > 0 {
                logger.info("reference rates are there", metadata: ["rates": "\(count)"])
            }
        }
    }

    /// Looks once, when a publication is due and nobody looks already.
    /// - Returns: How many rates are new; `nil` when there was no reason to look.
    /// - Throws: `ProviderFault` when the feed cannot be fetched, ``ECBFeedError`` when it is faulty; nothing of it is
    ///   taken then.
    package func pass() async throws -> Int? {
        guard let claim = try await claim() else { return nil }
        let answer: ProviderHTTPAnswer = try await transport.send(
            ProviderHTTPRequest(
                method: "GET", url: url,
                headers: [("accept", "application/xml, text/xml")] + (claim.etag.map { [("if-none-match", $0)] } ?? []),
                maxAnswerBytes: ECBFeed.usualLimit))
        switch answer.status {
        case 304: return 0
        case 200: return try await store(answer)
        default: throw ProviderFault.unavailable(answer.status)
        }
    }

    private struct Claim: Sendable { let etag: String? }

    private func claim() async throws -> Claim? {
        let today: CivilDate = clock.now.utcDay
        let (url, seconds): (String, Int64) = (url, interval.components.seconds)
        return try await pool.transaction { db in
            if let newest: CivilDate = try RateStore.newestDay(upTo: today, in: db),
                TargetCalendar.openDays(after: newest, through: today) == 0
            {
                return nil
            }
            return try db.first(
                """
                INSERT INTO exchange_feeds AS f (url, checked_at) VALUES (\(url), now())
                ON CONFLICT (url) DO UPDATE SET checked_at = now()
                    WHERE f.checked_at <= now() - make_interval(secs => \(seconds)::double precision)
                RETURNING f.etag
                """
            ) { row in Claim(etag: try row.next()) }
        }
    }

    private func store(_ answer: ProviderHTTPAnswer) async throws -> Int {
        let feed = try ECBFeed(reading: answer.body)
        // Clocks may disagree about midnight.
        let last: CivilDate = clock.now.utcDay.adding(days: 1)
        if let ahead: RateDay = feed.days.first(where: { $0.date > last }) { throw ECBFeedError.dayToCome(ahead.date) }
        let etag: String? = answer.headers.first { $0.name.lowercased() == "etag" }?.value
        let (url, now): (String, Instant) = (url, clock.now)
        return try await pool.transaction { db in
            let count: Int = try RateStore.add(feed.days, at: now, in: db)
            _ = try db.execute("UPDATE exchange_feeds SET etag = \(etag) WHERE url = \(url)")
            return count
        }
    }
}
