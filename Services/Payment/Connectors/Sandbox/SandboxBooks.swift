import PaymentContract
import BillingCore
import PaymentDomain
import Postgres

/// SQL over the sandbox provider's books.
enum SandboxBooks {
    /// Books what is new under its key and answers with what stands there.
    static func charge(
        _ charges: [SandboxCharge], at acquirer: SandboxAcquirer, on now: Instant, heldUntil: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> [Result<ChargeAnswer, any Error>] {
        let keys: [AttemptID] = charges.map(\.request.idempotencyKey)
        let answers: [SandboxAnswer] = charges.map {
            acquirer.answer($0.card.answer(to: $0.request), to: $0.request)
        }
        let courses: [String?] = charges.map { $0.card.refunds?.rawValue }
        let booked: Int = try db.execute(
            """
            INSERT INTO sandbox_charges
                (provider, idempotency_key, reference, amount, currency, outcome, decline_code, captured, held_until,
                    occurred_at, mandate_id, network_transaction_id, authentication, refund_course)
            SELECT \(acquirer.name), c.key, 'ch_' || c.key, c.amount, c.currency, c.outcome, c.decline_code,
                CASE WHEN c.outcome = 'succeeded' THEN c.amount ELSE 0 END,
                CASE WHEN c.outcome = 'authorized' THEN \(heldUntil)::timestamptz END, \(now)::timestamptz,
                c.mandate_id, c.network_id, c.authentication, c.refund_course
            FROM unnest(\(keys.map(\.rawValue))::text[], \(charges.map(\.request.amount.minor))::bigint[],
                \(charges.map(\.request.amount.currency.code))::text[], \(answers.map(\.outcome.rawValue))::text[],
                \(answers.map(\.declineCode))::text[], \(charges.map(\.request.mandate))::text[],
                \(charges.map(\.request.networkTransactionID))::text[],
                \(charges.map(\.request.toldOfAuthentication))::text[], \(courses)::text[]
            ) AS c(key, amount, currency, outcome, decline_code, mandate_id, network_id, authentication, refund_course)
            ON CONFLICT (idempotency_key) DO NOTHING
            """)
        if booked == charges.count {
            return zip(keys, answers).map { .success($1.charge(under: $0, heldUntil: heldUntil)) }
        }
        let standing: [AttemptID: ChargeAnswer] = try Self.answers(to: keys, of: acquirer.name, in: db)
        return keys.map { key in
            guard let answer: ChargeAnswer = standing[key] else {
                return .failure(ProviderFault.unusable("the charge is not in the books"))
            }
            return .success(answer)
        }
    }

    /// What stands under keys; absent ones were never seen.
    static func answers(
        to keys: [AttemptID], of acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: ChargeAnswer] {
        let rows: [(AttemptID, ChargeAnswer)] = try db.query(
            """
            SELECT idempotency_key, outcome, decline_code, held_until FROM sandbox_charges
            WHERE idempotency_key = ANY(\(keys.map(\.rawValue))::text[]) AND provider = \(acquirer)
            """
        ) { row in
            let key: AttemptID = try row.next()
            let answer = SandboxAnswer(outcome: try row.nextCase(), declineCode: try row.next())
            return (key, answer.charge(under: key, heldUntil: try row.next()))
        }
        return Dictionary(rows) { first, _ in first }
    }

    /// A charge, its row locked: what is read after it is read with every earlier capture and refund in sight.
    private struct Charge: PostgresRecord {
        let key: AttemptID
        let amount: Int64
        let captured: Int64
        let heldUntil: Instant?
        /// What becomes of its refunds by itself.
        let refunds: SandboxRefundCourse?

        init(row: inout PostgresRow) throws {
            key = try row.next()
            amount = try row.next()
            captured = try row.next()
            heldUntil = try row.next()
            let course: String? = try row.next()
            refunds = course.flatMap { SandboxRefundCourse(rawValue: $0) }
        }
    }

    private static func lock(
        _ reference: String, of acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> Charge? {
        try db.first(
            """
            SELECT idempotency_key, amount, captured, held_until, refund_course FROM sandbox_charges
            WHERE reference = \(reference) AND provider = \(acquirer) FOR UPDATE
            """, as: Charge.self)
    }

    /// Takes a part of what is held; the last capture lets go of the rest.
    static func capture(
        _ request: CaptureRequest, at now: Instant, by acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> CaptureAnswer {
        guard let charge: Charge = try lock(request.reference, of: acquirer, in: db) else {
            return .refused(code: "charge_not_found")
        }
        let known: String? = try db.first(
            "SELECT reference FROM sandbox_captures WHERE idempotency_key = \(request.idempotencyKey)"
        ) { row in try row.next() }
        if let known { return .captured(reference: known) }
        guard let heldUntil: Instant = charge.heldUntil, heldUntil > now else {
            return .refused(code: "authorization_expired")
        }
        guard request.amount.minor <= charge.amount - charge.captured else {
            return .refused(code: "amount_too_large")
        }
        let reference = "cp_\(request.idempotencyKey.rawValue)"
        try db.enqueue(
            """
            INSERT INTO sandbox_captures (idempotency_key, reference, charge_key, amount, occurred_at)
            VALUES (\(request.idempotencyKey), \(reference), \(charge.key), \(request.amount.minor), \(now))
            """)
        let isOver: Bool = request.isFinal || request.amount.minor == charge.amount - charge.captured
        _ = try db.execute(
            """
            UPDATE sandbox_charges SET captured = captured + \(request.amount.minor),
                held_until = CASE WHEN \(isOver) THEN NULL ELSE held_until END
            WHERE idempotency_key = \(charge.key)
            """)
        return .captured(reference: reference)
    }

    /// Lets go of what is held; nothing held any more is as good.
    static func release(
        _ request: ReleaseRequest, by acquirer: String, in db: borrowing PostgresTransaction
    ) throws -> ReleaseAnswer {
        guard let charge: Charge = try lock(request.reference, of: acquirer, in: db) else {
            return .refused(code: "charge_not_found")
        }
        _ = try db.execute("UPDATE sandbox_charges SET held_until = NULL WHERE idempotency_key = \(charge.key)")
        return .released
    }

    /// Whether a charge that was only authorized still holds money; `nil` for any other.
    static func holds(_ reference: String, in db: borrowing PostgresTransaction) throws -> Bool? {
        try db.first(
            """
            SELECT held_until IS NOT NULL FROM sandbox_charges
            WHERE reference = \(reference) AND outcome = 'authorized'
            """
        ) { row in try row.next() }
    }

    /// What was captured of a charge that was only authorized, and whether it still holds money, as of one moment; `nil` for
    /// any other.
    static func takings(of reference: String, in db: borrowing PostgresTransaction) throws -> ProviderTakings? {
        var isHeld: Bool?
        let taken: [ProviderTakings.Taking?] = try db.query(
            """
            SELECT c.held_until IS NOT NULL, c.currency, p.reference, p.idempotency_key, p.amount
            FROM sandbox_charges c LEFT JOIN sandbox_captures p ON p.charge_key = c.idempotency_key
            WHERE c.reference = \(reference) AND c.outcome = 'authorized' ORDER BY p.idempotency_key
            """
        ) { row in
            isHeld = try row.next()
            let currency: Currency = try row.next()
            let name: String? = try row.next()
            let key: String? = try row.next()
            let minor: Int64? = try row.next()
            guard let name, let key, let minor else { return nil }
            return ProviderTakings.Taking(
                reference: name, captureID: CaptureID(key), amount: Money(minor: minor, currency: currency))
        }
        return isHeld.map { ProviderTakings(taken: taken.compactMap(\.self), isHeld: $0) }
    }

    /// A refund by its reference; `nil` when there is none.
    static func refund(named reference: String, in db: borrowing PostgresTransaction) throws -> ProviderRefund? {
        try db.first(
            """
            SELECT r.idempotency_key, coalesce(r.refunded_reference, c.reference), r.amount, c.currency, r.is_pending,
                r.failure_code
            FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
            WHERE r.reference = \(reference)
            """
        ) { row in
            let key: String = try row.next()
            let taken: String = try row.next()
            let amount = Money(minor: try row.next(), currency: try row.next())
            return ProviderRefund(
                reference: reference, taken: taken, refundID: RefundID(key), amount: amount,
                state: SandboxRefundCourse.state(isPending: try row.next(), failure: try row.next()))
        }
    }

    /// Books a refund under its key; the books refuse to give back more than was taken by what it names.
    static func refund(
        _ request: RefundRequest, by acquirer: String, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> RefundAnswer {
        let part: (charge: String, amount: Int64)? = try db.first(
            """
            SELECT c.reference, p.amount FROM sandbox_captures p
            JOIN sandbox_charges c ON c.idempotency_key = p.charge_key WHERE p.reference = \(request.reference)
            """
        ) { row in (try row.next(), try row.next()) }
        guard let charge: Charge = try lock(part?.charge ?? request.reference, of: acquirer, in: db),
            charge.captured > 0
        else {
            return .refused(code: "charge_not_found")
        }
        let known: RefundAnswer? = try db.first(
            """
            SELECT reference, is_pending, failure_code FROM sandbox_refunds
            WHERE idempotency_key = \(request.idempotencyKey)
            """
        ) { row in
            let reference: String = try row.next()
            switch SandboxRefundCourse.state(isPending: try row.next(), failure: try row.next()) {
            case .pending: return .pending(reference: reference)
            case .succeeded: return .refunded(reference: reference)
            case .failed(let code): return .refused(code: code)
            }
        }
        if let known { return known }
        let returned: (byPart: Int64, byCharge: Int64)? = try db.first(
            """
            SELECT coalesce(sum(amount) FILTER (WHERE \(part == nil) OR refunded_reference = \(request.reference)), 0)::bigint,
                coalesce(sum(amount), 0)::bigint
            FROM sandbox_refunds WHERE charge_key = \(charge.key) AND failure_code IS NULL
            """
        ) { row in (try row.next(), try row.next()) }
        guard let returned, (part?.amount ?? charge.captured) - returned.byPart >= request.amount.minor else {
            return .refused(code: "charge_already_refunded")
        }
        let disputed: Int64 = try SandboxDisputeBooks.taken(from: charge.key, in: db)
        guard charge.captured - returned.byCharge - disputed >= request.amount.minor else {
            return .refused(code: "charge_disputed")
        }
        return try insert(request, of: charge, at: now, in: db)
    }

    /// What is pending has given nothing back yet, but is spoken for.
    private static func insert(
        _ request: RefundRequest, of charge: Charge, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> RefundAnswer {
        let reference = "re_\(request.idempotencyKey.rawValue)"
        let isPending: Bool = charge.refunds == .pendsFirst
        let due: Instant? = charge.refunds.map { _ in now + SandboxRefundCourse.wait }
        _ = try db.execute(
            """
            INSERT INTO sandbox_refunds
                (idempotency_key, reference, charge_key, refunded_reference, amount, occurred_at, is_pending, due_at)
            VALUES (\(request.idempotencyKey), \(reference), \(charge.key), \(request.reference),
                \(request.amount.minor), \(now), \(isPending), \(due))
            """)
        return isPending ? .pending(reference: reference) : .refunded(reference: reference)
    }
}

extension ChargeRequest {
    /// The charge that the customer made themselves, where one without them refers to it.
    fileprivate var networkTransactionID: String? {
        guard case .merchant(let id) = initiation else { return nil }
        return id
    }

    /// What the charge says of its customer's authentication: what is claimed, or the proof without its cryptogram.
    fileprivate var toldOfAuthentication: String? {
        guard let proof else { return claim?.name }
        return [proof.status, proof.indicator ?? "-", proof.directoryTransaction, proof.version]
            .joined(separator: " ")
    }
}
