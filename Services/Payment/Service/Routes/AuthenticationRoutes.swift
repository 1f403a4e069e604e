import BillingCore
import HTTPKit
package import JSON
import PaymentAuthentication
import PaymentRecords
import PaymentThreeDS
import Postgres

/// 3-D Secure: beginning it, the page that leads to the issuer's, and what issuers and browsers send. The routes are there
/// whether it is run here or not: the API is the same everywhere.
struct AuthenticationRoutes: Sendable {
    private static let maxBodyBytes = 65_536

    /// `nil` where no card takes part.
    let authenticate: AuthenticatePayment?
    /// Where customers authenticate on a page of ours; `nil` where there is none.
    let onPage: AuthenticateOnPage?

    var endpoints: [Endpoint] { [begin, result, comeBack, page] }

    private var begin: Endpoint {
        let authenticate: AuthenticatePayment? = authenticate
        return .task(
            .post, "/v1/payments/{id}/authentication", scope: "payments:write",
            summary: "Have the issuer authenticate the customer by 3-D Secure", body: AuthenticatePaymentInput.self,
            answers: AuthenticationResource.self, statuses: [200], needsKey: false,
            problems: ["404 not_found", "409 payment_state", "409 not_enrolled"]
        ) { call, input in
            guard let authenticate else { throw AuthenticatePayment.notEnrolled }
            return try await authenticate(try call.id(), input)
        }
    }

    /// The issuer's word, through the directory server; the answer has the protocol's own form.
    private var result: Endpoint {
        let authenticate: AuthenticatePayment? = authenticate
        return .delivery(
            "/v1/three_d_secure/results", summary: "Take in the result of a 3-D Secure challenge (RReq)",
            maxBodyBytes: Self.maxBodyBytes, statuses: [200], problems: ["404 not_found"]
        ) { _, delivery in
            guard let authenticate else { throw Problem.notFound("authentication") }
            guard let body: [UInt8] = delivery.body else { throw Problem.bodyTooLarge(Self.maxBodyBytes) }
            return PageReply(contentType: "application/json", body: try await authenticate.result(body))
        }
    }

    private var comeBack: Endpoint {
        let (authenticate, onPage) = (authenticate, onPage)
        return .delivery(
            "/v1/three_d_secure/return", summary: "Take a browser back from an issuer's page (CRes)",
            maxBodyBytes: Self.maxBodyBytes, statuses: [303], problems: ["400 unknown_return"]
        ) { _, delivery in
            guard let body: [UInt8] = delivery.body else { throw Problem.bodyTooLarge(Self.maxBodyBytes) }
            let form: [String: String] = BrowserFields.decode(body)
            guard
                let code: String = try await authenticate?.returned(
                    form["cres"] ?? "", session: form["threeDSSessionData"])
            else { throw Problem.badRequest("unknown_return", "This fits no authentication.") }
            let page: String? = try await onPage?.page(of: code)
            let location: String = page.map { "/pay/authentication/\($0)/back" } ?? "/v1/three_d_secure/\(code)"
            return .seeOther(location)
        }
    }

    private var page: Endpoint {
        .page("/v1/three_d_secure/{code}", summary: "The way to an issuer's page, and back") { db, call in
            ChallengePage.of(try AuthenticationStore.find(code: call.parameter("code"), in: db), at: call.now)
        }
    }
}

/// `POST /v1/payments/{id}/authentication`: the customer's browser, as issuers want to know it.
package struct AuthenticatePaymentInput: JSONInput {
    let browser: CardholderBrowser

    package init(_ f: inout InputFields) {
        let accept: String = f.string("accept_header", min: 1, max: 2_048, doc: "The browser's Accept header")
        let agent: String = f.string("user_agent", min: 1, max: 2_048, doc: "The browser's User-Agent header")
        let address: String? = f.optionalIPAddress("ip_address", doc: "The browser's address")
        let language: String = f.string("language", min: 1, max: 35, doc: "navigator.language")
        let depth: Int64 = f.int("color_depth", range: 1...48, doc: "screen.colorDepth")
        let height: Int64 = f.int("screen_height", range: 0...999_999, doc: "screen.height")
        let width: Int64 = f.int("screen_width", range: 0...999_999, doc: "screen.width")
        let zone: Int64 = f.int("time_zone_minutes", range: -1_440...1_440, doc: "Date.getTimezoneOffset()")
        browser = CardholderBrowser(
            acceptHeader: accept, userAgent: agent, address: address,
            script: CardholderBrowser.Script(
                language: language, javaEnabled: false, colorDepth: Int(depth), screenHeight: Int(height),
                screenWidth: Int(width), timeZoneMinutes: Int(zone)))
    }
}

