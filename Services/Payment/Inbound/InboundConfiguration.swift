import BillingCore
import PaymentContract
package import PaymentWebhooks
package import ServiceKit

/// Which providers' webhooks are taken, and by what they are known. A provider without a secret has no route.
package struct InboundConfiguration: Sendable {
    /// `STRIPE_WEBHOOK_SECRET`: one, or several with commas between while one takes the other's place.
    package let stripeSecrets: [WebhookSecret]
    /// `SANDBOX_WEBHOOK_SECRET`, the same way; not in live mode.
    package let sandboxSecrets: [WebhookSecret]
    /// `CRYPTO_BITCOIN_WEBHOOK_SECRET`, of nodes of ours, the same way.
    package let bitcoinSecrets: [WebhookSecret]
    /// `CRYPTO_EVM_WEBHOOK_SECRET`.
    package let evmSecrets: [WebhookSecret]
    /// `PAYPAL_WEBHOOK_ID`: under what PayPal knows our address.
    package let payPalWebhookID: String?
    /// `PAYPAL_CERT_ORIGINS`: the servers whose certificates are looked at; PayPal's own of this mode unless it says otherwise.
    package let payPalOrigins: [CertificateOrigin]
    /// `PAYPAL_CERT_ROOTS`: a file with the certificates that PayPal's are issued under, in PEM; the system's unless it says
    /// otherwise.
    package let payPalRootsPath: String
    /// `payment.webhook_tolerance_seconds`: how far a signed time may be from ours.
    package let tolerance: Duration
    /// `payment.webhook_*`.
    package let policy: InboundPolicy

    /// Reads the environment and the tunables.
    /// - Throws: `ServiceConfiguration.Invalid` with every fault at once.
    package init(
        _ configuration: ServiceConfiguration, environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) {
        let isLive: Bool = configuration.mode == .live
        var faults: [String] = []
        stripeSecrets = Self.secrets("STRIPE_WEBHOOK_SECRET", environment, &faults)
        sandboxSecrets = Self.secrets("SANDBOX_WEBHOOK_SECRET", environment, &faults)
        bitcoinSecrets = Self.secrets("CRYPTO_BITCOIN_WEBHOOK_SECRET", environment, &faults)
        evmSecrets = Self.secrets("CRYPTO_EVM_WEBHOOK_SECRET", environment, &faults)
        if isLive, !sandboxSecrets.isEmpty { faults.append("SANDBOX_WEBHOOK_SECRET must not be set in live mode") }
        payPalWebhookID = environment["PAYPAL_WEBHOOK_ID"].flatMap { $0.isEmpty ? nil : $0 }
        payPalRootsPath = environment["PAYPAL_CERT_ROOTS"] ?? "/etc/ssl/certs/ca-certificates.crt"
        let usual: String = isLive ? "https://api.paypal.com" : "https://api.sandbox.paypal.com"
        let texts: [Substring] = (environment["PAYPAL_CERT_ORIGINS"] ?? usual).split(separator: ",")
        payPalOrigins = texts.compactMap { CertificateOrigin(String($0)) }
        if payPalOrigins.count != texts.count || texts.isEmpty {
            faults.append("PAYPAL_CERT_ORIGINS must look like https://host,https://host")
        }
        if isLive, payPalOrigins.contains(where: { $0.description.hasPrefix("http://") }) {
            faults.append("PAYPAL_CERT_ORIGINS must not be plain text in live mode")
        }
        tolerance = .seconds(configuration.int("payment.webhook_tolerance_seconds", default: 300))
        policy = InboundPolicy(
            delaySeconds: configuration.int("payment.webhook_delay_seconds", default: 1),
            attemptsLimit: configuration.int("payment.webhook_attempts_limit", default: 16),
            keepDays: configuration.int("payment.webhook_keep_days", default: 90))
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
    }

    private static func secrets(
        _ name: String, _ environment: [String: String], _ faults: inout [String]
    ) -> [WebhookSecret] {
        let texts: [Substring] = (environment[name] ?? "").split(separator: ",")
        let secrets: [WebhookSecret] = texts.compactMap { WebhookSecret(String($0)) }
        if secrets.count != texts.count { faults.append("\(name): a secret has at least 16 characters") }
        return secrets
    }
}
