package import BillingCore
package import PaymentDomain

/// A system that moves money. Every call carries a key under which it happens at most once at the provider.
///
/// A call that throws has an unknown outcome: the caller leaves the record as `processing` and asks
/// ``outcome(of:)``, or repeats the call under the same key, later.
package protocol PaymentProvider: Sendable {
    /// Its name in records, metrics and account names: `stripe`.
    var name: String { get }
    /// What it can do; a request outside of it is refused before anything is stored.
    var capabilities: ProviderCapabilities { get }

    /// Authorizes the amount and, unless the request says otherwise, captures it.
    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer
    /// What became of a charge whose answer was lost: read back, or asked again under the same key where the provider
    /// promises that a key counts once.
    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer
    /// Takes all or a part of an authorized amount.
    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer
    /// Releases what is left of an authorization.
    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer
    /// Gives captured money back.
    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer
    /// What a refusal of its own means in the common table of declines.
    func reading(of decline: ProviderDecline) -> DeclineReading
    /// Reads a refund back by the provider's name of it, whoever made it.
    /// - Returns: `nil` when the provider knows none of that name.
    func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund?
    /// The refunds of a charge, by the provider's name of it, whoever made them: for news that says no more than that there
    /// are some.
    func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund]
    /// Whether an authorization, by the provider's name of it, still holds money that can be captured.
    /// - Returns: `nil` where the provider does not tell, or the money was captured.
    func holds(_ reference: String) async throws(ProviderFault) -> Bool?
    /// What has been captured of an authorization, by the provider's name of it, whoever had it captured.
    /// - Returns: `nil` where the provider does not tell.
    func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings?
    /// Reads what has come of a charge that was asked for before, by the provider's name of it
    /// (``ChargeRequest/reference``) or in another way that never asks for it again: nothing is charged by it.
    /// - Returns: `nil` where the provider cannot be read so, or has nothing to tell.
    func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer?
}

extension PaymentProvider {
    /// For a provider that speaks the networks' common words.
    package func reading(of decline: ProviderDecline) -> DeclineReading {
        DeclineReading(Decline(code: decline.code), advice: decline.advice)
    }
    /// Nothing can be read back: nobody refunds here but us.
    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? { nil }
    /// Refunds are told by their names.
    package func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund] { [] }
    /// Nobody captures here but us, or it is not told.
    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? { nil }
    /// It is not told.
    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? { nil }
    /// It cannot be read without asking for it.
    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? { nil }
}

/// What a charge is taken from.
package enum ChargeSource: Sendable, Equatable {
    /// A method stored at the provider under its token, with the provider's name of the customer where it has one.
    case stored(token: String, providerCustomer: String?)
    /// A method the customer uses on the provider's page or app: `klarna`, `ideal`, `paypal`.
    case redirect(method: String, returnURL: String)
    /// A card or network token that a wallet handed over for this one charge.
    case walletCard(WalletCard)
}

/// Who pays, where a method asks for it: a lender wants the country, some want the address.
package struct ChargePayer: Sendable, Hashable {
    package let name: String?
    package let email: String?
    /// ISO 3166, two letters.
    package let country: String
    package let line1: String?
    package let city: String?
    package let postalCode: String?

    package init(
        name: String? = nil, email: String? = nil, country: String, line1: String? = nil, city: String? = nil,
        postalCode: String? = nil
    ) {
        self.name = name
        self.email = email
        self.country = country
        self.line1 = line1
        self.city = city
        self.postalCode = postalCode
    }
}

