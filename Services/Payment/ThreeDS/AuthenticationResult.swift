package import BillingCore

/// From the challenge to the outcome.
extension Authentication {
    /// Hands out the form that brings the browser to the issuer's page. Again after a reload, with the same contents.
    /// - Parameter session: Our own note that the browser brings back, at most 700 bytes; never a secret.
    package mutating func beginChallenge(
        window: ChallengeWindow, session: String? = nil, at now: Instant
    ) throws(AuthenticationFault) -> BrowserForm {
        expire(at: now)
        guard case .challenge(var challenge) = stage, !challenge.isReturned else { throw .illegalStep }
        // Base 64 must not exceed 1,024 characters.
        guard session?.utf8.count ?? 0 <= 700 else { throw .invalidField("threeDSSessionData") }
        if !challenge.isBegun { challenge.session = session }
        challenge.isBegun = true
        stage = .challenge(challenge)
        return .challenge(challenge, id: id, version: terms.version, window: window)
    }

    /// The browser is back. That decides nothing: from here the RReq has a little time left to arrive.
    /// - Parameter session: The form field `threeDSSessionData` as it came.
    /// - Throws: What does not fit what was issued; nothing has changed then.
    package mutating func cardholderReturned(
        _ response: ChallengeResponse, session: String?, at now: Instant
    ) throws(ErrorMessage) {
        expire(at: now)
        func fault(_ code: ErrorMessage.Code, _ name: String) -> ErrorMessage {
            ErrorMessage(code, detail: name, about: "CRes", version: response.version, transaction: response.id)
        }
        guard response.id == id else { throw fault(.unknownTransaction, "threeDSServerTransID") }
        guard response.version == terms.version else { throw fault(.contradiction, "messageVersion") }
        switch stage {
        case .challenge(var challenge):
            guard challenge.isBegun else { throw fault(.contradiction, "messageType") }
            guard response.acsTransaction == challenge.acsTransaction else {
                throw fault(.unknownTransaction, "acsTransID")
            }
            let carried: String? = (session ?? "").isEmpty ? nil : session
            guard carried == challenge.session.map(BrowserForm.sessionField) else {
                throw fault(.contradiction, "threeDSSessionData")
            }
            guard !challenge.isReturned else { return }
            challenge.isReturned = true
            challenge.until = min(challenge.until, now + limits.result)
            stage = .challenge(challenge)
        case .done(let outcome):
            guard outcome.wasChallenged, response.acsTransaction == outcome.acsTransaction else {
                throw fault(.unknownTransaction, "acsTransID")
            }
        case .created, .methodEnded, .asked, .decoupled: throw fault(.contradiction, "messageType")
        }
    }

    /// Takes the RReq and decides.
    ///
    /// The same RReq again gets the same answer and decides nothing. Another one for an authentication that is decided
    /// is refused, as is one that names other ids than the ARes did.
    package mutating func apply(_ request: ResultRequest, at now: Instant) -> ResultAnswer {
        if let result {
            guard request == result else { return ResultAnswer(refusing: request.fault(.contradiction, "transStatus")) }
            return ResultAnswer(accepting: request, challengeBegun: outcome?.wasChallenged ?? false, isDecision: false)
        }
        expire(at: now)
        let challenge: Challenge
        switch stage {
        case .challenge(let waiting), .decoupled(let waiting): challenge = waiting
        case .asked: return ResultAnswer(refusing: request.early)
        case .done(let outcome):
            // Decided without an RReq: too late, or there never was to be one.
            let isLate: Bool = outcome.acsTransaction == request.acsTransaction && outcome.verdict == .notAuthenticated
            return ResultAnswer(refusing: request.fault(isLate ? .timedOut : .unknownTransaction, "acsTransID"))
        case .created, .methodEnded:
            return ResultAnswer(refusing: request.fault(.unknownTransaction, "acsTransID"))
        }
        if let error = mismatch(request, challenge) { return ResultAnswer(refusing: error) }
        result = request
        end(verdict(of: request), of: challenge, request, at: now)
        return ResultAnswer(accepting: request, challengeBegun: challenge.isBegun, isDecision: true)
    }

    /// What in an RReq does not fit what was issued and asked.
    private func mismatch(_ request: ResultRequest, _ challenge: Challenge) -> ErrorMessage? {
        if request.id != id { return request.fault(.unknownTransaction, "threeDSServerTransID") }
        if request.acsTransaction != challenge.acsTransaction {
            return request.fault(.unknownTransaction, "acsTransID")
        }
        if request.directoryTransaction != challenge.directoryTransaction {
            return request.fault(.unknownTransaction, "dsTransID")
        }
        if request.version != terms.version { return request.fault(.contradiction, "messageVersion") }
        if request.category != terms.category { return request.fault(.contradiction, "messageCategory") }
        if let indicator = request.indicator, !terms.scheme.knows(indicator) { return request.fault(.malformed, "eci") }
        // Nobody can have passed a challenge that was never shown.
        if request.status.carriesProof, !challenge.isBegun { return request.fault(.contradiction, "transStatus") }
        return nil
    }

    private func verdict(of request: ResultRequest) -> AuthenticationOutcome.Verdict {
        switch request.status {
        case .authenticated: .authenticated
        case .attempted: .attempted
        case .rejected: .rejected
        case .notAuthenticated: .notAuthenticated
        // Given up is a "no", whatever the issuer calls it: else walking away would be a way around the challenge.
        case .unavailable, .challenge, .decoupled, .informational:
            request.cancellation?.isAbandonment == true ? .notAuthenticated : .unavailable(.issuer)
        }
    }

    /// Ends on the issuer's first word, or without one.
    mutating func end(
        _ verdict: AuthenticationOutcome.Verdict, _ response: AuthenticationResponse? = nil, at now: Instant
    ) {
        stage = .done(
            AuthenticationOutcome(
                verdict: verdict, version: terms.version, indicator: response?.indicator, value: response?.value,
                directoryTransaction: response?.directoryTransaction, acsTransaction: response?.acsTransaction,
                reason: response?.reason, cancellation: nil, wasChallenged: false,
                liability: liability(response?.status, response?.indicator),
                cardholderInfo: response?.cardholderInfo, isTrusted: response?.isTrusted, at: now))
    }

    /// Ends a challenge, by an RReq or by silence.
    mutating func end(
        _ verdict: AuthenticationOutcome.Verdict, of challenge: Challenge, _ request: ResultRequest? = nil,
        at now: Instant
    ) {
        stage = .done(
            AuthenticationOutcome(
                verdict: verdict, version: terms.version, indicator: request?.indicator, value: request?.value,
                directoryTransaction: challenge.directoryTransaction, acsTransaction: challenge.acsTransaction,
                reason: request?.reason, cancellation: request?.cancellation, wasChallenged: challenge.isBegun,
                liability: liability(request?.status, request?.indicator),
                cardholderInfo: challenge.cardholderInfo, isTrusted: request?.isTrusted, at: now))
    }

    /// The issuer bears it only for the very indicator that goes with the status.
    private func liability(
        _ status: TransactionStatus?, _ indicator: String?
    ) -> AuthenticationOutcome.Liability {
        guard let status, let proven = terms.scheme.provenIndicator(status) else { return .merchant }
        return indicator == proven ? .issuer : .merchant
    }
}
