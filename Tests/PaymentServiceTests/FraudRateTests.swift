import BillingCore
import PaymentDomain
import PaymentExchange
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("The measured fraud rate") struct MeasuredFraudRateTests {
    private static let french = "4000002500000003"

    @Test("a claim of low risk rests on the acquirer's rate, or on our own where that is higher") func claims()
        async throws
    {
        try await withPayments(sca: SCAPolicy(fraudRate: ExactDecimal("1"))) { world in
            let customer: CustomerID = try await world.payer(Self.french)
            func decision() async throws -> String? {
                let payment: PaymentRecord = try await world.euros(customer, 9_000)
                return payment.authentication?.reason
            }
            #expect(try await decision() == "risk_analysis", "nothing is measured")
            try await world.past(1_000, of: 10_000)
            try await world.measure()
            #expect(try await world.rates() == ["0"])
            #expect(try await decision() == "risk_analysis")
            // EUR 140 of EUR 100,000 is 14 basis points: above the lowest band.
            try await world.disputed(14_000)
            try await world.measure()
            #expect(try await world.rates() == ["0"], "once a day")
            world.clock.advance(by: .seconds(86_400))
            try await world.measure()
            #expect(try await world.rates().last?.hasPrefix("13.9") == true)
            #expect(try await decision() == "regulation")
        }
    }

    @Test("what counts is card payments of 90 days and what of them was fraud, won disputes and inquiries left out")
    func counted() async throws {
        try await withPayments { world in
            _ = try await world.payer(Self.french)
            try await world.past(1_000, of: 1_000)
            for (amount, reason, status) in [
                (1_000, "fraudulent", "lost"), (1_000, "fraudulent", "needs_response"), (1_000, "fraudulent", "won"),
                (1_000, "fraudulent", "inquiry"), (1_000, "fraudulent", "closed"),
                (1_000, "product_not_received", "lost"),
            ] as [(Int64, String, String)] {
                try await world.disputed(amount, reason: reason, status: status)
            }
            try await world.measure()
            // EUR 20 of EUR 10,000.
            #expect(try await world.rates() == ["20"])
            // A quarter later nothing of it is left, and too little to tell.
            world.clock.advance(by: .seconds(91 * 86_400))
            try await world.measure()
            #expect(try await world.rates() == ["20", "-"])
            #expect(
                try await world.database.transaction { db in try FraudRateStore.latest(in: db) } == nil)
        }
    }

    @Test("a card that its provider keeps for a wallet counts, and so does its fraud", arguments: Wallet.allCases)
    func keptForAWallet(wallet: Wallet) async throws {
        try await withPayments { world in
            _ = try await world.payer(Self.french)
            try await world.execute("UPDATE payment_methods SET type = \(wallet.rawValue)")
            try await world.past(1_000, of: 1_000)
            try await world.disputed(2_000)
            try await world.measure()
            // EUR 20 of EUR 10,000.
            #expect(try await world.rates() == ["20"])
        }
    }

    @Test("fraud in a currency that has no rate is as bad as can be; payments in one are left out") func unconverted()
        async throws
    {
        try await withPayments { world in
            _ = try await world.payer(Self.french)
            try await world.past(1_000, of: 1_000)
            try await world.past(10, of: 1_000, currency: "SEK")
            try await world.measure()
            #expect(try await world.rates() == ["0"])
            try await world.disputed(1, currency: "SEK")
            world.clock.advance(by: .seconds(86_400))
            try await world.measure()
            #expect(try await world.rates() == ["0", "10000"])
        }
    }

    @Test(
        "a payment is read for eight days, and counts for ninety; what is captured later than that makes nothing lower")
    func addedUp() async throws {
        try await withPayments { world in
            _ = try await world.payer(Self.french)
            try await world.past(600, of: 1_000)
            try await world.past(400, of: 1_000, before: .seconds(30 * 86_400))
            // Two of the days on which the span begins and ends: one payment too old, one just not.
            try await world.past(1, of: 1_000, before: FraudRate.span, prefix: "gone")
            try await world.past(1, of: 1_000, before: FraudRate.span - .seconds(1), prefix: "last")
            try await world.disputed(1_001_000)
            try await world.measure()
            #expect(try await world.rates() == ["10000"], "all of EUR 10,010 was fraud")
            #expect(try await world.texts("SELECT payments FROM fraud_rates") == ["1001"])
            #expect(
                try await world.texts("SELECT concat_ws(' ', day, currency, volume, payments) FROM card_volumes")
                    == ["2026-12-16 EUR 400000 400"])
            try await world.execute("UPDATE payments SET amount_captured = 500 WHERE created_at < '2027-01-01'")
            world.clock.advance(by: .seconds(86_400))
            try await world.measure()
            #expect(try await world.texts("SELECT payments FROM fraud_rates ORDER BY day") == ["1001", "1000"])
            #expect(try await world.rates().last == "10010", "of the EUR 10,000 that are added up or new")
        }
    }

    @Test("nine days on, everything of before is added up, once, in every currency") func days() async throws {
        try await withPayments(connections: 8) { world in
            _ = try await world.payer(Self.french)
            try await world.past(1_000, of: 1_000)
            try await world.past(10, of: 2_000, currency: "SEK")
            world.clock.advance(by: .seconds(9 * 86_400))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await world.measure() } }
                try await group.waitForAll()
            }
            #expect(try await world.rates() == ["0"])
            #expect(
                try await world.texts("SELECT concat_ws(' ', currency, volume, payments) FROM card_volumes ORDER BY 1")
                    == ["EUR 1000000 1000", "SEK 20000 10"])
        }
    }

    @Test("instances that measure at once store one rate") func together() async throws {
        try await withPayments(connections: 8) { world in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await world.measure() } }
                try await group.waitForAll()
            }
            #expect(try await world.rates() == ["-"])
        }
    }
}

