package import BillingCore
import JSON

/// Verifies PayPal's deliveries without asking PayPal.
/// Source: PayPal's "Webhooks integration guide", self verification.
package struct PayPalVerifier: Sendable {
    /// How old a delivery may be: PayPal tries again for three days.
    package static let standardAge: Duration = .seconds(4 * 86_400)
    /// How far our clock may be behind.
    package static let clockTolerance: Duration = .seconds(300)

    private let webhookID: String
    private let origins: [CertificateOrigin]
    private let certificates: SignerKeys
    private let maxAge: Duration

    /// - Parameters:
    ///   - webhookID: The id under which PayPal knows our address: it is signed, so that a delivery meant for another
    ///     listener is none for us.
    ///   - origins: The servers whose certificates are looked at; live or sandbox, not both.
    package init(
        webhookID: String, origins: [CertificateOrigin], certificates: SignerKeys,
        maxAge: Duration = standardAge
    ) {
        self.webhookID = webhookID
        self.origins = origins
        self.certificates = certificates
        self.maxAge = maxAge
    }

    /// Believes a delivery, or says why not. May fetch a certificate.
    package func verify(_ webhook: IncomingWebhook, at now: Instant) async throws(WebhookRefusal) -> VerifiedWebhook {
        try webhook.checkSize()
        let claim = try Claim(webhook)
        guard let origin = origins.first(where: { $0.holds(claim.certificateAddress) }) else {
            throw .certificateAddress
        }
        let key = try await certificates.key(claim.certificateAddress, names: origin.signerNames, at: now)
        let checksum: UInt32 = CRC32.of(webhook.body)
        let signed = "\(claim.transmissionID)|\(claim.time)|\(webhookID)|\(checksum)"
        guard key.hasSigned(signed, claim.signature) else { throw .wrongSignature }
        guard now - claim.instant <= maxAge else { throw .tooOld }
        guard claim.instant - now <= Self.clockTolerance else { throw .tooNew }
        return try VerifiedWebhook(reading: webhook.body, from: .paypal, typeName: "event_type") { event in
            event["create_time"]?.stringValue.flatMap(Instant.init(rfc3339:))
        }
    }

    /// What the headers claim. The lengths are those of PayPal's `verify_webhook_signature` document.
    private struct Claim {
        let transmissionID: String
        let time: String
        let instant: Instant
        let signature: [UInt8]
        let certificateAddress: String

        init(_ webhook: IncomingWebhook) throws(WebhookRefusal) {
            let algorithm = try webhook.header("PAYPAL-AUTH-ALGO", maxBytes: 100)
            guard algorithm == "SHA256withRSA" else { throw .noUsableSignature }
            transmissionID = try webhook.header("PAYPAL-TRANSMISSION-ID", maxBytes: 50)
            time = try webhook.header("PAYPAL-TRANSMISSION-TIME", maxBytes: 100)
            certificateAddress = try webhook.header("PAYPAL-CERT-URL", maxBytes: 500)
            let text = try webhook.header("PAYPAL-TRANSMISSION-SIG", maxBytes: 1_024)
            // No separator may hide in a part: else two messages could be signed by one text.
            guard !transmissionID.isEmpty, transmissionID.utf8.allSatisfy(Self.isIDByte),
                let instant = Instant(rfc3339: time), let signature = Base64.standard.decode(text), !signature.isEmpty
            else { throw .headerMalformed }
            self.instant = instant
            self.signature = signature
        }

        private static func isIDByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
