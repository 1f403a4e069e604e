package import BillingCore
package import HTTPKit
import Logging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
package import PaymentRecords
package import PaymentThreeDS
import Postgres
package import ServiceKit

/// Authenticates the customer of a payment whose bank asked for it, by 3-D Secure: the issuer is asked once for an attempt,
/// and its word, from the first answer or from the RReq, begins an authenticated attempt or declines the payment.
///
/// The intent is stored before the AReq goes out. A crash in between spends the AReq: the sweeper ends the attempt as one whose
/// issuer was silent, and the policy lets the payment go on at the merchant's risk or declines it, after which the customer
/// may try again. What the browser brings back decides nothing.
package struct AuthenticatePayment: Sendable {
    private static let passLimit = 100
    /// What callers call the fields whose values an issuer may not be sent.
    private static let inputs: [String: String] = [
        "browserAcceptHeader": "accept_header", "browserUserAgent": "user_agent", "browserIP": "ip_address",
        "browserLanguage": "language",
    ]
    /// For issuers that ask the cardholder on their own way.
    private static let decoupledMinutes = 5

    /// Why a card's customer is not authenticated.
    static var notEnrolled: Problem {
        .conflict("not_enrolled", "The card's issuer cannot be asked by 3-D Secure here.")
    }

    let server: ThreeDSServer
    let seal: CredentialSeal
    /// Where browsers reach this service, without a slash at its end.
    let publicURL: String
    let pool: PostgresPool
    let clock: any WallClock

    init(
        server: ThreeDSServer, credentialSeal: CredentialSeal, publicURL: String, pool: PostgresPool,
        clock: any WallClock
    ) {
        self.server = server
        seal = credentialSeal
        self.publicURL = publicURL
        self.pool = pool
        self.clock = clock
    }

    /// Asks the issuer, or tells how the authentication of the attempt stands that was begun before. The issuer's script
    /// does not run on this way.
    /// - Throws: ``Problem``.
    package func callAsFunction(
        _ id: PaymentID, _ input: AuthenticatePaymentInput
    ) async throws -> Reply<AuthenticationResource> {
        let payment: PaymentRecord? = try await pool.transaction(readOnly: true) { db in
            try PaymentStore.find(id, in: db)
        }
        guard let payment else { throw Problem.notFound("payment", id.rawValue) }
        if let begun: AuthenticationRecord = try await find(payment.attemptID) { return resource(begun) }
        guard payment.awaitsChallenge else { throw ContinuePayment.Failure.notWaiting(payment.status) }
        guard let card: EnrolledCard = try await enrolled(payment) else {
            guard let outcome: AuthenticationOutcome = try await goOn(without: payment) else {
                throw Self.notEnrolled
            }
            return Reply(status: 200, AuthenticationResource(payment.id, status: outcome.verdict.name))
        }
        let authentication = Authentication(terms: try terms(payment, card), range: card.range)
        try await ask(authentication, payment, card, input.browser)
        guard let ended: AuthenticationRecord = try await find(payment.attemptID) else { throw Problem.unavailable() }
        return resource(ended)
    }

    /// A payment's card, where its number is kept here and its issuer takes part; `nil` otherwise. A card out of a wallet is
    /// one as long as it is as printed: one with a cryptogram is a token of the network's, whose wallet has authenticated.
    func enrolled(_ payment: PaymentRecord) async throws -> EnrolledCard? {
        guard let method: PaymentMethodID = payment.paymentMethodID else { return nil }
        let (sealed, series): ([UInt8]?, PaymentSeries) = try await pool.transaction(readOnly: true) { db in
            let sealed: [UInt8]? =
                try AuthenticationStore.number(of: method, in: db)
                ?? WalletStore.credential(of: method, for: payment.id, in: db)
            return (sealed, try PaymentSeries.read(payment.id, in: db))
        }
        guard let sealed, let card: WalletCard = try? seal.open(sealed, for: method.rawValue), !card.isAuthenticated,
            let range: CardRange = await server.range(of: card.number.digits, at: clock.now),
            let scheme = CardScheme(brand: card.number.brand)
        else { return nil }
        return EnrolledCard(card: card, range: range, scheme: scheme, series: series)
    }

    /// Lets a payment go on whose issuer takes no part, where the policy allows it.
    /// - Returns: What was noted of its authentication; `nil` where it does not go on, nor does another attempt, which the
    ///   payment has made meanwhile.
    package func goOn(without payment: PaymentRecord) async throws -> AuthenticationOutcome? {
        let now: Instant = clock.now
        let outcome: AuthenticationOutcome = server.unasked(at: now)
        return try await pool.transactionRetrying { db in
            guard let current: PaymentRecord = try PaymentStore.lock(payment.id, in: db), current.awaitsChallenge,
                current.attemptID == payment.attemptID, word(outcome, on: current) == .unavailable,
                try !AuthenticationStore.has(current.attemptID, in: db)
            else { return nil }
            try AuthenticationStore.note(outcome, on: current.attemptID, of: current.id, in: db)
            try ContinuePayment.decide(current, .unavailable, at: now, in: db)
            return outcome
        }
    }

    /// Declines a payment that cannot go on without its customer's authentication, which nobody can make.
    func refuse(_ payment: PaymentRecord) async throws {
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            try refuse(payment.id, payment.attemptID, server.unasked(at: now), at: now, in: db)
        }
    }

    /// One whose issuer has been asked is left to what comes of that.
    private func refuse(
        _ id: PaymentID, _ attempt: AttemptID, _ outcome: AuthenticationOutcome?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard let payment: PaymentRecord = try PaymentStore.lock(id, in: db), payment.awaitsChallenge,
            payment.attemptID == attempt, try !AuthenticationStore.has(attempt, in: db)
        else { return }
        if let outcome { try AuthenticationStore.note(outcome, on: attempt, of: id, in: db) }
        try ContinuePayment.decide(payment, .refused, at: now, in: db)
    }

    /// Asks the issuer, once for an attempt: who comes second finds what the first one has begun.
    func ask(
        _ authentication: Authentication, _ payment: PaymentRecord, _ card: EnrolledCard, _ browser: CardholderBrowser
    ) async throws {
        var authentication: Authentication = authentication
        let message: [UInt8] = try request(&authentication, card.card, browser)
        guard try await begin(authentication, payment) else { return }
        try await ask(&authentication, message)
        try await settle(authentication)
    }

    func terms(_ payment: PaymentRecord, _ card: EnrolledCard) throws -> AuthenticationTerms {
        let now: Instant = clock.now
        let today = CivilDate(dayNumber: Int(now.seconds / 86_400))
        return try AuthenticationTerms(
            version: card.range.version, scheme: card.scheme,
            purpose: card.series.purpose(with: card.card, in: card.range.version, on: today),
            purchase: AuthenticationTerms.Purchase(amount: payment.amount, at: now),
            preference: payment.challengePreference,
            decoupledMinutes: mayDecouple(card.range) ? Self.decoupledMinutes : nil)
    }

    private func mayDecouple(_ range: CardRange) -> Bool {
        range.canDecouple || (server.offersDecoupled && range.version >= .v220)
    }

    private func request(
        _ authentication: inout Authentication, _ card: WalletCard, _ browser: CardholderBrowser
    ) throws -> [UInt8] {
        let month: String = card.expMonth < 10 ? "0\(card.expMonth)" : "\(card.expMonth)"
        do throws(AuthenticationFault) {
            return try authentication.ask(
                as: server.profile,
                Cardholder(number: card.number.digits, expiry: "\(card.expYear % 100 + 100)".suffix(2) + month),
                browser: browser, at: clock.now)
        } catch {
            guard case .invalidField(let name) = error else { throw Problem.unavailable() }
            throw Problem.invalid(
                Self.inputs[name] ?? name, code: "invalid_browser", "cannot be sent to an issuer as \(name)")
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
            try keepProof(of: authentication, record.paymentID, in: db)
            try finish(record, authentication.outcome, at: now, in: db)
        }
    }

    /// Keeps what the provider is to be told, before the attempt that tells it begins.
    private func keepProof(
        of authentication: Authentication, _ payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws {
        guard let proof: AuthenticationProof = authentication.proof else { return }
        try AuthenticationStore.keepProof(try seal.seal(proof, for: payment), of: authentication.id, in: db)
    }

    /// Takes an RReq. The same one again gets the same answer.
    /// - Returns: What the directory server is answered, `RRes` or `Erro`.
    package func result(_ bytes: [UInt8]) async throws -> [UInt8] {
        let request: ResultRequest
        do throws(ErrorMessage) { request = try ResultRequest(bytes) } catch { return error.serialized }
        let now: Instant = clock.now
        return try await pool.transactionRetrying { db in
            guard let record: AuthenticationRecord = try AuthenticationStore.lock(request.id, in: db) else {
                return request.unknown.serialized
            }
            guard let stored: Authentication = opened(record) else {
                return (record.isOpen ? request.early : request.unknown).serialized
            }
            var authentication: Authentication = stored
            let answer: ResultAnswer = authentication.apply(request, at: now)
            if authentication != stored {
                let sealed: [UInt8]? = answer.isDecision ? try seal.seal(bytes, as: Self.sealName(request.id)) : nil
                try AuthenticationStore.save(authentication, sealedResult: sealed, in: db)
                try keepProof(of: authentication, record.paymentID, in: db)
                try finish(record, authentication.outcome, at: now, in: db)
            }
            return answer.message
        }
    }

    /// An authentication with the RReq that decided it. One that was sealed under another key is as good as none: a
    /// repetition is refused then, and has no effect either way.
    private func opened(_ record: AuthenticationRecord) -> Authentication? {
        guard let sealed: [UInt8] = record.sealedResult,
            let bytes: [UInt8] = try? seal.open(sealed, as: Self.sealName(record.id))
        else { return record.authentication }
        return record.authentication?.decided(by: bytes)
    }

    private static func sealName(_ id: TransactionID) -> String { "three_d_secure result \(id)" }

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

    package var look: Look { Look(name: "3-D Secure", rest: .seconds(1), when: { late }, pass: sweep) }

    private var late: SQL {
        let now: Instant = clock.now
        let (pages, asked): (SQL, SQL) = (AuthenticationPages.late(at: now), AuthenticationStore.late(at: now))
        return "\(SQL.exists(pages)) OR \(SQL.exists(asked))"
    }

    /// Ends what nobody has ended in time: a challenge that was walked away from is a no, and so is one that the customer
    /// never came for.
    @Sendable package func sweep() async throws {
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            for page in try AuthenticationPages.close(at: now, limit: Self.passLimit, in: db) {
                try refuse(page.paymentID, page.attemptID, nil, at: now, in: db)
            }
        }
        try await pool.transactionRetrying { db in
            for record in try AuthenticationStore.overdue(at: now, limit: Self.passLimit, in: db) {
                guard var authentication: Authentication = record.authentication else {
                    try AuthenticationStore.abandon(record.id, in: db)
                    let silence: AuthenticationOutcome = .unavailable(.noAnswer, at: now)
                    try finish(record, silence, at: now, in: db)
                    continue
                }
                authentication.expire(at: now)
                try AuthenticationStore.save(authentication, in: db)
                try finish(record, authentication.outcome, at: now, in: db)
            }
        }
    }

    /// Moves the payment on; one that has moved on already (cancelled) stays where it is.
    private func finish(
        _ record: AuthenticationRecord, _ outcome: AuthenticationOutcome?, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard let outcome else { return }
        try AuthenticationStore.note(outcome, on: record.attemptID, of: record.paymentID, in: db)
        guard let payment: PaymentRecord = try PaymentStore.lock(record.paymentID, in: db), payment.awaitsChallenge,
            payment.attemptID == record.attemptID
        else { return }
        if outcome.verdict == .authenticated, let isTrusted = outcome.isTrusted, let method = payment.paymentMethodID {
            try AuthenticationStore.noteTrust(isTrusted, of: method, in: db)
        }
        try ContinuePayment.decide(payment, word(outcome, on: payment), at: now, in: db)
    }

    /// Where nobody could be asked the policy decides; but a risk that asked for the customer does not go away.
    private func word(_ outcome: AuthenticationOutcome, on payment: PaymentRecord) -> ContinuePayment.Word {
        switch outcome.permission(server.policy) {
        case .authorize: .authenticated
        case .authorizeUnauthenticated:
            payment.authentication?.reason == SCACause.risk.rawValue ? .refused : .unavailable
        case .refuse: .refused
        }
    }

    func find(_ attempt: AttemptID) async throws -> AuthenticationRecord? {
        try await pool.transaction(readOnly: true) { db in try AuthenticationStore.find(attempt, in: db) }
    }

    private func resource(_ record: AuthenticationRecord) -> Reply<AuthenticationResource> {
        Reply(status: 200, AuthenticationResource(record, publicURL: publicURL))
    }
}

extension PaymentRecord {
    /// The customer has to pass a challenge that this service brings them to.
    var awaitsChallenge: Bool { status == .requiresAction && nextAction == .challenge }

    /// What is asked of the issuer: a challenge where the bank has asked for its customer before, or the risk does.
    fileprivate var challengePreference: ChallengePreference {
        guard let cause: SCACause = authentication?.reason.flatMap(SCACause.init(rawValue:)) else { return .mandated }
        let assessment = SCAAssessment(outcome: .required(cause), needsReview: false)
        return assessment.challengeIndicator.flatMap(ChallengePreference.init(rawValue:)) ?? .none
    }
}

/// A card whose issuer can be asked.
struct EnrolledCard: Sendable {
    /// Opened for the length of a call.
    let card: WalletCard
    let range: CardRange
    let scheme: CardScheme
    /// What the payment is part of.
    let series: PaymentSeries
}
