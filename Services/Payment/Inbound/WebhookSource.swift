import BillingCore
package import PaymentContract
package import PaymentWebhooks

/// A provider whose webhooks are taken: how they are believed, and how they are read.
package struct WebhookSource: Sendable {
    /// In the path, in records and in metrics.
    package let source: VerifiedWebhook.Source
    let reader: any NewsReader
    let verify: @Sendable (IncomingWebhook, Instant) async throws(WebhookRefusal) -> VerifiedWebhook

    /// The provider's name.
    package var name: String { source.rawValue }

    /// Stripe, or the sandbox and nodes of ours, which sign the same way.
    package init(_ source: VerifiedWebhook.Source, _ verifier: SecretVerifier, reader: any NewsReader) {
        self.source = source
        self.reader = reader
        verify = { (webhook, now) async throws(WebhookRefusal) in try verifier.verify(webhook, at: now) }
    }

    /// PayPal.
    package init(_ verifier: PayPalVerifier, reader: any NewsReader) {
        source = .paypal
        self.reader = reader
        verify = { (webhook, now) async throws(WebhookRefusal) in try await verifier.verify(webhook, at: now) }
    }
}