/// How an authentication stands.
package struct AuthenticationResource: JSONOutput {
    let paymentID: PaymentID
    let status: String
    let url: String?

    init(_ payment: PaymentID, status: String) {
        paymentID = payment
        self.status = status
        url = nil
    }

    init(_ record: AuthenticationRecord, publicURL: String) {
        paymentID = record.paymentID
        status = record.standing
        url = status == "challenge" ? "\(publicURL)/v1/three_d_secure/\(record.code)" : nil
    }

    private init(sample: PaymentID) {
        paymentID = sample
        status = "challenge"
        url = "https://pay.example/v1/three_d_secure/3w5e11264sg0f"
    }

    /// Writes its fields.
    package func write(to o: inout ObjectWriter) {
        o.field("object", "authentication")
        o.field("payment_id", paymentID.rawValue)
        o.field("status", status, doc: "under_way, challenge, decoupled, or the issuer's word")
        o.field("url", url, doc: "Where the customer has to go for a challenge")
    }

    /// A challenge.
    package static var sample: Self { Self(sample: PaymentID.sample) }
}

extension AuthenticationRecord {
    /// Its name for callers.
    var standing: String {
        switch authentication?.stage {
        case .challenge: "challenge"
        case .decoupled: "decoupled"
        case .done(let outcome): outcome.verdict.name
        case .created, .methodEnded, .asked, nil: "under_way"
        }
    }
}

/// The fields of a form that a browser posts.
enum BrowserFields {
    static func decode(_ body: [UInt8]) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in String(decoding: body, as: UTF8.self).split(separator: "&") {
            let parts: [Substring] = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            fields[unescaped(parts[0])] = unescaped(parts[1])
        }
        return fields
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest: Substring.UTF8View = text.utf8
        while let byte: UInt8 = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The page between the shop and the issuer: a form that brings the customer there, and a word when they are back. It
/// runs no script and loads nothing.
enum ChallengePage {
    static func of(_ record: AuthenticationRecord?, at now: Instant) -> PageReply {
        guard let record, var authentication: Authentication = record.authentication else {
            return reply(404, "<h1>Nothing here</h1><p>This address is not, or no longer, in use.</p>", formTo: nil)
        }
        if let form: BrowserForm = try? authentication.beginChallenge(window: .fullPage, at: now) {
            let fields: String = form.fields.map {
                "<input type=\"hidden\" name=\"\($0.name.markupEscaped)\" value=\"\($0.value.markupEscaped)\">"
            }.joined()
            return reply(
                200,
                """
                <h1>Confirm your payment</h1><p>Your bank wants to make sure that it is you.</p>
                <form method="post" action="\(form.address.markupEscaped)">\(fields)
                <button autofocus>Continue to your bank</button></form>
                """, formTo: form.address)
        }
        let word: String =
            switch authentication.outcome?.verdict {
            case .authenticated, .attempted: "Your bank has confirmed the payment."
            case .notAuthenticated, .rejected, .unavailable: "Your bank has not confirmed the payment."
            case nil: "Your bank's word is on its way."
            }
        return reply(200, "<h1>Thank you</h1><p>\(word) You may close this page.</p>", formTo: nil)
    }

    private static func reply(_ status: Int, _ body: String, formTo address: String?) -> PageReply {
        let html = """
            <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Payment</title>
            <meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main>\(body)</main></body></html>
            """
        let target: String = address.flatMap { WebAddress($0, max: 2_048) }?.origin ?? "'none'"
        return PageReply(
            status: status, contentType: "text/html; charset=utf-8", body: Array(html.utf8),
            headers: [
                HeaderField(
                    "Content-Security-Policy",
                    "default-src 'none'; form-action \(target); base-uri 'none'; frame-ancestors 'none'"),
                HeaderField("Referrer-Policy", "no-referrer"), HeaderField("X-Content-Type-Options", "nosniff"),
                HeaderField("X-Robots-Tag", "noindex, nofollow"),
            ])
    }
}
