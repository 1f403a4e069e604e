package import BillingCore
package import PaymentContract
package import Postgres

/// SQL over methods whose keeping at a provider is not over.
package enum KeptMethodStore {
    /// What is wanted of a method once it is kept, and how the customer agreed.
    package struct Wish: Sendable {
        let isDefault: Bool
        let acceptedIP: String?
        let acceptedAgent: String?

        package init(isDefault: Bool, acceptedIP: String?, acceptedAgent: String?) {
            self.isDefault = isDefault
            self.acceptedIP = acceptedIP
            self.acceptedAgent = acceptedAgent
        }
    }

    /// A method that its provider is to be asked about.
    package struct Open: PostgresRecord, Sendable {
        package let provider: String
        /// The provider's name of the saving, where it has told one.
        package let reference: String?
        package let request: SaveMethodRequest

        package init(row: inout PostgresRow) throws {
            let id: PaymentMethodID = try row.next()
            let customer: CustomerID = try row.next()
            let type: String = try row.next()
            provider = try row.next()
            let token: String = try row.next()
            reference = try row.next()
            let returnURL: String? = try row.next()
            let acceptedAt: Instant = try row.next()
            let address: String? = try row.next()
            let agent: String? = try row.next()
            let acceptance: SaveMethodRequest.Acceptance? = address.map {
                SaveMethodRequest.Acceptance(acceptedAt: acceptedAt, ipAddress: $0, userAgent: agent ?? "")
            }
            request = SaveMethodRequest(
                methodID: id, customerID: customer, type: type, token: token, returnURL: returnURL ?? "",
                acceptance: acceptance)
        }
    }

    /// Notes the wish of a method just stored.
    package static func note(
        _ wish: Wish, of id: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE payment_methods SET wants_default = \(wish.isDefault), accepted_ip = \(wish.acceptedIP),
                accepted_agent = \(wish.acceptedAgent) WHERE id = \(id)
            """)
    }

    /// A method whose keeping is not over; `nil` for any other.
    package static func open(_ id: PaymentMethodID, in db: borrowing PostgresTransaction) throws -> Open? {
        try db.first(
            """
            SELECT id, customer_id, type, provider, provider_token, setup_reference, return_url, created_at,
                accepted_ip, accepted_agent
            FROM payment_methods WHERE id = \(id) AND status IN ('pending', 'requires_action')
            """, as: Open.self)
    }

    /// Records a provider's word on keeping a method, whose customer's row is locked. A method that still waits for its
    /// owner when their time is over has failed.
    /// - Parameters:
    ///   - now: The business clock's time.
    ///   - actionEnd: Until when the owner has time if they are asked for something only now.
    /// - Returns: Whether the method was still open.
    package static func record(
        _ answer: SaveMethodAnswer, of id: PaymentMethodID, at now: Instant, until actionEnd: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        switch answer {
        case .saved(let method): return try keep(method, as: id, at: now, in: db)
        case .actionRequired(let reference, let action):
            guard try wait(id, reference: reference, for: action.stored, until: actionEnd, in: db) else { return false }
            _ = try fail(id, code: "action_expired", where: "action_expires_at <= \(now)", in: db)
            return true
        case .pending(let reference):
            return try db.execute(
                """
                UPDATE payment_methods SET status = 'pending', setup_reference = \(reference), setup_action = NULL,
                    stepped_at = now(), action_expires_at = NULL, look_at = NULL,
                    looks = CASE WHEN status = 'pending' THEN looks ELSE 0 END
                WHERE id = \(id) AND status IN ('pending', 'requires_action')
                """) == 1
        case .declined(let decline): return try fail(id, code: decline.code, in: db)
        }
    }

    /// Methods whose provider has not said yet how their keeping ended: it is asked after waits that double from `lostSeconds`
    /// to an hour.
    package static func stopped(lostSeconds: Int) -> SQL {
        """
        SELECT id FROM payment_methods
        WHERE status = 'pending' AND stepped_at < now() - make_interval(secs => \(lostSeconds))
            AND stepped_at < now() - make_interval(secs =>
                least(\(lostSeconds)::double precision * 2 ^ least(looks, 20), 3600))
        ORDER BY stepped_at
        """
    }

    /// Takes them. Taking one counts as a step, so that no other instance does.
    package static func takeStopped(
        lostSeconds: Int, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodID] {
        try db.query(
            """
            UPDATE payment_methods SET stepped_at = now(), looks = looks + 1
            WHERE id IN (\(stopped(lostSeconds: lostSeconds)) LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            RETURNING id
            """
        ) { row in try row.next() }
    }

    /// Methods that wait for their owners and are to be asked about: they may have done what was asked of them without
    /// coming back. A method is asked about after waits that double from a minute to an hour, and once the owner's time is
    /// over.
    /// - Parameters:
    ///   - now: The business clock's time.
    ///   - lostSeconds: After so long the provider is asked again about one whose time is over.
    package static func waiting(at now: Instant, lostSeconds: Int) -> SQL {
        """
        SELECT id FROM payment_methods
        WHERE status = 'requires_action' AND (look_at <= now() OR (action_expires_at <= \(now)
            AND stepped_at < now() - make_interval(secs => \(lostSeconds))))
        ORDER BY look_at
        """
    }

    /// Takes them. Taking one counts as a step, so that no other instance does.
    package static func takeWaiting(
        at now: Instant, lostSeconds: Int, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PaymentMethodID] {
        try db.query(
            """
            UPDATE payment_methods SET stepped_at = now(), looks = looks + 1,
                look_at = now() + make_interval(secs => least(60 * 2 ^ least(looks, 20), 3600))
            WHERE id IN (\(waiting(at: now, lostSeconds: lostSeconds)) LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            RETURNING id
            """
        ) { row in try row.next() }
    }

    /// The owner's time begins when they are first asked.
    private static func wait(
        _ id: PaymentMethodID, reference: String, for action: String, until end: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE payment_methods SET status = 'requires_action', setup_reference = \(reference),
                setup_action = \(action)::jsonb, stepped_at = now(),
                action_expires_at = coalesce(action_expires_at, \(end)::timestamptz),
                look_at = coalesce(look_at, now() + interval '1 minute'),
                looks = CASE WHEN status = 'pending' THEN 0 ELSE looks END
            WHERE id = \(id) AND status IN ('pending', 'requires_action')
            """) == 1
    }

    private static func fail(
        _ id: PaymentMethodID, code: String, where condition: SQL = "true", in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE payment_methods SET status = 'failed', failure_code = \(code), setup_action = NULL,
                mandate_ended_at = mandate_accepted_at
            WHERE id = \(id) AND status IN ('pending', 'requires_action') AND \(condition)
            """) == 1
    }

    /// A fingerprint of the provider's is the provider's own: it carries its name. As the default it takes the place of the one
    /// before, and of those that were to be kept as it earlier.
    private static func keep(
        _ method: SavedMethod, as id: PaymentMethodID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.enqueue(
            """
            UPDATE payment_methods SET is_default = false, wants_default = false
            WHERE (is_default OR (wants_default AND status IN ('pending', 'requires_action') AND id < \(id)))
                AND customer_id = (
                SELECT customer_id FROM payment_methods
                WHERE id = \(id) AND wants_default AND status IN ('pending', 'requires_action'))
            """)
        return try db.execute(
            """
            UPDATE payment_methods SET status = 'active', setup_action = NULL, is_default = wants_default,
                default_since = CASE WHEN wants_default THEN \(now)::timestamptz END,
                provider_token = \(method.token), provider_customer = \(method.customer), brand = \(method.brand),
                last4 = \(method.last4), exp_month = \(method.expMonth), exp_year = \(method.expYear),
                fingerprint = coalesce(provider || ':' || \(method.fingerprint), id)
            WHERE id = \(id) AND status IN ('pending', 'requires_action')
            """) == 1
    }
}
