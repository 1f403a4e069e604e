public import BillingCore

/// One purchase as its events tell it, however often it was attempted.
///
/// States of the same payment merge to the same result in any order, so a payment is right even when an event of it
/// arrives late.
public struct PaymentState: Hashable, EventState {
    /// Highest attempt number that is believed.
    public static let maxAttempt: Int64 = 1_000_000

    /// What one event says about an attempt.
    public enum Status: String, CaseIterable, Sendable {
        case created
        case requiresAction = "requires_action"
        case failed
        case canceled
        case succeeded
    }

    /// How an attempt ended.
    public enum Outcome: String, CaseIterable, Sendable {
        case succeeded, failed
    }

    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// The amount: what was asked for, and what was captured once it has succeeded.
    public private(set) var amount: Money
    /// Attempts seen so far; 0 when it was canceled before any.
    public private(set) var attempts: Int64
    /// Where it stands.
    public private(set) var status: Status
    /// Orders the states of one payment; the highest is the one it is in.
    public private(set) var progress: Int64
    /// How the first attempt ended; `nil` while it has not.
    public private(set) var firstAttempt: Outcome?
    /// When any attempt first ended, either way.
    public private(set) var firstOutcomeAt: Instant?
    /// When the money was captured.
    public private(set) var succeededAt: Instant?

    /// What one event says.
    /// - Parameters:
    ///   - attempt: Number of the attempt, from 1; `nil` for a cancellation, which belongs to none.
    ///   - at: Business time of the event.
    /// - Returns: `nil` when the attempt's number is out of range.
    public init?(
        paymentID: PaymentID, customerID: CustomerID, amount: Money, status: Status, attempt: Int64?, at: Instant
    ) {
        let number: Int64 = attempt ?? 0
        guard attempt == nil ? status == .canceled : (1...Self.maxAttempt).contains(number) else { return nil }
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        self.status = status
        attempts = number
        switch status {
        case .created: progress = number * 4
        case .requiresAction: progress = number * 4 + 1
        case .failed: progress = number * 4 + 2
        case .canceled: progress = .max - 1
        case .succeeded: progress = .max
        }
        let outcome: Outcome? = status == .succeeded ? .succeeded : status == .failed ? .failed : nil
        firstAttempt = number == 1 ? outcome : nil
        firstOutcomeAt = outcome == nil ? nil : at
        succeededAt = status == .succeeded ? at : nil
    }

    /// The payment.
    public var subject: PaymentID { paymentID }

    /// Takes in what another event of the same payment says.
    public mutating func merge(_ other: PaymentState) {
        precondition(other.paymentID == paymentID, "states of two payments were merged")
        attempts = max(attempts, other.attempts)
        if other.progress > progress {
            progress = other.progress
            status = other.status
            amount = other.amount
        }
        firstAttempt = firstAttempt ?? other.firstAttempt
        firstOutcomeAt = earlier(firstOutcomeAt, other.firstOutcomeAt)
        succeededAt = earlier(succeededAt, other.succeededAt)
    }
}

/// The earlier of two instants that may be missing.
func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
    guard let a else { return b }
    guard let b else { return a }
    return min(a, b)
}
