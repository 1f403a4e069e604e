/// A version of the protocol that this server speaks.
package enum MessageVersion: String, Sendable, CaseIterable, Comparable {
    case v210 = "2.1.0"
    case v220 = "2.2.0"

    /// Orders by age.
    package static func < (left: MessageVersion, right: MessageVersion) -> Bool { left.rawValue < right.rawValue }
}

/// `transStatus`: a party's word on the cardholder.
package enum TransactionStatus: String, Sendable, CaseIterable {
    /// Authenticated.
    case authenticated = "Y"
    /// Not authenticated, but the attempt is proven.
    case attempted = "A"
    /// A challenge must be passed first.
    case challenge = "C"
    /// The issuer authenticates on a way of its own and tells later (2.2.0).
    case decoupled = "D"
    /// Not authenticated.
    case notAuthenticated = "N"
    /// The issuer asks not to authorize.
    case rejected = "R"
    /// Nobody could be asked.
    case unavailable = "U"
    /// Taken note of; nothing was authenticated because nothing was asked for (2.2.0).
    case informational = "I"

    /// Whether an ARes of this version may carry it.
    func mayAnswer(_ version: MessageVersion) -> Bool {
        switch self {
        case .decoupled, .informational: version >= .v220
        default: true
        }
    }

    /// Whether an RReq or a CRes may carry it: only what ends an authentication.
    var isFinal: Bool {
        switch self {
        case .authenticated, .attempted, .notAuthenticated, .rejected, .unavailable: true
        case .challenge, .decoupled, .informational: false
        }
    }

    /// Whether an authentication value and an ECI must come with it.
    var carriesProof: Bool { self == .authenticated || self == .attempted }
}

/// `threeDSRequestorChallengeInd`: what the merchant would like.
package enum ChallengePreference: String, Sendable, CaseIterable {
    case none = "01"
    case noChallenge = "02"
    case challenge = "03"
    /// Required by law or mandate, as after a soft decline.
    case mandated = "04"
    /// The exemption for transaction risk analysis is claimed (2.2.0).
    case riskAnalysisDone = "05"
    /// Data is shared, nothing asked for (2.2.0).
    case dataShareOnly = "06"
    /// The customer was authenticated by other means (2.2.0).
    case alreadyAuthenticated = "07"
    /// The customer put the merchant on the issuer's list (2.2.0).
    case trustedBeneficiary = "08"
    /// A challenge that offers to put the merchant on the issuer's list (2.2.0).
    case enrolTrustedBeneficiary = "09"

    var firstVersion: MessageVersion { rawValue <= "04" ? .v210 : .v220 }

    /// Whether the answer may be "informational only".
    var mayBeAcknowledged: Bool {
        self == .riskAnalysisDone || self == .dataShareOnly || self == .alreadyAuthenticated
    }
}

/// `threeRIInd`: why the merchant asks without the customer.
package enum MerchantInitiation: String, Sendable, CaseIterable {
    case recurring = "01"
    case instalment = "02"
    case addCard = "03"
    case maintainCard = "04"
    case verifyAccount = "05"
    case splitShipment = "06"
    case topUp = "07"
    case mailOrder = "08"
    case telephoneOrder = "09"
    case trustedBeneficiaryStatus = "10"
    case otherPayment = "11"
}

/// `threeDSCompInd`: what became of the issuer's script in the browser.
package enum MethodCompletion: String, Sendable, CaseIterable {
    case completed = "Y"
    case notCompleted = "N"
    /// The card's range has no method URL.
    case unavailable = "U"
}

/// `challengeWindowSize`: the frame that the challenge is shown in, in pixels.
package enum ChallengeWindow: String, Sendable, CaseIterable {
    case width250height400 = "01"
    case width390height400 = "02"
    case width500height600 = "03"
    case width600height400 = "04"
    case fullPage = "05"
}

/// `challengeCancel`: why a challenge ended early. Source: CyberSource's field reference, after EMVCo.
package enum ChallengeCancellation: String, Sendable, CaseIterable {
    case byCardholder = "01"
    case byMerchant = "02"
    case decoupledTimedOut = "03"
    case timedOut = "04"
    case neverStarted = "05"
    case transactionError = "06"
    case unknown = "07"
    case timedOutInApp = "08"

    /// Nobody passed the challenge, and no machine is to blame: whoever it was walked away.
    var isAbandonment: Bool {
        switch self {
        case .byCardholder, .decoupledTimedOut, .timedOut, .neverStarted, .timedOutInApp: true
        case .byMerchant, .transactionError, .unknown: false
        }
    }
}
