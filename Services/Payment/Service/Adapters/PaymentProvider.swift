package import BillingCore

/// One attempt at charging, as a provider is asked for it. The key makes a repeated question harmless.
package struct ChargeRequest: Sendable {
    package let idempotencyKey: AttemptID
    package let paymentID: PaymentID
    package let providerToken: String
    package let amount: Money
    /// The customer passed 3-D Secure for this attempt.
    package let authenticated: Bool

    /// Asks for a charge.
    package init(
        idempotencyKey: AttemptID, paymentID: PaymentID, providerToken: String, amount: Money, authenticated: Bool
    ) {
        self.idempotencyKey = idempotencyKey
        self.paymentID = paymentID
        self.providerToken = providerToken
        self.amount = amount
        self.authenticated = authenticated
    }
}

/// A provider's word on a charge. Not knowing is not a word: the call throws then.
package enum ChargeAnswer: Sendable, Equatable {
    /// The money is captured.
    case captured(reference: String)
    /// It was refused for this reason.
    case declined(code: String)
    /// The customer must authenticate first.
    case actionRequired
}

/// One refund, as a provider is asked for it.
package struct RefundRequest: Sendable {
    package let idempotencyKey: RefundID
    /// The attempt whose charge is refunded.
    package let chargeKey: AttemptID
    package let amount: Money

    /// Asks for a refund.
    package init(idempotencyKey: RefundID, chargeKey: AttemptID, amount: Money) {
        self.idempotencyKey = idempotencyKey
        self.chargeKey = chargeKey
        self.amount = amount
    }
}

/// A provider's word on a refund.
package enum RefundAnswer: Sendable, Equatable {
    /// The money goes back.
    case refunded(reference: String)
    /// It never will, for this reason.
    case refused(code: String)
}

/// The outcome of a call is not known: it may or may not have happened.
package enum ProviderFault: Error, Sendable, Equatable {
    /// No answer in time.
    case timedOut
    /// An answer that makes no sense.
    case unusable(String)
}

/// A system that moves money. Every call carries a key under which it happens at most once, and can be read back.
package protocol PaymentProvider: Sendable {
    /// Its name in records, metrics and account names.
    var name: String { get }

    /// Captures the amount.
    /// - Throws: When the outcome is not known; ``lookUp(_:)`` tells later.
    func charge(_ request: ChargeRequest) async throws -> ChargeAnswer

    /// What became of the charge under a key.
    /// - Returns: `nil` when the provider never saw it, so that asking again is safe.
    func lookUp(_ key: AttemptID) async throws -> ChargeAnswer?

    /// Gives money back.
    /// - Throws: When the outcome is not known; asking again under the same key tells.
    func refund(_ request: RefundRequest) async throws -> RefundAnswer
}
