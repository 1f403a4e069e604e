package import BillingCore
import BillingEvents
package import Messaging
package import PaymentDomain

/// The events of payments, built in one place.
package enum PaymentEvents {
    /// Asks Fraud about the first attempt of a new payment, and says whether the customer has brought it about, where that is
    /// known; `nil` when there is nothing to charge, or not yet.
    package static func created(_ payment: NewPayment) -> OutboxEvent? {
        guard payment.status == .created, let method: ChargeableMethod = payment.method else { return nil }
        let body = PaymentCreatedV1(
            paymentID: payment.id, attemptID: payment.attemptID, attempt: 1, customerID: payment.customerID,
            paymentMethodID: method.id, fingerprint: method.fingerprint, amount: payment.amount,
            invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID, offSession: payment.offSession,
            customerStarted: payment.customerStarted, createdAt: payment.createdAt)
        return OutboxEvent(body, key: payment.customerID.rawValue, at: payment.createdAt)
    }

    /// Asks Fraud about an attempt at a payment that was recorded before, and says whether the customer has brought it about, where that is known.
    package static func created(_ attempt: NextAttempt, at now: Instant) -> OutboxEvent {
        let payment: PaymentRecord = attempt.payment
        let body = PaymentCreatedV1(
            paymentID: payment.id, attemptID: attempt.attemptID, attempt: Int64(attempt.number),
            customerID: payment.customerID, paymentMethodID: attempt.method.id,
            fingerprint: attempt.method.fingerprint, amount: payment.amount, invoiceID: payment.invoiceID,
            subscriptionID: payment.subscriptionID, offSession: attempt.offSession,
            customerStarted: attempt.customerStarted, createdAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// An attempt that failed before it began: nothing to charge.
    package static func failedAtOnce(_ payment: NewPayment) -> OutboxEvent {
        let decline: Decline = .noPaymentMethod
        let body = PaymentFailedV1(
            paymentID: payment.id, attempt: 1, customerID: payment.customerID, amount: payment.amount,
            invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID, declineCode: decline.code,
            declineClass: decline.declineClass.rawValue, failedAt: payment.createdAt)
        return OutboxEvent(body, key: payment.customerID.rawValue, at: payment.createdAt)
    }

    /// A further attempt failed before it began: nothing to charge. It bears the number of the one before, and no method.
    package static func failedAtOnce(_ payment: PaymentRecord, at now: Instant) -> OutboxEvent {
        let decline: Decline = .noPaymentMethod
        let body = PaymentFailedV1(
            paymentID: payment.id, attempt: Int64(payment.attempts), customerID: payment.customerID,
            amount: payment.amount, invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID,
            declineCode: decline.code, declineClass: decline.declineClass.rawValue, failedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// The last attempt of a payment failed.
    /// - Parameter retryAt: Before when no other is wanted: by the card's network, or since nobody could be asked; `nil` where
    ///   that is not known.
    package static func failed(
        _ payment: PaymentRecord, _ decline: Decline, retryAt: Instant? = nil, at now: Instant
    ) -> OutboxEvent {
        let body = PaymentFailedV1(
            paymentID: payment.id, attempt: Int64(payment.attempts), customerID: payment.customerID,
            amount: payment.amount, invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID,
            declineCode: decline.code, declineClass: decline.declineClass.rawValue,
            paymentMethodID: payment.paymentMethodID, retryAt: retryAt, failedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// A customer can be charged through a method from now on.
    package static func attached(
        _ method: PaymentMethodRecord, forLater: Bool? = nil, at now: Instant
    ) -> OutboxEvent {
        let body = PaymentMethodAttachedV1(
            paymentMethodID: method.id, customerID: method.customerID, brand: method.brand ?? method.type,
            last4: method.last4, expMonth: method.expMonth.map(Int64.init), expYear: method.expYear.map(Int64.init),
            fingerprint: method.fingerprint, isDefault: method.isDefault, isForLater: forLater)
        return OutboxEvent(body, key: method.customerID.rawValue, at: now)
    }

    /// The customer must authenticate.
    package static func requiresAction(_ payment: PaymentRecord, at now: Instant) -> OutboxEvent {
        let body = PaymentRequiresActionV1(
            paymentID: payment.id, attempt: Int64(payment.attempts), customerID: payment.customerID,
            amount: payment.amount, invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// The provider holds the money.
    package static func authorized(_ payment: PaymentRecord, at now: Instant) -> OutboxEvent {
        let body = PaymentAuthorizedV1(
            paymentID: payment.id, attempt: Int64(payment.attempts), customerID: payment.customerID,
            amount: payment.amount, provider: payment.provider, expiresAt: payment.authorizationExpiresAt,
            authorizedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// A part of what was held, or all of it, was captured; `total` minor units so far.
    package static func captured(
        _ capture: CaptureRecord, of payment: PaymentRecord, total: Int64, at now: Instant
    ) -> OutboxEvent {
        let body = PaymentCapturedV1(
            captureID: capture.id, paymentID: payment.id, customerID: payment.customerID, amount: capture.amount,
            capturedTotal: total, isFinal: capture.isFinal, capturedAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// Money was captured, `total` minor units in all, and no more will be. `nil` only for a payment without a method,
    /// which nothing can have been captured from.
    package static func succeeded(
        _ payment: PaymentRecord, _ total: Int64, at now: Instant
    ) -> OutboxEvent? {
        guard let method: PaymentMethodID = payment.paymentMethodID else { return nil }
        let body = PaymentSucceededV1(
            paymentID: payment.id, attempt: Int64(payment.attempts), customerID: payment.customerID,
            paymentMethodID: method, amount: Money(minor: total, currency: payment.amount.currency),
            invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID, provider: payment.provider,
            succeededAt: now)
        return OutboxEvent(body, key: payment.key, at: now)
    }

    /// A payment was given up.
    package static func canceled(_ payment: PaymentRecord, reason: String, at now: Instant) -> OutboxEvent {
        let body = PaymentCanceledV1(
            paymentID: payment.id, customerID: payment.customerID, amount: payment.amount,
            invoiceID: payment.invoiceID, subscriptionID: payment.subscriptionID, reason: reason)
        return OutboxEvent(body, key: payment.key, at: now)
    }
}
