import BillingCore

/// One attempt at charging, as a provider is asked for it. The key makes a repeated question harmless.
struct ChargeRequest: Sendable {
    let idempotencyKey: AttemptID
    let paymentID: PaymentID
    let providerToken: String
    let amount: Money
    /// The customer passed 3-D Secure for this attempt.
    let authenticated: Bool
}

/// A provider's word on a charge. Not knowing is not a word: the call throws then.
enum ChargeAnswer: Sendable, Equatable {
    /// The money is captured.
    case captured(reference: String)
    /// It was refused for this reason.
    case declined(code: String)
    /// The customer must authenticate first.
    case actionRequired
}

/// One refund, as a provider is asked for it.
struct RefundRequest: Sendable {
    let idempotencyKey: RefundID
    /// The attempt whose charge is refunded.
    let chargeKey: AttemptID
    let amount: Money
}

/// The outcome of a call is not known: it may or may not have happened.
enum ProviderFault: Error, Sendable, Equatable {
    /// No answer in time.
    case timedOut
    /// An answer that makes no sense.
    case unusable(String)
}

/// A system that moves money. Every call carries a key under which it happens at most once, and can be read back.
protocol PaymentProvider: Sendable {
    /// Its name in records, metrics and account names.
    var name: String { get }

    /// Captures the amount.
    /// - Throws: When the outcome is not known; ``lookUp(_:)`` tells later.
    func charge(_ request: ChargeRequest) async throws -> ChargeAnswer

    /// What became of the charge under a key.
    /// - Returns: `nil` when the provider never saw it, so that asking again is safe.
    func lookUp(_ key: AttemptID) async throws -> ChargeAnswer?

    /// Gives money back.
    /// - Returns: The provider's reference.
    func refund(_ request: RefundRequest) async throws -> String
}