extension PaymentWorld {
    fileprivate func measure() async throws {
        try await MeasureFraudRate(rates: RatesInForce(), pool: database, clock: clock).pass()
    }

    /// The rates by day; `-` where there was too little to tell.
    fileprivate func rates() async throws -> [String] {
        try await texts("SELECT coalesce(trim_scale(basis_points)::text, '-') FROM fraud_rates ORDER BY day")
    }

    /// A payment in euros.
    fileprivate func euros(_ customer: CustomerID, _ amount: Int64) async throws -> PaymentRecord {
        let body = #"{"amount":\#(amount),"currency":"EUR","customer_id":"\#(customer)"}"#
        let payment: PaymentRecord = try await payment(
            id(work.create(call("/v1/payments", body: body, at: clock.now), read(body))))
        await decide(payment)
        return try await settled(payment.id)
    }

    /// Payments by the first card that there is, an hour ago.
    fileprivate func past(
        _ count: Int, of amount: Int64, currency: String = "EUR", before age: Duration = .seconds(3_600),
        prefix: String = ""
    ) async throws {
        let at: Instant = clock.now - age
        try await execute(
            """
            INSERT INTO payments (id, customer_id, payment_method_id, provider, amount, currency, status, attempt_id,
                off_session, amount_captured, created_at)
            SELECT 'pay_' || substr(\(PaymentID.made(at: at))::text, 5, 18) || lpad(n::text, 4, '0')
                    || substr(md5(\(currency + prefix)::text), 1, 4),
                m.customer_id, m.id, 'sandbox', \(amount)::bigint, \(currency)::text, 'succeeded',
                \("att_\(prefix)\(currency)\(at.seconds)_")::text || n, false, \(amount)::bigint, \(at)::timestamptz
            FROM generate_series(1, \(count)::integer) AS n,
                (SELECT id, customer_id FROM payment_methods ORDER BY id LIMIT 1) AS m
            """)
    }

    /// A dispute of one of them, raised now.
    fileprivate func disputed(
        _ amount: Int64, currency: String = "EUR", reason: String = "fraudulent", status: String = "lost"
    ) async throws {
        try await execute(
            """
            INSERT INTO disputes (id, provider, reference, payment_id, customer_id, amount, currency, reason, status,
                opened_at, created_at)
            SELECT \(DisputeID.new(at: Self.start))::text, 'sandbox', md5(random()::text), p.id, p.customer_id,
                \(amount)::bigint, \(currency)::text, \(reason)::text, \(status)::text, \(clock.now)::timestamptz,
                \(clock.now)::timestamptz
            FROM payments p WHERE p.currency = \(currency) ORDER BY p.id LIMIT 1
            """)
    }
}
