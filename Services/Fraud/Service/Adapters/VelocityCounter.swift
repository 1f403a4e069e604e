package import BillingCore
package import BillingEvents
package import FraudDomain

/// One attempt; its name in the windows, so that a repeated delivery is counted once.
package struct AttemptKey: Hashable, Sendable {
    /// The payment.
    package let paymentID: PaymentID
    /// Its attempt, from 1.
    package let attempt: Int64

    /// The attempt an event speaks of.
    package init(_ created: PaymentCreatedV1) {
        paymentID = created.paymentID
        attempt = created.attempt
    }

    init(paymentID: PaymentID, attempt: Int64) {
        self.paymentID = paymentID
        self.attempt = attempt
    }

    /// The text under which the attempt stands in a window.
    var member: String { "\(paymentID.rawValue):\(attempt)" }
}

/// The rates of a batch of attempts, or the fact that they could not be had.
package enum VelocityReadings: Sendable {
    /// Every attempt's counts.
    case counted([AttemptKey: VelocityCounts])
    /// The store did not answer; amounts decide alone.
    case unavailable

    /// The counts of an attempt; `nil` when they could not be had.
    package subscript(key: AttemptKey) -> VelocityCounts? {
        guard case .counted(let counts) = self else { return nil }
        return counts[key]
    }
}

/// Notes attempts and says how many there were of the same card and customer.
package protocol VelocityCounter: Sendable {
    /// Counts attempts in the order given. Counting one again changes nothing.
    /// - Returns: Never fails: a store that is away is ``VelocityReadings/unavailable``.
    func count(_ attempts: [PaymentCreatedV1]) async -> VelocityReadings
}

/// Whether a card's attempts are counted together whoever makes them.
package enum CardScope: Sendable {
    /// Live: a card that many customers try is one burst.
    case everyone
    /// Sandbox: everyone pays with the same few test cards, so a card is counted for each customer apart.
    case perCustomer
}
