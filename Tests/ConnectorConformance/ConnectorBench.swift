package import BillingCore
package import PaymentContract

/// What a connector brings for the conformance suite: itself, ways to pay, a provider that can be disturbed, and that
/// provider's own books.
package protocol ConnectorBench: Sendable {
    var provider: any PaymentProvider { get }
    /// The connector's clock.
    var now: Instant { get }
    /// What is charged, one amount for each kind of currency that the provider takes: two decimals, none, three.
    var amounts: [Money] { get }
    /// What cannot be lost on the way to this provider, since its books are in our own database.
    var disturbances: Set<Disturbance> { get }

    /// Something to charge; `nil` where the provider has nothing of the kind.
    func source(_ kind: SourceKind) async throws -> ChargeSource?
    /// The customer does what an answer asks, or the chain or bank moves on, until the charge has an end.
    func finish(_ answer: ChargeAnswer, of request: ChargeRequest) async throws
    /// Pending refunds come to their end.
    func settle() async throws
    /// From now on calls are disturbed, until ``calm()``.
    func disturb(_ how: Disturbance) async throws
    func calm() async throws
    /// What the provider has in its own books about a payment.
    func books(of request: ChargeRequest) async throws -> ProviderBooks
    /// What the provider holds against the client in the end: breaches of its rules.
    func complaints() async throws -> [String]
}

/// What a charge is to be taken from.
package enum SourceKind: Sendable {
    /// Goes through at once, or when the customer has done what the method always asks.
    case good
    /// Is refused.
    case refused
    /// Wants its owner, who is there.
    case wantsCustomer
    /// Was agreed for charges without its owner.
    case agreed
}

/// What happens to a call.
package enum Disturbance: String, Sendable, CaseIterable {
    /// The request does not arrive.
    case lostRequest
    /// It is carried out, and the answer does not arrive.
    case lostAnswer
    /// The answer is a page for people.
    case page
    /// The answer breaks off.
    case torso
    /// There are too many requests.
    case throttled
}

/// A provider's own word on what it did for a payment.
package struct ProviderBooks: Sendable, Equatable {
    /// Charges that took or hold money.
    package var charges = 0
    /// Minor units.
    package var captured: Int64 = 0
    package var refunded: Int64 = 0

    package init(charges: Int = 0, captured: Int64 = 0, refunded: Int64 = 0) {
        self.charges = charges
        self.captured = captured
        self.refunded = refunded
    }
}
