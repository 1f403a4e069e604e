package import BillingCore
package import HTTPKit
import Logging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentThreeDS
import Postgres

/// Authenticates the customer of a payment whose bank asked for it, by 3-D Secure: the issuer is asked once for an attempt,
/// and its word, from the first answer or from the RReq, begins an authenticated attempt or declines the payment.
///
/// The intent is stored before the AReq goes out. A crash in between spends the AReq: the sweeper declines the attempt,
/// after which the customer may try again. What the browser brings back decides nothing.
package struct AuthenticatePayment: Sendable {
    private static let passLimit = 100
    /// For issuers that ask the cardholder on their own way.
    private static let decoupledMinutes = 5

    let server: ThreeDSServer
    let seal: CredentialSeal
    let pool: PostgresPool
    let clock: any WallClock

    init(server: ThreeDSServer, credentialSeal: CredentialSeal, pool: PostgresPool, clock: any WallClock) {
        self.server = server
        seal = credentialSeal
        self.pool = pool
        self.clock = clock
    }

    /// Asks the issuer, or tells how the authentication of the attempt stands that was begun before.
    /// - Throws: ``Problem``.
    package func callAsFunction(
        _ call: Call, _ id: PaymentID, _ input: AuthenticatePaymentInput
    ) async throws -> Reply<AuthenticationResource> {
        let (payment, sealed): (PaymentRecord, [UInt8]?) = try await pool.transaction(readOnly: true) { db in
            guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else {
                throw Problem.notFound("payment", id.rawValue)
            }
            return (payment, try payment.paymentMethodID.flatMap { try AuthenticationStore.number(of: $0, in: db) })
        }
        if let begun: AuthenticationRecord = try await find(payment.attemptID) { return resource(begun) }
        guard payment.awaitsChallenge else { throw ContinuePayment.Failure.notWaiting(payment.status) }
        guard let sealed, let method: PaymentMethodID = payment.paymentMethodID,
            let card: WalletCard = try? seal.open(sealed, for: method.rawValue),
            let range: CardRange = await server.range(of: card.number.digits, at: clock.now),
            let scheme = CardScheme(brand: card.number.brand)
        else { throw Problem.conflict("not_enrolled", "The card's issuer cannot be asked by 3-D Secure here.") }
        var authentication = Authentication(terms: try terms(payment, range, scheme), range: range)
        let message: [UInt8] = try request(&authentication, card, input)
        guard try await begin(authentication, payment) else {
            guard let begun: AuthenticationRecord = try await find(payment.attemptID) else {
                throw Problem.unavailable()
            }
            return resource(begun)
        }
        try await ask(&authentication, message)
        try await settle(authentication)
        guard let ended: AuthenticationRecord = try await find(payment.attemptID) else { throw Problem.unavailable() }
        return resource(ended)
    }

    private func terms(
        _ payment: PaymentRecord, _ range: CardRange, _ scheme: CardScheme
    ) throws -> AuthenticationTerms {
        try AuthenticationTerms(
            version: range.version, scheme: scheme,
            purchase: AuthenticationTerms.Purchase(amount: payment.amount, at: clock.now),
            decoupledMinutes: range.canDecouple ? Self.decoupledMinutes : nil)
    }

    private func request(
        _ authentication: inout Authentication, _ card: WalletCard, _ input: AuthenticatePaymentInput
    ) throws -> [UInt8] {
        let month: String = card.expMonth < 10 ? "0\(card.expMonth)" : "\(card.expMonth)"
        do throws(AuthenticationFault) {
            return try authentication.ask(
                as: server.profile,
                Cardholder(number: card.number.digits, expiry: "\(card.expYear % 100 + 100)".suffix(2) + month),
                browser: input.browser, at: clock.now)
        } catch {
            guard case .invalidField(let name) = error else { throw Problem.unavailable() }
            throw Problem.invalid("browser", code: "invalid_browser", "\(name) cannot be sent to an issuer")
        }
    }

    private func begin(_ authentication: Authentication, _ payment: PaymentRecord) async throws -> Bool {
        let until: Instant = authentication.deadline ?? clock.now
        return try await pool.transactionRetrying { db in
            guard let now: PaymentRecord = try PaymentStore.lock(payment.id, in: db), now.awaitsChallenge,
                now.attemptID == payment.attemptID
            else { throw ContinuePayment.Failure.notWaiting(payment.status) }
            return try AuthenticationStore.begin(authentication.id, of: now.id, now.attemptID, until: until, in: db)
        }
    }

    private func ask(_ authentication: inout Authentication, _ message: [UInt8]) async throws {
        do {
            let answer: [UInt8] = try await server.ask(message)
            if let error: ErrorMessage = try authentication.receive(answer, at: clock.now) {
                _ = try await server.ask(error.serialized)
            }
        } catch is DirectoryFault {
            if authentication.outcome == nil { try authentication.askFailed(at: clock.now) }
        }
        if case .challenge = authentication.stage {
            _ = try authentication.beginChallenge(window: .fullPage, at: clock.now)
        }
    }

    private func settle(_ authentication: Authentication) async throws {
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            // Ended by the sweeper in the meantime: that stands.
            guard let record: AuthenticationRecord = try AuthenticationStore.lock(authentication.id, in: db),
                record.authentication == nil, record.isOpen
            else { return }
            try AuthenticationStore.save(authentication, in: db)
            try finish(record, authentication.outcome, at: now, in: db)
        }
    }

    /// Takes an RReq. The same one again gets the same answer.
    /// - Returns: What the directory server is answered, `RRes` or `Erro`.
    package func result(_ bytes: [UInt8]) async throws -> [UInt8] {
        let request: ResultRequest
        do throws(ErrorMessage) { request = try ResultRequest(bytes) } catch { return error.serialized }
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            guard let record: AuthenticationRecord = try AuthenticationStore.lock(request.id, in: db),
                let stored: Authentication = record.authentication
            else { return request.unknown.serialized }
            var authentication: Authentication = stored
            let answer: ResultAnswer = authentication.apply(request, at: now)
            if authentication != stored {
                try AuthenticationStore.save(authentication, result: answer.isDecision ? bytes : nil, in: db)
                try finish(record, authentication.outcome, at: now, in: db)
            }
            return answer.message
        }
    }

    /// The browser is back from the issuer's page. That decides nothing.
    /// - Returns: The code of the page to show; `nil` for what fits no authentication.
    package func returned(_ cres: String, session: String?) async throws -> String? {
        guard let response = try? ChallengeResponse(cres) else { return nil }
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            guard let record: AuthenticationRecord = try AuthenticationStore.lock(response.id, in: db),
                let stored: Authentication = record.authentication
            else { return nil }
            var authentication: Authentication = stored
            do { try authentication.cardholderReturned(response, session: session, at: now) } catch { return nil }
            if authentication != stored {
                try AuthenticationStore.save(authentication, in: db)
                try finish(record, authentication.outcome, at: now, in: db)
            }
            return record.code
        }
    }

    /// Sweeps until cancelled.
    func run(_ logger: Logger) async throws {
        while !Task.isCancelled {
            do { try await sweep() } catch is CancellationError { return } catch {
                logger.warning("authentications stay open", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Ends what nobody has ended in time: a challenge that was walked away from is a no.
    package func sweep() async throws {
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            for record in try AuthenticationStore.overdue(at: now, limit: Self.passLimit, in: db) {
                guard var authentication: Authentication = record.authentication else {
                    try AuthenticationStore.abandon(record.id, in: db)
                    try decide(record, passed: false, at: now, in: db)
                    continue
                }
                authentication.expire(at: now)
                try AuthenticationStore.save(authentication, in: db)
                try finish(record, authentication.outcome, at: now, in: db)
            }
        }
    }

    private func finish(
        _ record: AuthenticationRecord, _ outcome: AuthenticationOutcome?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard let outcome else { return }
        try AuthenticationStore.note(outcome, on: record.attemptID, in: db)
        let passed: Bool = outcome.permission(server.policy) == .authorize
        guard let next: AttemptID = try decide(record, passed: passed, at: now, in: db) else { return }
        try AuthenticationStore.note(outcome, on: next, in: db)
    }

    /// Moves the payment on; one that has moved on already (cancelled) stays where it is.
    @discardableResult
    private func decide(
        _ record: AuthenticationRecord, passed: Bool, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> AttemptID? {
        guard let payment: PaymentRecord = try PaymentStore.lock(record.paymentID, in: db), payment.awaitsChallenge,
            payment.attemptID == record.attemptID
        else { return nil }
        return try ContinuePayment.confirm(payment.id, passed: passed, byIssuer: true, at: now, in: db).attemptID
    }

    private func find(_ attempt: AttemptID) async throws -> AuthenticationRecord? {
        try await pool.transaction(readOnly: true) { db in try AuthenticationStore.find(attempt, in: db) }
    }

    private func resource(_ record: AuthenticationRecord) -> Reply<AuthenticationResource> {
        Reply(status: 200, AuthenticationResource(record))
    }
}

extension PaymentRecord {
    /// The customer has to pass a challenge that this service brings them to.
    fileprivate var awaitsChallenge: Bool { status == .requiresAction && nextAction == .challenge }
}
