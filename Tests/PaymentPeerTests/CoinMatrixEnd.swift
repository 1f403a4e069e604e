import BillingCore
import PaymentChains
import PaymentCrypto
import PaymentService
import PaymentWebhooks
import Postgres
import ServiceKit
import Synchronization
import Testing
import TestKit

/// What is booked of a payment, and what is stored of its address.
private struct CoinAccount: Sendable {
    let payment: String
    /// `nil` for a payment that got no address.
    let place: CoinPlace?
    let received: BaseUnits
    /// What was sent back of it, with what sending it costs.
    let sentBack: BaseUnits
    /// What the ledger has of it with the provider, minor units.
    let booked: Int64
}

/// What is done once the storm is over, and what must be true then.
extension CoinPlay {
    /// Nobody dies any more, all quotes are over and everything gets its confirmations, until nothing is open.
    mutating func settle() async throws {
        try await DatabaseStorm.blow(0, in: world.observer)
        await world.restart(isCalm: true)
        world.time.advance(by: .seconds(5_000))
        for turn in 0..<14 {
            try await world.chain.mine(2)
            try await world.dueNow()
            for _ in 0..<2 { await world.work() }
            if turn < 6 { try await actAsMerchant(.max) }
            try await actAsPeople(isLast: turn >= 6)
            if turn > 8, try await world.open().isEmpty { return }
        }
    }

    /// Nothing is open, and the ledger and the chain say the same of each payment.
    func check() async throws {
        let open: [String] = try await world.open()
        #expect(open.isEmpty, "\(open.prefix(10)) of \(open.count)")
        let accounts: [CoinAccount] = try await world.accounts()
        #expect(accounts.count == stories.count && runs.count == stories.count)
        let places: [CoinPlace] = accounts.compactMap(\.place) + sendings.values.map(\.place)
        let held: [CoinPlace: BaseUnits] = try await world.chain.holdings(places)
        for account in accounts { try compare(account, held) }
        // What people sent back arrived once and is confirmed, and nothing else is.
        for sending in sendings.values { #expect(held[sending.place] == sending.amount, "\(sending)") }
        let confirmed: [String] = try await world.texts(
            "SELECT id FROM crypto_refund_instructions WHERE status = 'confirmed'")
        #expect(Set(confirmed) == Set(sendings.keys.map(\.rawValue)))
        let faults: [String] = try await world.faults()
        #expect(faults.isEmpty, "\(faults.prefix(10)) of \(faults.count)")
        let violations: [String] = try await world.observer.transactionRetrying { db in
            try PaymentConsistency.facts(in: db).violations
        }
        #expect(violations.isEmpty, "\(violations)")
        try await tell()
    }

    /// To the base unit: what is stored is on the chain, and so is what is booked, with what has gone back since.
    private func compare(_ account: CoinAccount, _ held: [CoinPlace: BaseUnits]) throws {
        guard let place: CoinPlace = account.place else {
            #expect(account.booked == 0, "\(account)")
            return
        }
        let onChain: BaseUnits = held[place] ?? .zero
        #expect(account.received == onChain, "\(account), on the chain \(onChain)")
        #expect(account.booked >= 0, "\(account)")
        let booked: BaseUnits = try BaseUnits(UInt128(account.booked.magnitude))
            .multiplied(by: world.chain.unit(place.asset))
        let accounted: BaseUnits = try booked.adding(account.sentBack)
        #expect(accounted == onChain, "\(account), on the chain \(onChain)")
    }

    /// The figures of a run.
    private func tell() async throws {
        let figures: [String] = try await world.texts(
            """
            SELECT concat_ws(' ', coalesce(c.provider, 'no address'), coalesce(c.answer, p.status), count(*))
                FROM payments p LEFT JOIN crypto_charges c ON c.attempt_id = p.attempt_id
                GROUP BY c.provider, c.answer, p.status
            UNION ALL SELECT concat_ws(' ', 'back', reason, status, count(*)) FROM crypto_refund_instructions
                GROUP BY reason, status
            UNION ALL SELECT concat_ws(' ', 'completed late', count(*)) FROM crypto_completions
            UNION ALL SELECT concat_ws(' ', 'kept', count(*)) FROM crypto_acceptances
            UNION ALL SELECT concat_ws(' ', 'webhooks', state, count(*)) FROM inbound_webhooks GROUP BY state ORDER BY 1
            """)
        let (crashes, met): (Int, Int) = (
            world.weather.crashes.load(ordering: .relaxed), world.weather.met.load(ordering: .relaxed)
        )
        print(
            "\(world.chain.source.rawValue): \(reorganisations) reorganisations, \(met) faults, \(crashes) crashes;",
            figures.joined(separator: ", "))
        // Fewer may all come to the same.
        guard stories.count >= 40 else { return }
        #expect(crashes > 0 && met > 0)
        let ends: [String] = try await world.texts("SELECT DISTINCT status FROM payments")
        #expect(Set(ends).isSuperset(of: ["succeeded", "failed"]))
    }
}

extension CoinWorld {
    /// Nobody waits until it is time to look again.
    fileprivate func dueNow() async throws {
        try await execute("UPDATE crypto_chains SET due_at = now()")
        for table: SQL in ["payments", "refunds"] {
            try await execute("UPDATE \(table) SET look_at = now() - interval '1 hour' WHERE look_at IS NOT NULL")
        }
        try await execute("UPDATE inbound_webhooks SET next_attempt_at = now() WHERE state = 'waiting'")
    }

