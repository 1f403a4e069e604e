import AsyncHTTPClient
import HTTPKit
package import JSON
import NIOCore
import NIOHTTP1
import NIOSSL
import PaymentLinks
import Telemetry

/// Asks Apple for sessions, with the merchant identity certificate: mutual TLS, no redirects.
/// Source: developer.apple.com/documentation/applepayontheweb/requesting-an-apple-pay-payment-session.
package struct AppleMerchantClient: AppleMerchant {
    /// The longest answer that is read; a session has about 4 KiB.
    private static let maxAnswerBytes = 64 << 10

    private let identifier: String
    private let timeout: Duration
    private let client: HTTPClient
    private let failed: Counter = Metrics.shared.counter(
        "apple_pay_sessions_failed_total", help: "Sessions that Apple did not give")

    /// - Parameters:
    ///   - identifier: As registered with Apple: `merchant.com.example`.
    ///   - certificate: The merchant identity certificate, with those above it, in PEM.
    ///   - key: Its private key in PEM.
    ///   - roots: Whom to trust, in PEM; the system's roots when left out.
    ///   - timeout: How long a session and its whole answer may take.
    /// - Throws: When a text is not what it should be, or the key is not the certificate's.
    package init(
        identifier: String, certificate: String, key: String, roots: String? = nil, timeout: Duration = .seconds(10)
    ) throws {
        self.identifier = identifier
        self.timeout = timeout
        var tls: TLSConfiguration = .makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) }
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
        if let roots { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(roots.utf8))) }
        // Now, and not at the first session, a key that is another certificate's is refused.
        _ = try NIOSSLContext(configuration: tls)
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func session(at address: String, domain: String, displayName: String) async throws -> JSONValue {
        let body: JSONValue = [
            "merchantIdentifier": .string(identifier), "displayName": .string(String(displayName.prefix(64))),
            "initiative": "web", "initiativeContext": .string(domain),
        ]
        var request = HTTPClientRequest(url: address)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body.serialized))
        do {
            let (head, text): (HTTPClientResponse, ByteBuffer) = try await client.exchange(
                request, upTo: Self.maxAnswerBytes, within: timeout)
            let session: JSONValue = try parseJSON(Array(text.readableBytesView))
            guard head.status == .ok, session.objectValue != nil else { throw Self.unavailable }
            return session
        } catch {
            failed.increment()
            throw Self.unavailable
        }
    }

    /// Ends its connections; for who makes more than one in a process.
    package func shutdown() async throws { try await client.shutdown() }

    private static let unavailable = Problem(
        502, code: "apple_pay_unavailable", title: "Apple Pay is not available",
        detail: "Apple gave no session. Pay in another way, or try again.")
}
