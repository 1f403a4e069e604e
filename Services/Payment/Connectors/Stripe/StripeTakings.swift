import BillingCore
package import PaymentContract

/// What others have done with a charge: captures and refunds made in the Dashboard, or forgotten here.
extension StripeAdapter {
    /// Reads the PaymentIntent, which says how much was captured in all: captures have no names of their own at Stripe, so
    /// all of them go by the PaymentIntent's.
    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        guard isStripeID(reference), let intent = try await readIntent(reference) else { return nil }
        switch intent.status {
        case .requiresCapture, .canceled, .succeeded:
            let capture: CaptureID? = intent.capture.flatMap { CaptureID($0) }
            let taking = ProviderTakings.Taking(reference: intent.id, captureID: capture, amount: intent.received)
            return ProviderTakings(
                taken: intent.received.isPositive ? [taking] : [], isHeld: intent.status == .requiresCapture)
        case .requiresPaymentMethod, .requiresConfirmation, .requiresAction, .processing: return nil
        }
    }

    /// Lists the refunds of a charge, named by its PaymentIntent or its Charge.
    /// - Throws: ``ProviderFault``; `unusable` where there are more than a thousand.
    package func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund] {
        guard isStripeID(reference) else { return [] }
        var all: [ProviderRefund] = []
        _ = try await firstRefund(of: reference, expanding: "data.balance_transaction") {
            (refund: StripeFields) throws(ProviderFault) -> Bool in
            all.append(try ProviderRefund(stripe: refund))
            return false
        }
        return all
    }
}
