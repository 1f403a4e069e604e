package import BillingCore
package import PaymentRecords
package import Postgres

/// A link's payment with the visit that began it.
package struct LinkUse: Sendable {
    package let paymentID: PaymentID
    package let session: String
}

/// SQL over the uses of links: methods given on their pages, and their payments.
package enum LinkUseStore {
    /// How many cards and other methods a link for one payment takes in an hour of real time, and a link for several from one
    /// visit, and from one address whose visits have not paid: a thief who tries stolen numbers needs many more.
    package static let methodsPerHour = 15
    /// How many a link for several takes of visits that have not paid, and one more for each of those that have: so many
    /// addresses it takes to shut others out.
    package static let unpaidMethodsPerHour = 150

    /// Whether the payment `p` of a use counts. One whose whole money came too late, so that the service gave it back by
    /// itself, paid nothing. It counts until the money is back, as the provider may refuse that refund, and again if
    /// the refund fails afterwards. What a merchant refunds was paid.
    static let counts: SQL = "NOT \(givenBack("'succeeded'"))"

    /// Whether a refund in one of some states gives all the money of the payment `p` back, by the service's own will.
    private static func givenBack(_ states: SQL) -> SQL {
        """
        EXISTS (
            SELECT 1 FROM refunds r
            WHERE r.payment_id = p.id AND r.amount = p.amount_captured AND r.status IN (\(states))
                AND r.reason IN (\(OwnRefund.ofEndedPayment), \(OwnRefund.ofOverpaidPlan)))
        """
    }

    /// Binds a card, or a method used once, to the visit it was given on; the link's row is locked.
    /// - Parameter visitor: Who visits, see ``HTTPKit/Visitor``.
    package static func bind(
        _ method: PaymentMethodID, to link: PaymentLinkID, session: LinkSession, from visitor: String,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO payment_link_cards (payment_method_id, link_id, session, visitor)
            VALUES (\(method), \(link), \(session.text), \(hash(of: visitor, on: link)))
            """)
    }

    /// What a visitor is counted by on one link.
    private static func hash(of visitor: String, on link: PaymentLinkID) -> SQL {
        "left(encode(sha256(convert_to(\(link)::text || ' ' || \(visitor)::text, 'UTF8')), 'hex'), 32)"
    }

    /// For how many seconds a link takes no further card or other method of a visit; `nil`: it takes one now. A link for one
    /// payment is one person's. On any other nobody is to shut all others out, and who pays does not count.
    package static func secondsUntilNextMethod(
        of link: LinkRecord, session: LinkSession, from visitor: String, in db: borrowing PostgresTransaction
    ) throws -> Int? {
        guard link.maxUses != 1 else { return try secondsUntilNextMethod(of: link.id, in: db) }
        let last: Int = methodsPerHour - 1
        return try db.first(
            """
            WITH lately AS (
                SELECT c.session, c.visitor, c.stored_at, EXISTS (
                    SELECT 1 FROM payment_link_payments u JOIN payments p ON p.id = u.payment_id
                    WHERE u.link_id = c.link_id AND u.slot = c.session AND NOT u.replaced
                        AND p.status IN ('succeeded', 'authorized')) AS paid
                FROM payment_link_cards c WHERE c.link_id = \(link.id) AND c.stored_at > now() - interval '1 hour')
            SELECT ceil(extract(epoch FROM max(t.stored_at) + interval '1 hour' - now()))::int FROM (
                (SELECT stored_at FROM lately WHERE session = \(session.text)
                    ORDER BY stored_at DESC OFFSET \(last) LIMIT 1)
                UNION ALL
                (SELECT stored_at FROM lately WHERE visitor = \(hash(of: visitor, on: link.id)) AND NOT paid
                    ORDER BY stored_at DESC OFFSET \(last) LIMIT 1)
                UNION ALL
                (SELECT stored_at FROM lately WHERE NOT paid ORDER BY stored_at DESC
                    OFFSET (SELECT count(*) + \(unpaidMethodsPerHour - 1)::bigint FROM lately WHERE paid) LIMIT 1)
            ) AS t
            """
        ) { row in try row.next() as Int? } ?? nil
    }

    private static func secondsUntilNextMethod(
        of link: PaymentLinkID, in db: borrowing PostgresTransaction
    ) throws -> Int? {
        try db.first(
            """
            SELECT ceil(extract(epoch FROM stored_at + interval '1 hour' - now()))::int FROM payment_link_cards
            WHERE link_id = \(link) AND stored_at > now() - interval '1 hour'
            ORDER BY stored_at DESC OFFSET \(methodsPerHour - 1) LIMIT 1
            """
        ) { row in try row.next() }
    }

    /// Whether a method was given on this link's page in this visit.
    package static func isBound(
        _ method: PaymentMethodID, to link: PaymentLinkID, session: LinkSession, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT true FROM payment_link_cards
            WHERE payment_method_id = \(method) AND link_id = \(link) AND session = \(session.text)
            """
        ) { row in try row.next() } ?? false
    }

    /// The method that a token became when this visit handed it over; `nil` when it has not.
    package static func method(
        _ token: String, of link: PaymentLinkID, session: LinkSession, in db: borrowing PostgresTransaction
    ) throws -> PaymentMethodID? {
        try db.first(
            """
            SELECT m.id FROM payment_link_cards c JOIN payment_methods m ON m.id = c.payment_method_id
            WHERE c.link_id = \(link) AND c.session = \(session.text) AND m.provider_token = \(token)
            """
        ) { row in try row.next() }
    }

    /// Whether a payment of a link was tried with a method; the link's row is locked.
    package static func wasTried(
        _ method: PaymentMethodID, on link: PaymentLinkID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.first(
            """
            SELECT true FROM payment_link_payments u JOIN payment_attempts a ON a.payment_id = u.payment_id
            WHERE u.link_id = \(link) AND a.payment_method_id = \(method) LIMIT 1
            """
        ) { row in try row.next() } ?? false
    }

    /// The payment of a slot; `nil` when there is none that counts.
    package static func payment(
        of link: PaymentLinkID, slot: String, in db: borrowing PostgresTransaction
    ) throws -> LinkUse? {
        try db.first(
            """
            SELECT u.payment_id, u.session FROM payment_link_payments u JOIN payments p ON p.id = u.payment_id
            WHERE u.link_id = \(link) AND u.slot = \(slot) AND NOT u.replaced AND \(counts)
            """
        ) { row in LinkUse(paymentID: try row.next(), session: try row.next()) }
    }

    /// The payment of the slot that a payment of a link was made in: that payment, or the one in its place since; `nil`
    /// when it is not this link's.
    package static func payment(
        inPlaceOf payment: PaymentID, of link: PaymentLinkID, in db: borrowing PostgresTransaction
    ) throws -> LinkUse? {
        let found: String? = try db.first(
            "SELECT slot FROM payment_link_payments WHERE payment_id = \(payment) AND link_id = \(link)"
        ) { row in try row.next() }
        guard let slot: String = found else { return nil }
        return try self.payment(of: link, slot: slot, in: db)
    }

    /// Whether a payment's own way back is the page of a link it was made through.
    package static func leadsBack(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        guard let address: String = payment.returnURL else { return false }
        return try db.first(
            """
            SELECT true FROM payment_link_payments u JOIN payment_links l ON l.id = u.link_id
            WHERE u.payment_id = \(payment.id) AND \(address)::text LIKE '%/pay/' || l.code LIMIT 1
            """
        ) { row in try row.next() } ?? false
    }

    /// How many payments of other slots went through or still may; the link's row is locked.
    private static func othersAlive(
        than slot: String, of link: PaymentLinkID, in db: borrowing PostgresTransaction
    ) throws -> Int {
        try db.first(
            """
            SELECT count(*)::int FROM payment_link_payments u JOIN payments p ON p.id = u.payment_id
            WHERE u.link_id = \(link) AND u.slot <> \(slot) AND NOT u.replaced AND p.status NOT IN ('failed', 'canceled')
                AND \(counts)
            """
        ) { row in try row.next() } ?? 0
    }

    /// Whether payments of other slots have taken all places of a link, so that none can begin in this one.
    package static func isFull(
        _ link: LinkRecord, for slot: String, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        guard let maxUses: Int = link.maxUses, maxUses > 1 else { return false }
        return try othersAlive(than: slot, of: link.id, in: db) >= maxUses
    }

    /// Makes a payment the slot's; one before it was cancelled, or does not count.
    package static func use(
        _ link: PaymentLinkID, slot: String, session: LinkSession, payment: PaymentID,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE payment_link_payments SET replaced = true
            WHERE link_id = \(link) AND slot = \(slot) AND NOT replaced
            """)
        _ = try db.execute(
            """
            INSERT INTO payment_link_payments (payment_id, link_id, slot, session)
            VALUES (\(payment), \(link), \(slot), \(session.text))
            """)
    }

    /// Makes the payment of an invoice that of the link's one slot, before anybody visits; the payment's row is locked.
    package static func share(
        _ link: PaymentLinkID, _ payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO payment_link_payments (payment_id, link_id, slot, session)
            VALUES (\(payment), \(link), \(LinkRecord.sharedSlot), '')
            """)
    }

    /// The payments of a link, newest first.
    package static func payments(
        of link: PaymentLinkID, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentID] {
        try db.query(
            """
            SELECT payment_id FROM payment_link_payments WHERE link_id = \(link) ORDER BY payment_id DESC LIMIT \(limit)
            """
        ) { row in try row.next() }
    }

    /// What must never be: a link paid more often than it may be, or with another amount. Money that is on its way back
    /// was not paid.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try db.query(
            """
            SELECT 'payment link ' || l.id || ' was paid ' || count(*) || ' times, allowed once'
            FROM payment_links l JOIN payment_link_payments u ON u.link_id = l.id JOIN payments p ON p.id = u.payment_id
            WHERE l.max_uses = 1 AND p.status IN ('succeeded', 'authorized')
                AND NOT \(givenBack("'processing', 'succeeded'"))
            GROUP BY l.id HAVING count(*) > 1
            UNION ALL
            SELECT 'payment ' || p.id || ' is not of the amount of its link ' || l.id
            FROM payment_links l JOIN payment_link_payments u ON u.link_id = l.id JOIN payments p ON p.id = u.payment_id
            LEFT JOIN instalments i ON i.id = p.instalment_id LEFT JOIN instalment_plans q ON q.id = i.plan_id
            WHERE (coalesce(q.amount, p.amount), p.currency, p.customer_id)
                IS DISTINCT FROM (l.amount, l.currency, l.customer_id)
            """
        ) { row in try row.next() }
    }
}
