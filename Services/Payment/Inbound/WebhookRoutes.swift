package import HTTPKit
import PaymentWebhooks

/// `/v1/webhooks/{provider}`.
package struct WebhookRoutes: Sendable {
    private let receive: ReceiveWebhook

    /// Routes to a use case.
    package init(receive: ReceiveWebhook) { self.receive = receive }

    /// The one route.
    package var endpoints: [Endpoint] {
        [
            .delivery(
                "/v1/webhooks/{provider}", summary: "Take in a payment provider's webhook",
                maxBodyBytes: IncomingWebhook.maxBodyBytes, answers: WebhookReceipt.self,
                problems: ["400 webhook_malformed", "401 webhook_not_believed"]
            ) { call, delivery in try await receive(delivery, from: call.parameter("provider"), call) }
        ]
    }
}
