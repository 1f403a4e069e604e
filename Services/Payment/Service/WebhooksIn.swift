import BillingCore
import Foundation
import HTTPKit
import PaymentContract
import PaymentInbound
import PaymentPayPal
import PaymentSandbox
import PaymentStripe
import PaymentWebhooks
import ServiceKit

/// The way in for providers' webhooks: its route, and what follows.
struct WebhooksIn {
    let endpoints: [Endpoint]
    let looks: [Look]
    let pruning: BackgroundLoop

    /// - Parameter transport: The way to PayPal's certificates.
    /// - Throws: `ServiceConfiguration.Invalid` for secrets and roots that cannot be used.
    init(_ parts: ServiceParts, handler: any NewsHandler, transport: any ProviderTransport) throws {
        let configuration = try InboundConfiguration(
            parts.configuration, environment: ProcessInfo.processInfo.environment)
        let sources: [WebhookSource] = try configuration.sources(transport: transport)
        let receive = ReceiveWebhook(sources: sources, pool: parts.pool, policy: configuration.policy)
        let process = ProcessWebhooks(
            sources: sources, handler: handler, pool: parts.pool, policy: configuration.policy, logger: parts.logger)
        endpoints = WebhookRoutes(receive: receive).endpoints
        looks = process.looks
        pruning = process.pruning
    }
}

extension InboundConfiguration {
    /// The providers that have a secret.
    func sources(transport: any ProviderTransport) throws -> [WebhookSource] {
        var sources: [WebhookSource] = []
        if !stripeSecrets.isEmpty {
            sources.append(
                WebhookSource(.stripe, .stripe(secrets: stripeSecrets, tolerance: tolerance), reader: StripeNews()))
        }
        if !sandboxSecrets.isEmpty {
            sources.append(
                WebhookSource(.sandbox, .sandbox(secrets: sandboxSecrets, tolerance: tolerance), reader: SandboxNews()))
        }
        for (source, secrets) in [(VerifiedWebhook.Source.bitcoin, bitcoinSecrets), (.evm, evmSecrets)]
        where !secrets.isEmpty {
            sources.append(
                WebhookSource(source, .node(source, secrets: secrets, tolerance: tolerance), reader: NodeNews()))
        }
        if let payPalWebhookID {
            let certificates = SignerKeys(
                transport: ProviderCertificates(transport: transport), roots: try payPalRoots())
            let verifier = PayPalVerifier(
                webhookID: payPalWebhookID, origins: payPalOrigins, certificates: certificates)
            sources.append(WebhookSource(verifier, reader: PayPalNews()))
        }
        return sources
    }

    private func payPalRoots() throws -> TrustedRoots {
        do {
            return try TrustedRoots(pem: String(contentsOfFile: payPalRootsPath, encoding: .utf8))
        } catch {
            throw ServiceConfiguration.Invalid(faults: ["PAYPAL_CERT_ROOTS: \(payPalRootsPath) has no certificates"])
        }
    }
}
