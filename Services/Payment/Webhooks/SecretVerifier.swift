package import BillingCore
import JSON

/// Verifies deliveries that are signed with a shared secret: Stripe's, and the sandbox's and our nodes' in the same form.
package struct SecretVerifier: Sendable {
    /// How far the signed time may be from ours, both ways: Stripe's libraries take five minutes.
    package static let standardTolerance: Duration = .seconds(300)

    private let source: VerifiedWebhook.Source
    private let headerName: String
    private let secrets: [WebhookSecret]
    private let tolerance: Duration

    /// Stripe's deliveries (`Stripe-Signature`).
    /// - Parameter secrets: Each in use; two while one takes the other's place. Without any, nothing is believed.
    package static func stripe(secrets: [WebhookSecret], tolerance: Duration = standardTolerance) -> SecretVerifier {
        SecretVerifier(source: .stripe, headerName: "Stripe-Signature", secrets: secrets, tolerance: tolerance)
    }

    /// The sandbox's deliveries (`Sandbox-Signature`), see ``WebhookSecret/signature(of:at:)``.
    package static func sandbox(secrets: [WebhookSecret], tolerance: Duration = standardTolerance) -> SecretVerifier {
        SecretVerifier(source: .sandbox, headerName: "Sandbox-Signature", secrets: secrets, tolerance: tolerance)
    }

    /// The deliveries of a node of ours (`Node-Signature`), which says that something has happened on its chain.
    package static func node(
        _ source: VerifiedWebhook.Source, secrets: [WebhookSecret], tolerance: Duration = standardTolerance
    ) -> SecretVerifier {
        SecretVerifier(source: source, headerName: "Node-Signature", secrets: secrets, tolerance: tolerance)
    }

    /// Believes a delivery, or says why not.
    package func verify(_ webhook: IncomingWebhook, at now: Instant) throws(WebhookRefusal) -> VerifiedWebhook {
        try webhook.checkSize()
        let header = try webhook.header(headerName, maxBytes: TimestampedSignature.maxBytes)
        let signature = try TimestampedSignature(header)
        try signature.verify(webhook.body, secrets: secrets, tolerance: tolerance, at: now)
        return try VerifiedWebhook(reading: webhook.body, from: source, typeName: "type") { event in
            event["created"]?.intValue.flatMap { $0 >= 0 ? Instant(seconds: $0) : nil }
        }
    }
}
