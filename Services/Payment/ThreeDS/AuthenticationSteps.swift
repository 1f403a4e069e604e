package import BillingCore

/// The way to the issuer's first word.
extension Authentication {
    /// The form that runs the issuer's script in a hidden frame, and until when its report is waited for. Whoever hands
    /// it out keeps that time, and goes on with ``resumeMethod(_:)``.
    /// - Parameter notificationURL: Where the script reports, at most 256 characters.
    package func methodForm(
        notificationURL: String, at now: Instant
    ) throws(AuthenticationFault) -> (form: BrowserForm, until: Instant) {
        guard case .created = stage else { throw .illegalStep }
        guard let methodURL else { throw .noMethod }
        guard WebAddress(notificationURL, max: 256) != nil else {
            throw .invalidField("threeDSMethodNotificationURL")
        }
        return (.method(methodURL, id: id, notificationURL: notificationURL), now + limits.method)
    }

    /// Writes the AReq. Once: its id is spent, whatever becomes of the message.
    /// - Returns: The message for the directory server. It holds the card number: send it, do not keep it.
    package mutating func ask(
        as profile: RequestorProfile, _ cardholder: Cardholder, browser: CardholderBrowser?, at now: Instant
    ) throws(AuthenticationFault) -> [UInt8] {
        expire(at: now)
        let completion: MethodCompletion
        switch stage {
        case .created: completion = methodURL == nil ? .unavailable : .notCompleted
        case .methodEnded(let ended): completion = ended
        case .asked, .challenge, .decoupled, .done: throw .illegalStep
        }
        let request = AuthenticationRequest(
            id: id, terms: terms, profile: profile, cardholder: cardholder, browser: browser.map { ($0, completion) })
        let message: [UInt8]
        do {
            message = try request.serialized()
        } catch {
            throw .invalidField(error.name)
        }
        stage = .asked(until: now + limits.answer)
        return message
    }

    /// Takes the directory server's answer; one that comes too late changes nothing.
    /// - Returns: The `Erro` to send the directory server, where the answer was no good; then the outcome is set too.
    package mutating func receive(_ answer: [UInt8], at now: Instant) throws(AuthenticationFault) -> ErrorMessage? {
        if expire(at: now), case .done = stage { return nil }
        guard case .asked = stage else { throw .illegalStep }
        do {
            switch try AuthenticationAnswer(answer, to: id, terms) {
            case .response(let response): take(response, at: now)
            case .error: end(.unavailable(.refusedRequest), at: now)
            }
            return nil
        } catch {
            end(.unavailable(.unusableAnswer), at: now)
            return error
        }
    }

    /// The directory server did not answer, or not with a message. The id is spent: ask again under another one.
    package mutating func askFailed(at now: Instant) throws(AuthenticationFault) {
        if expire(at: now), case .done = stage { return }
        guard case .asked = stage else { throw .illegalStep }
        end(.unavailable(.noAnswer), at: now)
    }

    private mutating func take(_ response: AuthenticationResponse, at now: Instant) {
        switch response.status {
        case .challenge, .decoupled:
            // The reader has made sure of the ids; without them there is nothing to hold an RReq against.
            guard let acs = response.acsTransaction, let directory = response.directoryTransaction else {
                return end(.unavailable(.unusableAnswer), at: now)
            }
            let minutes: Int = terms.decoupledMinutes ?? 0
            let wait: Duration =
                response.status == .challenge ? limits.challenge : .seconds(minutes * 60) + limits.result
            let challenge = Challenge(
                acsTransaction: acs, directoryTransaction: directory, url: response.challenge?.url ?? "",
                isMandated: response.challenge?.isMandated ?? false, cardholderInfo: response.cardholderInfo,
                session: nil, isBegun: response.status == .decoupled, isReturned: false, until: now + wait)
            stage = response.status == .challenge ? .challenge(challenge) : .decoupled(challenge)
        case .authenticated: end(.authenticated, response, at: now)
        case .attempted: end(.attempted, response, at: now)
        case .notAuthenticated: end(.notAuthenticated, response, at: now)
        case .rejected: end(.rejected, response, at: now)
        case .unavailable: end(.unavailable(.issuer), response, at: now)
        case .informational: end(.unavailable(.informational), response, at: now)
        }
    }
}