/// One attempt at charging. The key makes a repeated question harmless.
package struct ChargeRequest: Sendable, Equatable {
    /// Why no customer is present, for charges with stored credentials.
    package enum Initiation: Sendable, Equatable {
        /// The customer is there and can authenticate.
        case customer
        /// Recurring or unscheduled, under an agreement; the network transaction id of the first payment where known.
        case merchant(networkTransactionID: String?)
    }

    package private(set) var idempotencyKey: AttemptID
    package let paymentID: PaymentID
    package private(set) var source: ChargeSource
    package let amount: Money
    /// `false`: authorize only; a ``CaptureRequest`` follows.
    package let capture: Bool
    package let initiation: Initiation
    /// Our reference of what the customer agreed to, for charges without them, and for the one they agree with; `nil` where
    /// none is recorded.
    package let mandate: String?
    /// With it the customer, who is there, agrees to later charges of the method without them.
    package let keepsMethod: Bool
    /// The customer passed 3-D Secure for this attempt.
    package let authenticated: Bool
    /// For the payer's statement, at most 22 characters; `nil` for the account's own.
    package let statementDescriptor: String?
    /// Who pays; a charge's repeats give the same.
    package let payer: ChargePayer?
    /// The customer is to authenticate although the bank may not ask for it: the risk is high.
    package private(set) var stepUp: Bool
    /// Why it comes without an authentication; `nil` where nothing is said.
    package private(set) var claim: AuthenticationClaim?
    /// What the customer's authentication elsewhere came to; with ``authenticated`` only.
    package private(set) var proof: AuthenticationProof?
    /// What the provider knows the charge by, where an earlier answer has told; no part of what is asked for.
    package private(set) var reference: String?

    package init(
        idempotencyKey: AttemptID, paymentID: PaymentID, source: ChargeSource, amount: Money, capture: Bool = true,
        initiation: Initiation = .customer, mandate: String? = nil, keepsMethod: Bool = false,
        authenticated: Bool = false,
        statementDescriptor: String? = nil, payer: ChargePayer? = nil, stepUp: Bool = false,
        claim: AuthenticationClaim? = nil, proof: AuthenticationProof? = nil, reference: String? = nil
    ) {
        self.idempotencyKey = idempotencyKey
        self.paymentID = paymentID
        self.source = source
        self.amount = amount
        self.capture = capture
        self.initiation = initiation
        self.mandate = mandate
        self.keepsMethod = keepsMethod
        self.authenticated = authenticated
        self.statementDescriptor = statementDescriptor
        self.payer = payer
        self.stepUp = stepUp
        self.claim = claim
        self.proof = proof
        self.reference = reference
    }

    /// The same charge, taken from a source that was sealed until now.
    package func taken(from source: ChargeSource) -> ChargeRequest { with { $0.source = source } }

    /// The same charge, with a proof that was sealed until now.
    package func proven(by proof: AuthenticationProof) -> ChargeRequest { with { $0.proof = proof } }

    /// The same charge, whose reference at the provider has become known.
    package func known(as reference: String) -> ChargeRequest { with { $0.reference = reference } }

    /// The same charge as another attempt, from what another provider knows the method by.
    package func again(as key: AttemptID, from source: ChargeSource) -> ChargeRequest {
        with { again in
            again.idempotencyKey = key
            again.source = source
            again.reference = nil
        }
    }

    /// The same charge, with what was decided of the customer's authentication.
    package func asking(stepUp: Bool, claim: AuthenticationClaim?) -> ChargeRequest {
        with { asking in
            asking.stepUp = stepUp
            asking.claim = claim
        }
    }

    private func with(_ change: (inout ChargeRequest) -> Void) -> ChargeRequest {
        var copy = self
        change(&copy)
        return copy
    }
}

/// What the customer has to do.
package enum NextAction: Sendable, Equatable {
    /// Go to this address and come back: 3-D Secure at the provider, a wallet's or lender's page.
    case redirect(url: String)
    /// Pass the challenge that this service serves itself.
    case challenge
    /// Send an amount of a crypto asset to an address.
    case transfer(CryptoTransfer)
}

/// A provider's word on a charge. Not knowing is not a word: the call throws then.
package enum ChargeAnswer: Sendable, Equatable {
    /// The money is captured.
    case captured(ProviderCharge)
    /// The money is held.
    case authorized(ProviderCharge)
    /// It was refused; the code is the provider's, unmapped.
    case declined(ProviderDecline)
    /// The customer must do something first; the reference finds the charge again.
    case actionRequired(reference: String, NextAction)
    /// It is under way (a bank debit): a webhook or ``PaymentProvider/outcome(of:)`` tells later.
    case pending(reference: String)
}

/// A charge as the provider knows it.
package struct ProviderCharge: Sendable, Equatable {
    /// What captures and refunds name: a PaymentIntent, a capture id.
    package let reference: String
    /// For later charges without the customer; `nil` where the provider does not tell.
    package let networkTransactionID: String?
    /// When the provider lets go of an authorization; `nil` where it does not tell.
    package let expiresAt: Instant?
    /// How the provider has authenticated the customer; `nil` where it has not, or does not tell.
    package let authentication: ProviderAuthentication?

    package init(
        reference: String, networkTransactionID: String? = nil, expiresAt: Instant? = nil,
        authentication: ProviderAuthentication? = nil
    ) {
        self.reference = reference
        self.networkTransactionID = networkTransactionID
        self.expiresAt = expiresAt
        self.authentication = authentication
    }
}

