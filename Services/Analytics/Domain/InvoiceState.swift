public import BillingCore

/// One invoice as its events tell it. States of the same invoice merge to the same result in any order.
public struct InvoiceState: Hashable, EventState {
    /// Where an issued invoice stands; it moves on from `finalized` once.
    public enum Status: String, CaseIterable, Sendable {
        case finalized, paid, void
    }

    /// The invoice.
    public let invoiceID: InvoiceID
    /// The customer.
    public let customerID: CustomerID
    /// The subscription.
    public let subscriptionID: SubscriptionID
    /// The amount.
    public let amount: Money
    /// Where it stands.
    public private(set) var status: Status
    /// Its gapless number; `nil` while the finalized invoice itself has not been seen.
    public private(set) var number: String?
    /// When it was issued.
    public private(set) var issuedAt: Instant?
    /// When it was paid.
    public private(set) var paidAt: Instant?

    /// What one event says.
    /// - Parameter at: Business time; it is used for `finalized` and `paid`.
    public init(
        invoiceID: InvoiceID, customerID: CustomerID, subscriptionID: SubscriptionID, amount: Money, status: Status,
        number: String? = nil, at: Instant
    ) {
        self.invoiceID = invoiceID
        self.customerID = customerID
        self.subscriptionID = subscriptionID
        self.amount = amount
        self.status = status
        self.number = number
        issuedAt = status == .finalized ? at : nil
        paidAt = status == .paid ? at : nil
    }

    /// The invoice.
    public var subject: InvoiceID { invoiceID }

    /// Takes in what another event of the same invoice says.
    public mutating func merge(_ other: InvoiceState) {
        precondition(other.invoiceID == invoiceID, "states of two invoices were merged")
        if status == .finalized { status = other.status }
        number = number ?? other.number
        issuedAt = issuedAt ?? other.issuedAt
        paidAt = paidAt ?? other.paidAt
    }
}