    /// Everything that is not known, or not told.
    fileprivate func open() async throws -> [String] {
        try await texts(
            """
            SELECT 'payment ' || id || ' ' || status FROM payments
                WHERE status NOT IN ('succeeded', 'failed', 'canceled')
            UNION ALL SELECT 'charge ' || attempt_id || ' ' || outcome FROM crypto_charges
                WHERE answer IS NULL OR told_at IS NULL OR pending > 0 OR unexplained > 0
            UNION ALL SELECT 'refund ' || id || ' ' || payment_id FROM refunds WHERE status = 'processing'
            UNION ALL SELECT concat_ws(' ', 'instruction', id, reason, status) FROM crypto_refund_instructions
                WHERE status = 'sent' OR status = 'open' AND (reason IN ('merchant', 'held') OR address IS NOT NULL)
            UNION ALL SELECT 'webhook ' || event_id || ' ' || coalesce(reason, '') FROM inbound_webhooks
                WHERE state <> 'done'
            UNION ALL SELECT 'chain ' || stop_reason FROM crypto_chains WHERE stopped_at IS NOT NULL
            ORDER BY 1
            """)
    }

    /// What must not be: entries that do not balance, what is booked or told twice, addresses of two, believed forgeries.
    fileprivate func faults() async throws -> [String] {
        try await texts(
            """
            SELECT 'unbalanced ' || entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0
            UNION ALL SELECT concat_ws(' ', 'booked twice', kind, reference) FROM journal_entries
                GROUP BY kind, reference HAVING count(*) > 1
            UNION ALL SELECT concat_ws(' ', 'told twice', type, body::jsonb ->> 'payment_id', body::jsonb ->> 'refund_id',
                    CASE WHEN type = 'payment.failed.v1' THEN body::jsonb ->> 'attempt' END) FROM outbox
                WHERE type IN ('payment.succeeded.v1', 'payment.failed.v1', 'payment.canceled.v1', 'payment.refunded.v1')
                GROUP BY 1 HAVING count(*) > 1
            UNION ALL SELECT 'address of two ' || lower(address) FROM crypto_charges
                GROUP BY lower(address) HAVING count(*) > 1
            UNION ALL SELECT 'charge beside its payment ' || attempt_id FROM crypto_charges c
                WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.attempt_id = c.attempt_id)
            UNION ALL SELECT 'booked of no payment ' || id FROM journal_entries e
                WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.id = e.payment_id)
            UNION ALL SELECT 'forgery ' || event_id FROM inbound_webhooks WHERE event_id LIKE 'forged%'
            """)
    }

    fileprivate func accounts() async throws -> [CoinAccount] {
        try await observer.transactionRetrying { db in
            try db.query(
                """
                SELECT p.id, c.provider, c.address, coalesce(c.received, 0),
                    (SELECT coalesce(sum(r.amount + r.fee), 0) FROM crypto_refund_instructions r
                     WHERE r.attempt_id = c.attempt_id AND r.status = 'confirmed'),
                    (SELECT coalesce(sum(l.amount), 0)::bigint
                     FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                     WHERE e.payment_id = p.id AND l.account LIKE 'assets:provider:%')
                FROM payments p LEFT JOIN crypto_charges c ON c.attempt_id = p.attempt_id ORDER BY p.id
                """
            ) { row in
                let (payment, asset, address): (String, String?, String?) = (
                    try row.next(), try row.next(), try row.next()
                )
                return CoinAccount(
                    payment: payment, place: asset.map { CoinPlace(asset: $0, address: address ?? "") },
                    received: try row.next(), sentBack: try row.next(), booked: try row.next())
            }
        }
    }
}
