import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import Postgres
import TestKit
import Testing

@Suite("Trying the next provider of stored payments") struct CascadePaymentTests {
    private static let rules = #"{"order":{"by":"least_cost"}}"#

    private func routed(_ world: RoutingWorld, brand: String = "visa") async throws -> PaymentRecord {
        try await world.rules(Self.rules)
        let payment: PaymentRecord = try await world.approved(world.payer(brand: brand))[0]
        _ = try await world.routed([payment])
        return try await world.payment(payment.id)
    }

    @Test("a soft decline begins the next attempt at the next provider, in one payment, until none is left")
    func walk() async throws {
        try await withRouting { world in
            let first: PaymentRecord = try await routed(world)
            let second: FollowingAttempt = try #require(
                try await world.ended(first.id, RoutingWorld.declined("do_not_honor", network: "05")))
            #expect(second.route.provider == "sandbox_c")
            #expect(second.route.token == "tok_sandbox_c_success")
            let moved: PaymentRecord = try await world.payment(first.id)
            #expect(moved.attemptID == second.attemptID)
            #expect((moved.status, moved.provider, moved.attempts) == (.processing, "sandbox_c", 2))
            let third: FollowingAttempt = try #require(
                try await world.ended(first.id, RoutingWorld.declined("processing_error")))
            #expect(third.route.provider == "sandbox")
            #expect(try await world.ended(first.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(
                try await world.attempts(first.id) == [
                    "1 sandbox_b failed do_not_honor", "2 sandbox_c failed processing_error", "3 sandbox started",
                ])
            #expect(try await world.stopped(first.id) == "exhausted")
            #expect(
                try await world.texts(
                    "SELECT coalesce(cascade_of, '') FROM payment_attempts ORDER BY number") == [
                        "", first.attemptID.rawValue, second.attemptID.rawValue,
                    ])
            #expect(
                try await world.texts("SELECT network_code FROM payment_attempts WHERE network_code IS NOT NULL")
                    == ["05"])
        }
    }

    @Test("without rules the others that keep the card follow its own provider, and each attempt says what decided")
    func noRules() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await world.approved(world.payer())[0]
            #expect(try await world.routed([payment]).isEmpty)
            let second: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined("do_not_honor"))
            #expect(second?.route.provider == "sandbox_b" && second?.route.token == "tok_sandbox_b_success")
            let third: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined("processing_error"))
            #expect(third?.route.provider == "sandbox_c")
            #expect(try await world.ended(payment.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(
                try await world.attempts(payment.id) == [
                    "1 sandbox failed do_not_honor", "2 sandbox_b failed processing_error", "3 sandbox_c started",
                ])
            #expect(try await world.stopped(payment.id) == "exhausted")
            let decided: [String] = try await world.texts(
                "SELECT concat_ws(' ', routing->>'version', routing->>'ordered_by') FROM payment_attempts ORDER BY number"
            )
            #expect(decided == Array(repeating: "0 no rules: the method's own provider first", count: 3))
        }
    }

    @Test("without rules an attempt goes on although its own provider was taken out since; a hard decline does not")
    func noRulesSince() async throws {
        try await withRouting { world in
            let payer = try await world.payer()
            let payment: PaymentRecord = try await world.approved(payer)[0]
            _ = try await world.routed([payment])
            for name in ["sandbox", "sandbox_b"] {
                try await world.execute(
                    """
                    INSERT INTO providers_down (provider, since, taken_out_by)
                    VALUES (\(name), \(RoutingWorld.start), 'key_test')
                    """)
            }
            try await world.book.refresh(world.database)
            let next: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined("do_not_honor"))
            #expect(next?.route.provider == "sandbox_c")
            let other: PaymentRecord = try await world.approved(payer)[0]
            #expect(try await world.ended(other.id, RoutingWorld.declined("expired_card")) == nil)
            #expect(try await world.stopped(other.id) == "hard")
        }
    }

    /// How a first attempt ends, and why nothing follows.
    private static let ends: [(EndedAttempt.End, String)] = [
        (RoutingWorld.declined("expired_card"), "hard"), (RoutingWorld.declined("stolen_card"), "hard"),
        (RoutingWorld.declined("fraudulent"), "fraud"), (RoutingWorld.declined("authentication_required"), "action"),
        (RoutingWorld.declined("nobody_knows"), "unknown_decline"),
        // The networks' words: a code of Visa's category 1, and advice to wait, to put something right or to stop.
        (RoutingWorld.declined("do_not_honor", network: "57"), "budget"),
        (RoutingWorld.declined("do_not_honor", network: "05", advice: "03", brand: "mastercard"), "hard"),
        (RoutingWorld.declined("do_not_honor", network: "05", advice: "04", brand: "mastercard"), "action"),
        (RoutingWorld.declined("do_not_honor", network: "05", advice: "25", brand: "mastercard"), "budget"),
    ]

    @Test(
        "nothing follows where another provider would be asked in vain or against the network's word",
        arguments: 0..<ends.count)
    func stops(index: Int) async throws {
        let (end, reason) = Self.ends[index]
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            #expect(try await world.ended(payment.id, end) == nil)
            #expect(try await world.attempts(payment.id) == ["1 sandbox_b started"], "its end is recorded elsewhere")
            #expect(try await world.stopped(payment.id) == reason)
        }
    }

    @Test("a method without a brand, such as a debit, ends and goes on like a card, without a network's budget")
    func unbranded() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            try await world.execute(
                """
                UPDATE payment_methods SET type = 'sepa_debit', brand = NULL, exp_month = NULL, exp_year = NULL
                WHERE id = \(payment.paymentMethodID)
                """)
            // A code of Visa's that would end a card's cascade.
            let next: FollowingAttempt? = try await world.ended(
                payment.id, RoutingWorld.declined("do_not_honor", network: "57"))
            #expect(next?.route.provider == "sandbox_c")
        }
    }

    @Test("a card that its provider keeps for a wallet has its network's budget", arguments: Wallet.allCases)
    func keptForAWallet(wallet: Wallet) async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            try await world.execute("UPDATE payment_methods SET type = \(wallet.rawValue)")
            #expect(try await world.ended(payment.id, RoutingWorld.declined("do_not_honor", network: "57")) == nil)
            #expect(try await world.stopped(payment.id) == "budget")
        }
    }

    @Test("an outage goes on only for whoever set out to ask; after a sweeper took the payment it may have been asked")
    func outage() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            let seen: Instant = try #require(
                try await world.database.transaction { db in
                    try db.first("SELECT stepped_at FROM payments WHERE id = \(payment.id)") { row in
                        try row.next() as Instant
                    }
                })
            try await world.execute("UPDATE payments SET stepped_at = now() WHERE id = \(payment.id)")
            #expect(try await world.ended(payment.id, .outage(steppedAt: seen)) == nil)
            #expect(try await world.attempts(payment.id) == ["1 sandbox_b started"])
            try await world.execute("UPDATE payments SET stepped_at = \(seen) WHERE id = \(payment.id)")
            let next: FollowingAttempt? = try await world.ended(payment.id, .outage(steppedAt: seen))
            #expect(next?.route.provider == "sandbox_c")
            #expect(
                try await world.attempts(payment.id) == ["1 sandbox_b failed outage", "2 sandbox_c started"])
        }
    }

    @Test("faults of a charge are outages only where nothing can have happened") func faults() {
        for (fault, outcome) in [
            (ProviderFault.notSent("no route"), CascadeOutcome.outage), (.rateLimited(retryAfter: 5), .outage),
            (.rejected(code: "no_such_account"), .outage), (.unauthorized(code: "api_key_expired"), .outage),
            (.timedOut, .unknown), (.unavailable(500), .unknown), (.unusable("HTML"), .unknown),
        ] { #expect(CascadeOutcome(fault) == outcome, "\(fault)") }
    }

    @Test("the same end told again, or an earlier attempt's, begins nothing") func repeats() async throws {
        try await withRouting(connections: 8) { world in
            let payment: PaymentRecord = try await routed(world)
            let end = EndedAttempt(
                paymentID: payment.id, attemptID: payment.attemptID, end: RoutingWorld.declined("do_not_honor"))
            let followed: Int = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await world.ended([end]).count } }
                var sum = 0
                for try await count in group { sum += count }
                return sum
            }
            #expect(followed == 1)
            #expect(
                try await world.attempts(payment.id) == ["1 sandbox_b failed do_not_honor", "2 sandbox_c started"])
        }
    }

    @Test("a payment that is not processing, whose card one provider alone keeps, or that is not owed is left alone")
    func others()
        async throws
    {
        try await withRouting { world in
            let plain: PaymentRecord = try await world.approved(world.payer([]))[0]
            #expect(try await world.ended(plain.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(try await world.texts("SELECT id FROM payment_attempts WHERE routing IS NOT NULL").isEmpty)
            let routed: PaymentRecord = try await routed(world)
            try await world.execute("UPDATE payments SET status = 'succeeded' WHERE id = \(routed.id)")
            #expect(try await world.ended(routed.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(try await world.attempts(routed.id) == ["1 sandbox_b started"])
            // One whose invoice was withdrawn while the provider was asked.
            try await world.execute(
                "UPDATE payments SET status = 'processing', invoice_voided = true WHERE id = \(routed.id)")
            #expect(try await world.ended(routed.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(try await world.attempts(routed.id) == ["1 sandbox_b started"])
        }
    }

    @Test("a provider that was taken out since is passed over") func passedOver() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            try await world.execute(
                """
                INSERT INTO providers_down (provider, since, taken_out_by)
                VALUES ('sandbox_c', \(RoutingWorld.start), 'key_test')
                """)
            try await world.book.refresh(world.database)
            let next: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined("do_not_honor"))
            #expect(next?.route.provider == "sandbox")
        }
    }

    @Test("the networks' budgets count the customer's attempts with the card: Mastercard's tenth of a day is the last")
    func budget() async throws {
        try await withRouting { world in
            try await world.rules(Self.rules)
            let payer = try await world.payer(brand: "mastercard")
            // Eight declined attempts of the day, each a payment of its own; blocked ones reached no network.
            for (status, code) in Array(repeating: ("failed", "do_not_honor"), count: 8)
                + Array(repeating: ("failed", "blocked_by_risk"), count: 20)
            {
                let payment: PaymentRecord = try await world.approved(payer)[0]
                try await world.execute(
                    "UPDATE payment_attempts SET status = \(status), decline_code = \(code) WHERE id = \(payment.attemptID)"
                )
            }
            let payment: PaymentRecord = try await world.approved(payer)[0]
            _ = try await world.routed([payment])
            // This one is the ninth: a tenth may follow, an eleventh may not.
            #expect(try await world.ended(payment.id, RoutingWorld.declined("do_not_honor")) != nil)
            #expect(try await world.ended(payment.id, RoutingWorld.declined("do_not_honor")) == nil)
            #expect(try await world.stopped(payment.id) == "budget")
        }
    }

    @Test("an attempt that reached no network takes nothing from the budget when it ends, either") func unsent()
        async throws
    {
        try await withRouting { world in
            try await world.rules(Self.rules)
            let payer = try await world.payer(brand: "mastercard")
            for payment in try await world.approved(payer, 9) {
                try await world.execute(
                    """
                    UPDATE payment_attempts SET status = 'failed', decline_code = 'do_not_honor'
                    WHERE id = \(payment.attemptID)
                    """)
            }
            let payment: PaymentRecord = try await world.approved(payer)[0]
            _ = try await world.routed([payment])
            let seen: Instant = try #require(
                try await world.database.transaction { db in
                    try db.first("SELECT stepped_at FROM payments WHERE id = \(payment.id)") { row in
                        try row.next() as Instant
                    }
                })
            #expect(try await world.ended(payment.id, .outage(steppedAt: seen))?.route.provider == "sandbox_c")
            #expect(try await world.ended(payment.id, RoutingWorld.declined("token_gone"))?.route.provider == "sandbox")
            #expect(
                try await world.attempts(payment.id) == [
                    "1 sandbox_b failed outage", "2 sandbox_c failed token_gone", "3 sandbox started",
                ])
        }
    }

    @Test(
        "what a card was advised before is read by its own network: Mastercard's ten days keep no Visa card waiting",
        arguments: [("mastercard", false), ("visa", true)])
    func advisedBefore(brand: String, follows: Bool) async throws {
        try await withRouting { world in
            try await world.rules(Self.rules)
            let payer = try await world.payer(brand: brand)
            let first: PaymentRecord = try await world.approved(payer)[0]
            try await world.execute(
                """
                UPDATE payment_attempts SET status = 'failed', decline_code = 'insufficient_funds', network_code = '51',
                    advice_code = '30' WHERE id = \(first.attemptID)
                """)
            let second: PaymentRecord = try await world.approved(payer)[0]
            _ = try await world.routed([second])
            let next: FollowingAttempt? = try await world.ended(second.id, RoutingWorld.declined("do_not_honor"))
            #expect((next != nil) == follows)
        }
    }

    @Test(
        "the cardholder's order to stop lets no attempt follow, unless the agreement that it is charged under is newer",
        arguments: [(-60, "mdt_1", false), (60, "mdt_1", true), (60, nil, false)] as [(Int64, String?, Bool)])
    func stopped(agreedAfter seconds: Int64, charged: String?, follows: Bool) async throws {
        try await withRouting { world in
            try await world.rules(Self.rules)
            let payer = try await world.payer()
            let first: PaymentRecord = try await world.approved(payer)[0]
            try await world.execute(
                """
                UPDATE payment_attempts SET status = 'failed', decline_code = 'revocation_of_authorization',
                    network_code = 'R1' WHERE id = \(first.attemptID)
                """)
            try await world.execute(
                """
                UPDATE payment_methods SET mandate_id = 'mdt_1', mandate_type = 'offline',
                    mandate_accepted_at = \(RoutingWorld.start + .seconds(seconds))
                """)
            let second: PaymentRecord = try await world.approved(payer)[0]
            try await world.execute("UPDATE payments SET mandate_id = \(charged) WHERE id = \(second.id)")
            _ = try await world.routed([second])
            let next: FollowingAttempt? = try await world.ended(second.id, RoutingWorld.declined("do_not_honor"))
            #expect((next != nil) == follows)
        }
    }

    @Test("what is followed keeps the network's words as they came") func words() async throws {
        try await withRouting { world in
            let payment: PaymentRecord = try await routed(world)
            let end: EndedAttempt.End = RoutingWorld.declined("do_not_honor", network: "05", advice: "02")
            #expect(try await world.ended(payment.id, end) != nil, "02 says nothing of a Visa card")
            #expect(
                try await world.texts(
                    "SELECT network_code || ' ' || advice_code FROM payment_attempts WHERE number = 1") == ["05 02"])
        }
    }

    @Test("another customer's attempts, another card's and those before an approval count nothing")
    func budgetOfOthers() async throws {
        try await withRouting { world in
            try await world.rules(Self.rules)
            let payer = try await world.payer(brand: "mastercard")
            let other = try await world.payer(brand: "mastercard")
            for from in [payer, other] {
                for payment in try await world.approved(from, 12) {
                    try await world.execute(
                        """
                        UPDATE payment_attempts SET status = 'failed', decline_code = 'do_not_honor',
                            started_at = \(RoutingWorld.start.adding(.seconds(-7_200))) WHERE id = \(payment.attemptID)
                        """)
                }
            }
            let paid: PaymentRecord = try await world.approved(payer)[0]
            try await world.execute(
                """
                UPDATE payment_attempts SET status = 'succeeded',
                    started_at = \(RoutingWorld.start.adding(.seconds(-3_600))) WHERE id = \(paid.attemptID)
                """)
            let payment: PaymentRecord = try await world.approved(payer)[0]
            _ = try await world.routed([payment])
            #expect(try await world.ended(payment.id, RoutingWorld.declined("do_not_honor")) != nil)
        }
    }

    @Test("seeded ends of many payments: attempts never repeat a provider, and follow only soft declines and outages")
    func seeded() async throws {
        var random = Seeded()
        let codes = ["do_not_honor", "processing_error", "expired_card", "fraudulent", "insufficient_funds", "mystery"]
        var script: [[String]] = []
        for _ in 0..<60 { script.append((0..<4).map { _ in codes[Int.random(in: 0..<codes.count, using: &random)] }) }
        try await withRouting { world in
            try await world.rules(Self.rules)
            for (index, ends) in script.enumerated() {
                let payer = try await world.payer(fingerprint: "card\(index)")
                let payment: PaymentRecord = try await world.approved(payer)[0]
                _ = try await world.routed([payment])
                var expected = 1
                for code in ends {
                    let isSoft: Bool = Decline(code: code).reason.declineClass == .soft
                    let next: FollowingAttempt? = try await world.ended(payment.id, RoutingWorld.declined(code))
                    #expect((next != nil) == (isSoft && expected < 3), "\(ends)")
                    if next == nil { break }
                    expected += 1
                }
                let providers: [String] = try await world.texts(
                    "SELECT provider FROM payment_attempts WHERE payment_id = \(payment.id) ORDER BY number")
                #expect(providers.count == expected && Set(providers).count == expected, "\(ends)")
            }
        }
    }
}