/// A refusal in the provider's own words.
package struct ProviderDecline: Sendable, Equatable {
    /// The provider's code: `insufficient_funds`, `INSTRUMENT_DECLINED`.
    package let code: String
    /// The network's or bank's own code where the provider passes it on: `51`.
    package let networkCode: String?
    /// The provider's own advice on another attempt: `do_not_try_again`.
    package let adviceCode: String?
    /// The network's advice beside its code, where the provider passes it on: `03`.
    package let networkAdvice: String?
    /// The card's brand, by the names of `CardNumber.brand`, where the provider tells it: the network whose words these are.
    package private(set) var brand: String?
    /// The provider's reference of the failed charge, where there is one.
    package let reference: String?

    package init(
        code: String, networkCode: String? = nil, adviceCode: String? = nil, networkAdvice: String? = nil,
        brand: String? = nil, reference: String? = nil
    ) {
        self.code = code
        self.networkCode = networkCode
        self.adviceCode = adviceCode
        self.networkAdvice = networkAdvice
        self.brand = brand
        self.reference = reference
    }

    /// The network's advice, where it is known what its network means by it.
    package var advice: MerchantAdviceCode? { networkAdvice.flatMap { MerchantAdviceCode($0, brand: brand) } }

    /// The same refusal, of a card whose brand we know where the provider has not told it.
    package func of(brand known: String?) -> ProviderDecline {
        var copy = self
        copy.brand = brand ?? known
        return copy
    }
}

/// One capture of an authorization.
package struct CaptureRequest: Sendable, Equatable {
    package let idempotencyKey: CaptureID
    /// The charge's reference.
    package let reference: String
    package let amount: Money
    /// Nothing more will be captured: the rest is released.
    package let isFinal: Bool
    /// What the provider calls the capture, where an earlier answer has told; no part of what is asked for.
    package let known: String?

    package init(
        idempotencyKey: CaptureID, reference: String, amount: Money, isFinal: Bool, known: String? = nil
    ) {
        self.idempotencyKey = idempotencyKey
        self.reference = reference
        self.amount = amount
        self.isFinal = isFinal
        self.known = known
    }
}

/// A provider's word on a capture.
package enum CaptureAnswer: Sendable, Equatable {
    /// The money is taken; the reference is what a refund names.
    case captured(reference: String)
    /// The provider looks at it first: a webhook, or the same call later, tells how that ended.
    case pending(reference: String)
    /// It never will be, for this reason: expired, too much, already released.
    case refused(code: String)
}

/// The end of an authorization.
package struct ReleaseRequest: Sendable, Equatable {
    package let idempotencyKey: AttemptID
    /// The charge's reference.
    package let reference: String

    package init(idempotencyKey: AttemptID, reference: String) {
        self.idempotencyKey = idempotencyKey
        self.reference = reference
    }
}

/// A provider's word on a release.
package enum ReleaseAnswer: Sendable, Equatable {
    /// Nothing is held any more.
    case released
    /// It cannot be released: it was captured, or it is unknown.
    case refused(code: String)
}

/// One refund.
package struct RefundRequest: Sendable, Equatable {
    package let idempotencyKey: RefundID
    /// The charge's or the capture's reference.
    package let reference: String
    package let amount: Money

    package init(idempotencyKey: RefundID, reference: String, amount: Money) {
        self.idempotencyKey = idempotencyKey
        self.reference = reference
        self.amount = amount
    }
}

/// A provider's word on a refund.
package enum RefundAnswer: Sendable, Equatable {
    /// The money goes back.
    case refunded(reference: String)
    /// Accepted; a webhook tells how it ends.
    case pending(reference: String)
    /// It never will, for this reason.
    case refused(code: String)
}

/// The outcome of a call is not known: it may or may not have happened.
package enum ProviderFault: Error, Sendable, Equatable {
    /// No connection came about: the provider has not heard of it.
    case notSent(String)
    /// No answer in time, or the connection broke before one was complete.
    case timedOut
    /// The provider is overloaded or broken: the status.
    case unavailable(Int)
    /// It asks for patience, in seconds where it says so.
    case rateLimited(retryAfter: Int?)
    /// An answer that makes no sense: not JSON, another amount, another currency, another id. Raises an alarm:
    /// see ``ProviderAlarms``.
    case unusable(String)
    /// It refuses our request: nothing happened, and a repeat changes nothing. Raises an alarm, unless a method was to be
    /// kept: whoever gave it is told.
    case rejected(code: String)
    /// It refuses our credentials, what they may do, or our account: nothing happened, as with every call of the kind until
    /// somebody sees to that. Raises an alarm.
    case unauthorized(code: String)

    /// The provider's word where it has certainly refused and would do so again.
    package var refusalCode: String? {
        switch self {
        case .rejected(let code), .unauthorized(let code): code
        case .notSent, .timedOut, .unavailable, .rateLimited, .unusable: nil
        }
    }
}
