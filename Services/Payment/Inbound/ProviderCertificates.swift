package import PaymentContract
import PaymentWebhooks

/// Fetches a provider's certificates by the way that all requests to providers take. Which servers are asked is decided
/// before, by ``CertificateOrigin``.
package struct ProviderCertificates: CertificateTransport {
    private let transport: any ProviderTransport

    /// - Parameter transport: Must not follow redirects: they would lead off the list.
    package init(transport: any ProviderTransport) { self.transport = transport }

    package func get(_ address: String, maxBytes: Int) async -> [UInt8]? {
        let request = ProviderHTTPRequest(
            method: "GET", url: address, headers: [("Accept", "application/x-pem-file")], maxAnswerBytes: maxBytes)
        do throws(ProviderFault) {
            let answer: ProviderHTTPAnswer = try await transport.send(request)
            return answer.status == 200 ? answer.body : nil
        } catch {
            return nil
        }
    }
}
