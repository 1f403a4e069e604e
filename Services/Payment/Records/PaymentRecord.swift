package import BillingCore
package import PaymentContract
package import PaymentDomain
package import Postgres

/// A person's decision about a payment that was held for review.
package struct ReviewDecision: Sendable, Equatable {
    package let note: String?
    package let by: String
    package let at: Instant

    package init(note: String?, by: String, at: Instant) {
        self.note = note
        self.by = by
        self.at = at
    }

    /// `nil` where nobody has decided.
    fileprivate init?(row: inout PostgresRow) throws {
        note = try row.next()
        let by: String? = try row.next()
        let at: Instant? = try row.next()
        guard let by, let at else { return nil }
        self.by = by
        self.at = at
    }
}

/// A payment as stored.
package struct PaymentRecord: PostgresRecord, Sendable {
    package let id: PaymentID
    package let customerID: CustomerID
    package let paymentMethodID: PaymentMethodID?
    /// Of the current attempt.
    package let provider: String
    package let amount: Money
    package let captureMethod: CaptureMethod
    /// What has been taken, minor units.
    package let amountCaptured: Int64
    package let authorizationExpiresAt: Instant?
    package let amountRefunded: Int64
    /// Withheld or lost by disputes, minor units.
    package let amountDisputed: Int64
    package let status: PaymentStatus
    package let invoiceID: InvoiceID?
    package let subscriptionID: SubscriptionID?
    package let description: String?
    package let metadata: String
    package let offSession: Bool
    /// The agreement under which it is charged without the customer; `nil` where none is recorded.
    package let mandateID: String?
    package let authenticated: Bool
    package let attempts: Int
    package let attemptID: AttemptID
    package let declineCode: String?
    /// What the customer has to do, while the status is `requires_action`.
    package let nextAction: NextAction?
    package let actionExpiresAt: Instant?
    /// The page of this service on which the customer authenticates; `nil` where there is none.
    package let challengeURL: String?
    /// Of the current attempt; `nil` where nothing is known.
    package let authentication: AttemptAuthentication?
    /// Where the customer comes back to from that page.
    package let returnURL: String?
    package let riskScore: String?
    package let riskDecision: String?
    package let riskReasons: [String]
    /// Where a person's look at it stands; `nil` when nobody has to look.
    package let reviewStatus: ReviewStatus?
    /// Who decided about it; `nil` while nobody has.
    package let review: ReviewDecision?
    package let createdAt: Instant
    /// Before when the network of its card wants no other attempt after the failed one; `nil` where it has not said, and
    /// where nobody has looked (``AttemptStore/retryTimes(of:in:)``).
    package private(set) var retryAt: Instant?

    /// The columns in the order ``init(row:)`` reads them, of a table or alias named `p`.
    package static let columns: SQL = """
        p.id, p.customer_id, p.payment_method_id, p.provider, p.amount, p.currency, p.capture_method, p.amount_captured, \
        p.authorization_expires_at, p.amount_refunded, p.amount_disputed, p.status, p.invoice_id, \
        p.subscription_id, p.description, p.metadata::text, p.off_session, p.mandate_id, \
        p.authenticated, p.attempts, p.attempt_id, \
        p.decline_code, p.next_action::text, p.action_expires_at, p.risk_score, p.risk_decision, p.risk_reasons, \
        p.review_status, p.review_note, p.reviewed_by, p.reviewed_at, p.authentication::text, p.return_url, p.created_at
        """

    package init(
        id: PaymentID, customerID: CustomerID, paymentMethodID: PaymentMethodID?, provider: String, amount: Money,
        captureMethod: CaptureMethod = .automatic, amountCaptured: Int64, authorizationExpiresAt: Instant? = nil,
        amountRefunded: Int64, amountDisputed: Int64 = 0, status: PaymentStatus, invoiceID: InvoiceID?,
        subscriptionID: SubscriptionID?,
        description: String?,
        metadata: String, offSession: Bool, mandateID: String? = nil, authenticated: Bool, attempts: Int,
        attemptID: AttemptID, declineCode: String?, nextAction: NextAction? = nil, actionExpiresAt: Instant? = nil,
        challengeURL: String? = nil, authentication: AttemptAuthentication? = nil, returnURL: String? = nil,
        riskScore: String?, riskDecision: String?, riskReasons: [String], reviewStatus: ReviewStatus? = nil,
        review: ReviewDecision? = nil, createdAt: Instant
    ) {
        self.id = id
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.provider = provider
        self.amount = amount
        self.captureMethod = captureMethod
        self.amountCaptured = amountCaptured
        self.authorizationExpiresAt = authorizationExpiresAt
        self.amountRefunded = amountRefunded
        self.amountDisputed = amountDisputed
        self.status = status
        self.invoiceID = invoiceID
        self.subscriptionID = subscriptionID
        self.description = description
        self.metadata = metadata
        self.offSession = offSession
        self.mandateID = mandateID
        self.authenticated = authenticated
        self.attempts = attempts
        self.attemptID = attemptID
        self.declineCode = declineCode
        self.nextAction = nextAction
        self.actionExpiresAt = actionExpiresAt
        self.challengeURL = challengeURL
        self.authentication = authentication
        self.returnURL = returnURL
        self.riskScore = riskScore
        self.riskDecision = riskDecision
        self.riskReasons = riskReasons
        self.reviewStatus = reviewStatus
        self.review = review
        self.createdAt = createdAt
    }

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        customerID = try row.next()
        paymentMethodID = try row.next()
        provider = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        captureMethod = try row.nextCase()
        amountCaptured = try row.next()
        authorizationExpiresAt = try row.next()
        amountRefunded = try row.next()
        amountDisputed = try row.next()
        status = try row.nextCase()
        invoiceID = try row.next()
        subscriptionID = try row.next()
        description = try row.next()
        metadata = try row.next()
        offSession = try row.next()
        mandateID = try row.next()
        authenticated = try row.next()
        attempts = try row.next()
        attemptID = try row.next()
        declineCode = try row.next()
        let action: String? = try row.next()
        nextAction = action.flatMap(NextAction.init(stored:))
        challengeURL = nextAction == .challenge ? action.flatMap(NextAction.challengeURL) : nil
        actionExpiresAt = try row.next()
        riskScore = try row.next()
        riskDecision = try row.next()
        riskReasons = try row.next()
        let review: String? = try row.next()
        reviewStatus = review.flatMap(ReviewStatus.init)
        self.review = try ReviewDecision(row: &row)
        let authentication: String? = try row.next()
        self.authentication = authentication.flatMap(AttemptAuthentication.init(stored:))
        returnURL = try row.next()
        createdAt = try row.next()
    }

    /// The payment with what its card's network has said of a next attempt.
    package func with(retryAt: Instant?) -> PaymentRecord {
        var told: PaymentRecord = self
        told.retryAt = retryAt
        return told
    }

    /// Why the last attempt failed.
    package var decline: Decline? { declineCode.map(Decline.init(code:)) }

    /// Whether the last attempt failed for want of its customer's authentication: a next one with the customer authenticates.
    package var wantsCustomer: Bool { status == .failed && lackedCustomer }

    /// Whether the last attempt failed for that, the payment given up since or not.
    package var lackedCustomer: Bool {
        wasRefused && (decline == .authenticationRequired || decline == .authenticationFailed)
    }

    /// Whether the last attempt failed and no other has begun, given up since or not.
    package var wasRefused: Bool { status == .failed || (status == .canceled && declineCode != nil) }

    /// What is still held and can be captured, minor units.
    package var amountCapturable: Int64 { status == .authorized ? amount.minor - amountCaptured : 0 }

    /// What can still be given back, minor units: neither refunded, nor withheld or lost by disputes.
    package var amountRefundable: Int64 { max(amountCaptured - amountRefunded - amountDisputed, 0) }

    /// Whether the provider holds nothing any more because its time is over.
    package func isAuthorizationOver(at now: Instant) -> Bool { authorizationExpiresAt.map { $0 <= now } ?? false }

    /// Whether the provider holds money, or waits for the customer itself: it must be asked before the payment is given up.
    package var isHeldAtProvider: Bool {
        switch status {
        case .authorized: true
        case .requiresAction: nextAction.map { $0 != .challenge } ?? false
        default: false
        }
    }

    /// The record key of its events.
    package var key: String { customerID.rawValue }
}
