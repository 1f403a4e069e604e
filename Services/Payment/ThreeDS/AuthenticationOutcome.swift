package import BillingCore

/// What an authentication came to. It is final.
package struct AuthenticationOutcome: Sendable, Equatable {
    /// The word.
    package enum Verdict: Sendable, Equatable {
        /// The cardholder is who pays.
        case authenticated
        /// The issuer or its scheme vouches for the attempt.
        case attempted
        /// Not authenticated, given up, or not answered in time after a challenge was asked for.
        case notAuthenticated
        /// The issuer asks not to authorize. Never authorize.
        case rejected
        /// Nobody said yes or no; the policy decides.
        case unavailable(Cause)
    }

    /// Why nobody said yes or no.
    package enum Cause: String, Sendable, CaseIterable {
        /// The issuer could not do it (U).
        case issuer
        /// The issuer took note of an exemption or of shared data (I).
        case informational
        /// The card's range is in no directory.
        case notEnrolled = "not_enrolled"
        /// The directory server could not be reached, failed, or was silent for too long.
        case noAnswer = "no_answer"
        /// The directory server refused our message: a fault to look into.
        case refusedRequest = "refused_request"
        /// The answer was not one: broken, of another transaction, or without its proof.
        case unusableAnswer = "unusable_answer"
    }

    /// Who bears a fraudulent payment.
    package enum Liability: String, Sendable, CaseIterable {
        case issuer, merchant
    }

    package let verdict: Verdict
    package let version: MessageVersion
    /// The scheme's indicator, for the authorization.
    package let indicator: String?
    /// The cryptogram, for the authorization; only with ``Verdict/authenticated`` and ``Verdict/attempted``.
    package let value: AuthenticationValue?
    /// The directory server's id, for the authorization.
    package let directoryTransaction: TransactionID?
    /// The issuer's id, for disputes.
    package let acsTransaction: TransactionID?
    /// `transStatusReason`: why not.
    package let reason: String?
    package let cancellation: ChallengeCancellation?
    /// Whether the cardholder was asked to do something.
    package let wasChallenged: Bool
    package let liability: Liability
    /// The issuer's words for the cardholder; text, to be escaped.
    package let cardholderInfo: String?
    /// Whether the merchant is on the cardholder's list of trusted beneficiaries; `nil` where the issuer does not say. Told
    /// once, and not stored.
    package let isTrusted: Bool?
    package let at: Instant

    /// Takes over an outcome, as when it is read from storage.
    package init(
        verdict: Verdict, version: MessageVersion, indicator: String?, value: AuthenticationValue?,
        directoryTransaction: TransactionID?, acsTransaction: TransactionID?, reason: String?,
        cancellation: ChallengeCancellation?, wasChallenged: Bool, liability: Liability, cardholderInfo: String?,
        isTrusted: Bool? = nil, at: Instant
    ) {
        self.verdict = verdict
        self.version = version
        self.indicator = indicator
        self.value = value
        self.directoryTransaction = directoryTransaction
        self.acsTransaction = acsTransaction
        self.reason = reason
        self.cancellation = cancellation
        self.wasChallenged = wasChallenged
        self.liability = liability
        self.cardholderInfo = cardholderInfo
        self.isTrusted = isTrusted
        self.at = at
    }
}

extension AuthenticationOutcome {
    /// The outcome where no answer of an issuer's is there.
    package static func unavailable(_ cause: Cause, at now: Instant) -> AuthenticationOutcome {
        AuthenticationOutcome(
            verdict: .unavailable(cause), version: .v220, indicator: nil, value: nil, directoryTransaction: nil,
            acsTransaction: nil, reason: nil, cancellation: nil, wasChallenged: false, liability: .merchant,
            cardholderInfo: nil, at: now)
    }
}

/// Which authorizations may go out without an authentication.
package struct UnauthenticatedPolicy: Sendable, Equatable {
    /// The causes after which a payment goes on at the merchant's risk.
    package let goesOn: Set<AuthenticationOutcome.Cause>

    package init(goesOn: Set<AuthenticationOutcome.Cause>) { self.goesOn = goesOn }

    /// Only what the issuer itself took note of.
    package static let strict = UnauthenticatedPolicy(goesOn: [.informational])
    /// Also where nobody could be asked; never after an answer that makes no sense.
    package static let lenient = UnauthenticatedPolicy(goesOn: [.informational, .issuer, .notEnrolled, .noAnswer])
}

extension AuthenticationOutcome {
    /// What may be done with the payment.
    package enum Permission: String, Sendable, CaseIterable {
        /// Authorize, with the indicator, the value and the directory server's id.
        case authorize
        /// Authorize at the merchant's risk.
        case authorizeUnauthenticated = "authorize_unauthenticated"
        case refuse
    }

    /// What may be done with the payment under a policy. No policy lets a "no" pass.
    package func permission(_ policy: UnauthenticatedPolicy) -> Permission {
        switch verdict {
        case .authenticated, .attempted: .authorize
        case .notAuthenticated, .rejected: .refuse
        case .unavailable(let cause): policy.goesOn.contains(cause) ? .authorizeUnauthenticated : .refuse
        }
    }
}
