package import BillingCore

/// How long the parties may take.
package struct AuthenticationLimits: Sendable, Equatable {
    /// For the issuer's script in the browser: ten seconds by the protocol.
    package let method: Duration
    /// For the directory server's answer.
    package let answer: Duration
    /// For the cardholder at the challenge.
    package let challenge: Duration
    /// For the RReq, once the browser is back or a decoupled authentication should have ended.
    package let result: Duration

    package init(
        method: Duration = .seconds(10), answer: Duration = .seconds(30), challenge: Duration = .seconds(600),
        result: Duration = .seconds(60)
    ) {
        self.method = method
        self.answer = answer
        self.challenge = challenge
        self.result = result
    }
}

/// One authentication of a cardholder by 3-D Secure 2, as a 3DS server sees it.
///
/// A value without I/O: it takes what arrives, checks it against what was issued, and moves on. Times are handed in;
/// every step first lets a deadline that has passed take effect.
///
///     created ─▶ method ended ─▶ asked ─▶ challenge ─▶ done
///        └──────────────────────▶ └─▶ decoupled ─▶ ┘
package struct Authentication: Sendable, Equatable {
    /// Where it stands.
    package enum Stage: Sendable, Equatable {
        case created
        /// The issuer's script has run in the browser, or has had the time to.
        case methodEnded(MethodCompletion)
        /// The AReq is out.
        case asked(until: Instant)
        /// The cardholder must pass a challenge; the RReq decides.
        case challenge(Challenge)
        /// The issuer asks the cardholder on its own way; the RReq decides.
        case decoupled(Challenge)
        case done(AuthenticationOutcome)
    }

    /// What an RReq is held against.
    package struct Challenge: Sendable, Equatable {
        package let acsTransaction: TransactionID
        /// Known to the directory server and us only: a browser cannot make up an RReq.
        package let directoryTransaction: TransactionID
        /// The issuer's page; empty for a decoupled one.
        package let url: String
        package let isMandated: Bool
        package let cardholderInfo: String?
        /// What the browser carries to the issuer and back, to find its way in our pages.
        package internal(set) var session: String?
        /// Whether the CReq was handed out.
        package internal(set) var isBegun: Bool
        /// Whether the browser came back.
        package internal(set) var isReturned: Bool
        package internal(set) var until: Instant
    }

    package let id: TransactionID
    package let terms: AuthenticationTerms
    /// The issuer's script, where the card's range has one.
    package let methodURL: String?
    package let limits: AuthenticationLimits
    package internal(set) var stage: Stage
    /// The RReq that decided: a repetition of it gets the same answer.
    package internal(set) var result: ResultRequest?

    /// Begins an authentication under a new id.
    /// - Parameter range: What the directory says of the card, see ``CardRangeCache``.
    package init(
        id: TransactionID = .new(), terms: AuthenticationTerms, range: CardRange,
        limits: AuthenticationLimits = AuthenticationLimits()
    ) {
        self.id = id
        self.terms = terms
        methodURL = terms.channel == .browser ? range.methodURL : nil
        self.limits = limits
        stage = .created
    }

    /// The outcome, when there is one.
    package var outcome: AuthenticationOutcome? {
        guard case .done(let outcome) = stage else { return nil }
        return outcome
    }

    /// When ``expire(at:)`` has something to do.
    package var deadline: Instant? {
        switch stage {
        case .created, .methodEnded, .done: nil
        case .asked(let until): until
        case .challenge(let challenge), .decoupled(let challenge): challenge.until
        }
    }

    /// Lets a deadline that has passed take effect.
    ///
    /// A challenge that nobody passed in time is a "no", not a "could not be asked": else walking away from it would be
    /// a way around it.
    /// - Returns: Whether anything changed.
    @discardableResult
    package mutating func expire(at now: Instant) -> Bool {
        guard let deadline, now >= deadline else { return false }
        switch stage {
        case .asked: end(.unavailable(.noAnswer), at: now)
        case .challenge(let challenge), .decoupled(let challenge):
            end(.notAuthenticated, of: challenge, at: now)
        case .created, .methodEnded, .done: return false
        }
        return true
    }
}

/// A step that cannot be taken.
package enum AuthenticationFault: Error, Sendable, Equatable {
    /// Not where the authentication stands.
    case illegalStep
    /// The card's range has no method URL.
    case noMethod
    /// An element that we cannot send.
    case invalidField(String)
}
