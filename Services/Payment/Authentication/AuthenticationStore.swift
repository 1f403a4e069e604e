package import BillingCore
import JSON
package import PaymentContract
package import PaymentThreeDS
package import Postgres

/// An authentication as stored, with what it is for.
package struct AuthenticationRecord: Sendable {
    package let id: TransactionID
    package let paymentID: PaymentID
    package let attemptID: AttemptID
    /// What the browser finds its page by; nobody can guess it.
    package let code: String
    /// Whether it is not decided.
    package let isOpen: Bool
    /// `nil` while the directory server's answer is not there.
    package let authentication: Authentication?
    /// The RReq that decided, sealed.
    package let sealedResult: [UInt8]?
}

/// SQL over authentications by 3-D Secure.
package enum AuthenticationStore {
    /// Stores that an AReq is about to go out; an attempt has one authentication.
    /// - Returns: Whether there was none.
    package static func begin(
        _ id: TransactionID, of payment: PaymentID, _ attempt: AttemptID, until: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let begun: Int = try db.execute(
            """
            INSERT INTO three_d_secure (id, payment_id, attempt_id, code, status, deadline)
            VALUES (\(id.description), \(payment), \(attempt), \(AuthenticationPages.newCode()), 'asked', \(until))
            ON CONFLICT (attempt_id) DO NOTHING
            """)
        return begun == 1
    }

    /// Stores how an authentication stands, with the RReq that decided it, sealed.
    package static func save(
        _ authentication: Authentication, sealedResult: [UInt8]? = nil, in db: borrowing PostgresTransaction
    ) throws {
        let status: String =
            switch authentication.stage {
            case .challenge: "challenge"
            case .decoupled: "decoupled"
            case .done: "done"
            case .created, .methodEnded, .asked: "asked"
            }
        try db.enqueue(
            """
            UPDATE three_d_secure SET status = \(status), state = \(authentication.stored?.description)::jsonb,
                deadline = \(authentication.deadline), result = coalesce(\(sealedResult)::bytea, result)
            WHERE id = \(authentication.id.description)
            """)
    }

    /// Locks an authentication.
    package static func lock(
        _ id: TransactionID, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationRecord? {
        try db.first("SELECT \(columns) FROM three_d_secure WHERE id = \(id.description) FOR UPDATE") { row in
            try read(&row)
        } ?? nil
    }

    /// By the code in the page's address.
    package static func find(
        code: String, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationRecord? {
        try db.first("SELECT \(columns) FROM three_d_secure WHERE code = \(code)") { row in try read(&row) } ?? nil
    }

    /// Of a payment's attempt.
    package static func find(
        _ attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationRecord? {
        try db.first("SELECT \(columns) FROM three_d_secure WHERE attempt_id = \(attempt)") { row in try read(&row) }
            ?? nil
    }

    /// Whether an attempt is in the issuer's hands, so that nobody else may say how its authentication ended.
    package static func has(_ attempt: AttemptID, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first("SELECT true FROM three_d_secure WHERE attempt_id = \(attempt)") { row in try row.next() } ?? false
    }

    /// Those whose time is over.
    package static func late(at now: Instant) -> SQL {
        "SELECT \(columns) FROM three_d_secure WHERE status <> 'done' AND deadline <= \(now) ORDER BY deadline"
    }

    /// Locks those whose time is over; others that are locked are left to whoever holds them.
    package static func overdue(
        at now: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [AuthenticationRecord] {
        try db.query("\(late(at: now)) LIMIT \(limit) FOR UPDATE SKIP LOCKED") { row in
            try read(&row)
        }.compactMap { $0 }
    }

    /// Ends one whose AReq had no answer: a crash in between, which spent its id.
    package static func abandon(_ id: TransactionID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE three_d_secure SET status = 'done', deadline = NULL WHERE id = \(id.description)")
    }

    /// Notes on an attempt, and on its payment while that is at it, how the customer was authenticated, and who bears fraud.
    package static func note(
        _ outcome: AuthenticationOutcome, on attempt: AttemptID, of payment: PaymentID,
        in db: borrowing PostgresTransaction
    ) throws {
        let texts: [(String, String?)] = [
            ("by", "three_d_secure"), ("result", outcome.verdict.name), ("eci", outcome.indicator),
            ("ds_transaction", outcome.directoryTransaction?.description), ("liability", outcome.liability.rawValue),
            ("version", outcome.version.rawValue),
        ]
        try note(texts, challenged: outcome.wasChallenged, on: attempt, of: payment, in: db)
    }

    /// Keeps what the authorization is to be told, sealed, until the payment is over.
    package static func keepProof(
        _ sealed: [UInt8], of id: TransactionID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE three_d_secure SET proof = \(sealed) WHERE id = \(id.description)")
    }

    /// Notes that the provider could not pass on what was decided, or came of it: the merchant bears fraud.
    package static func noteUntold(
        on attempt: AttemptID, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws { try note([("liability", "merchant")], on: attempt, of: payment, in: db) }

    /// Notes that the sandbox's customer has passed its challenge.
    package static func notePassed(
        on attempt: AttemptID, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws {
        let texts: [(String, String?)] = [("by", "sandbox"), ("result", "authenticated"), ("liability", "issuer")]
        try note(texts, challenged: true, on: attempt, of: payment, in: db)
    }

    /// Notes how a provider has authenticated a customer itself.
    package static func note(
        _ word: ProviderAuthentication, on attempt: AttemptID, of payment: PaymentID,
        in db: borrowing PostgresTransaction
    ) throws {
        let texts: [(String, String?)] = [
            ("by", "provider"), ("result", word.result.rawValue), ("eci", word.indicator),
            ("liability", word.isShifted ? "issuer" : "merchant"),
        ]
        try note(texts, on: attempt, of: payment, in: db)
    }

    /// - Parameter challenged: Whether the customer was asked to do something; `nil` where that is not known.
    private static func note(
        _ texts: [(String, String?)], challenged: Bool? = nil, on attempt: AttemptID, of payment: PaymentID,
        in db: borrowing PostgresTransaction
    ) throws {
        var members: [JSONMember] = texts.compactMap { name, text in
            text.map { JSONMember(name: name, value: .string($0)) }
        }
        if let challenged { members.append(JSONMember(name: "challenged", value: .bool(challenged))) }
        let noted: String = JSONValue.object(members).description
        try db.enqueue(
            """
            UPDATE payment_attempts SET authentication = coalesce(authentication, '{}') || \(noted)::jsonb
            WHERE id = \(attempt)
            """)
        try db.enqueue(
            """
            UPDATE payments SET authentication = coalesce(authentication, '{}') || \(noted)::jsonb
            WHERE id = \(payment) AND attempt_id = \(attempt)
            """)
    }

    /// Notes the issuer's word on whether a card's customer has the merchant on their list (article 13); the last one counts.
    package static func noteTrust(
        _ isTrusted: Bool, of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE payment_methods SET trusted_beneficiary = \(isTrusted) WHERE id = \(method)")
    }

    /// Takes back that the merchant is on the lists of cards whose issuers asked for the customer although it was claimed.
    /// - Parameter attempts: Those that claimed it, as long as their payments are at them; locks the payments' rows first.
    package static func distrust(
        _ attempts: [(payment: PaymentID, attempt: AttemptID)], in db: borrowing PostgresTransaction
    ) throws {
        guard !attempts.isEmpty else { return }
        try db.enqueue(
            """
            WITH asked AS (
                SELECT p.payment_method_id FROM unnest(\(attempts.map(\.payment.rawValue))::text[],
                    \(attempts.map(\.attempt.rawValue))::text[]) AS o(id, attempt_id)
                JOIN payments p ON p.id = o.id AND p.attempt_id = o.attempt_id ORDER BY p.id FOR UPDATE OF p)
            UPDATE payment_methods m SET trusted_beneficiary = false FROM asked
            WHERE m.id = asked.payment_method_id AND m.trusted_beneficiary
            """)
    }

    /// Keeps a card's number, sealed, where the directory server has to be told it later.
    package static func keepNumber(
        _ sealed: [UInt8], of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("INSERT INTO three_d_secure_cards (payment_method_id, sealed) VALUES (\(method), \(sealed))")
    }

    /// A card's sealed number.
    package static func number(
        of method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> [UInt8]? {
        try db.first("SELECT sealed FROM three_d_secure_cards WHERE payment_method_id = \(method)") { row in
            try row.next()
        }
    }

    private static let columns: SQL = "id, payment_id, attempt_id, code, status <> 'done', state::text, result"

    private static func read(_ row: inout PostgresRow) throws -> AuthenticationRecord? {
        let text: String = try row.next()
        let payment: PaymentID = try row.next()
        let attempt: AttemptID = try row.next()
        let code: String = try row.next()
        let isOpen: Bool = try row.next()
        let state: String? = try row.next()
        let result: [UInt8]? = try row.next()
        guard let id = TransactionID(text) else { return nil }
        let json: JSONValue? = try state.map { try parseJSON($0) }
        return AuthenticationRecord(
            id: id, paymentID: payment, attemptID: attempt, code: code, isOpen: isOpen,
            authentication: json.flatMap { Authentication(id: id, stored: $0, result: nil) }, sealedResult: result)
    }
}
