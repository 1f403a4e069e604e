import BillingCore
import HTTPKit
package import JSON

/// The merchant towards Apple: asks for the session that a page needs before Apple Pay shows anything. Asking takes the
/// merchant identity certificate.
package protocol AppleMerchant: Sendable {
    /// Asks for a session at an address of Apple's.
    /// - Parameters:
    ///   - domain: The page's host, as it is registered with Apple.
    ///   - displayName: Who is paid, for the sheet.
    /// - Returns: Apple's answer, which the page hands on unread.
    /// - Throws: ``Problem`` 502 when there is none.
    func session(at address: String, domain: String, displayName: String) async throws -> JSONValue
}

/// Where a merchant may be sent for a session: Apple's gateways only, or the page could make us call anybody
/// (developer.apple.com, "Setting up your server": `apple-pay-gateway*.apple.com` and `cn-apple-pay-gateway*.apple.com`).
enum AppleGateway {
    static func isOne(_ text: String) -> Bool {
        guard let address = WebAddress(text), !address.isLoopback else { return false }
        let host: String = String(address.origin.dropFirst("https://".count))
        let isNamed: Bool = host.hasPrefix("apple-pay-gateway") || host.hasPrefix("cn-apple-pay-gateway")
        return isNamed && host.hasSuffix(".apple.com") && host.split(separator: ".").count == 3
    }
}

/// `POST /pay/{code}/apple_pay/session`.
package struct AppleSessionInput: JSONInput {
    let validationURL: String

    package init(_ f: inout InputFields) {
        validationURL = f.required(
            "validation_url", schema: JSONSchema.string(max: WebAddress.maxLength, format: "uri"), placeholder: "",
            doc: "As Apple Pay gave it to the page"
        ) { value in
            guard let text: String = value.stringValue, AppleGateway.isOne(text) else {
                return .failure(Fault(code: "invalid_url", message: "must be one of Apple's gateways"))
            }
            return .success(text)
        }
    }
}

/// A session as Apple gave it.
package struct AppleSessionResource: JSONOutput {
    let session: JSONValue

    package func write(to o: inout ObjectWriter) { o.field("session", session, doc: "For the browser, unread") }

    package static var sample: Self { Self(session: .object([])) }
}
