/// Whether a payment needs strong customer authentication, and what follows.
public struct SCAAssessment: Sendable, Hashable {
    /// The answer.
    public let outcome: SCAOutcome
    /// A person must look at it; the authorization is held until then.
    public let needsReview: Bool

    /// Who bears fraud when the payment goes on as the answer says.
    ///
    /// The payee's side bears it for what it asks to skip, the payer's provider for lists of its own and for what it
    /// authenticated (directive (EU) 2015/2366 article 74 (2); EBA opinion EBA-Op-2018-04, table 2).
    public var liability: SCALiability {
        switch outcome {
        case .exempt(.trustedBeneficiary): .issuer
        case .exempt, .outOfScope: .merchant
        case .required: .issuerOnceAuthenticated
        case .blocked: .merchant
        }
    }

    /// `threeDSRequestorChallengeInd` of an authentication request that goes with it (EMV 3-D Secure 2.2); `nil` when
    /// none is sent.
    public var challengeIndicator: String? {
        switch outcome {
        case .exempt(.riskAnalysis): "05"
        case .exempt(.trustedBeneficiary): "08"
        case .exempt: "02"
        case .required(.risk): "03"
        case .required(.softDecline), .required(.agreement), .required(.unprovenAgreement): "04"
        case .required: "01"
        case .outOfScope, .blocked: nil
        }
    }

    /// Makes an assessment, such as one that was stored.
    public init(outcome: SCAOutcome, needsReview: Bool) {
        self.outcome = outcome
        self.needsReview = needsReview
    }
}

/// The answer.
public enum SCAOutcome: Sendable, Hashable {
    /// It may go on without, under this exemption.
    case exempt(SCAExemption)
    /// The customer must authenticate.
    case required(SCACause)
    /// The law does not ask.
    case outOfScope(SCAScope)
    /// The risk rules stop it.
    case blocked
}

/// Exemptions for remote card payments (Delegated Regulation (EU) 2018/389). Articles 10 to 12, 15 and 17 are about
/// account information, contactless payments, unattended terminals, transfers to oneself and companies' own processes, none
/// of which comes here.
public enum SCAExemption: String, Sendable, CaseIterable {
    /// Article 13.
    case trustedBeneficiary = "trusted_beneficiary"
    /// Article 14.
    case recurring
    /// Article 16.
    case lowValue = "low_value"
    /// Article 18.
    case riskAnalysis = "risk_analysis"
}

/// Why the customer must authenticate.
public enum SCACause: String, Sendable, CaseIterable {
    /// No exemption holds.
    case regulation
    /// The risk score asks for it.
    case risk
    /// It sets up or changes a series or an agreement (article 14; directive (EU) 2015/2366 article 97 (1) c).
    case agreement
    /// The merchant sets it off, and the agreement was not authenticated or cannot be named to the issuer.
    case unprovenAgreement = "unproven_agreement"
    /// The bank asked for it after an attempt without.
    case softDecline = "soft_decline"
}

/// Why the law does not ask.
public enum SCAScope: String, Sendable, CaseIterable {
    /// Neither side is in the EEA or the UK.
    case elsewhere
    /// Only one side is under the law that asks.
    case oneLegOut = "one_leg_out"
    /// The merchant sets it off under an authenticated agreement.
    case merchantInitiated = "merchant_initiated"
}

/// Who bears fraud.
public enum SCALiability: String, Sendable, CaseIterable {
    /// The card's issuer.
    case issuer
    /// The merchant, through the acquirer.
    case merchant
    /// The issuer once the customer has authenticated; the merchant if the payment goes on without.
    case issuerOnceAuthenticated = "issuer_once_authenticated"
}
