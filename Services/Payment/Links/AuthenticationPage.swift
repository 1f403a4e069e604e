import BillingCore
package import HTTPKit
import JSON
package import PaymentRecords

/// The page on which a customer authenticates for a payment, the small one inside its frames that an issuer sends the
/// browser back to, and the one that a provider sends the customer back to.
package struct AuthenticationPage: Sendable {
    private let shell: AuthenticationPageShell
    private let isSandbox: Bool

    /// - Throws: ``PageAssets/Missing`` when the page's files are not there.
    package init(assets: PageAssets, isSandbox: Bool) throws {
        shell = try AuthenticationPageShell(assets: assets)
        self.isSandbox = isSandbox
    }

    /// The page of a payment; one that says so where there is none.
    package func reply(_ code: String, _ payment: PaymentRecord?) -> PageReply {
        var members: [JSONMember] = shell.members
        if let payment {
            members += [
                JSONMember(name: "code", value: .string(code)),
                JSONMember(name: "amount", value: .string(String(payment.amount.minor))),
                JSONMember(name: "currency", value: .string(payment.amount.currency.code)),
                JSONMember(name: "exponent", value: .number(String(payment.amount.currency.exponent))),
                JSONMember(name: "is_sandbox", value: .bool(isSandbox)),
            ]
        }
        return shell.reply(
            payment == nil ? 404 : 200, "authenticate.js", .object(members),
            PageHeaders.ofAuthentication(isSandbox: isSandbox))
    }

    /// What an issuer sends the browser back to, inside a frame of the page's.
    package func back(_ code: String) -> PageReply {
        shell.reply(200, "authenticate-back.js", ["code": .string(code)], PageHeaders.ofFrame)
    }

    /// What a provider sends the customer of a payment back to, after their bank has seen them: the way to the shop, where
    /// the shop has said one. How the payment ended is not said: whoever knows a payment's id may see the page. One that
    /// says so where there is no payment.
    /// - Parameter address: The way to the shop; `nil`: the browser may know one, else the page may be closed.
    package func returned(_ payment: PaymentRecord?, to address: String?) -> PageReply {
        var members: [JSONMember] = shell.members
        if let payment {
            members += [
                JSONMember(name: "returned", value: .string(payment.id.rawValue)),
                JSONMember(name: "return_url", value: address.map { .string($0) } ?? .null),
            ]
        }
        return shell.reply(payment == nil ? 404 : 200, "authenticate.js", .object(members), PageHeaders.ofReturn)
    }
}

extension PageHeaders {
    /// Issuers' pages are shown in frames, at addresses that only their answers tell, and send browsers on to others of
    /// theirs: any site over TLS may be framed and posted to. Nothing of theirs runs in the page itself.
    fileprivate static func ofAuthentication(isSandbox: Bool) -> [HeaderField] {
        let issuers: String = isSandbox ? "https: http://127.0.0.1:* http://localhost:*" : "https:"
        return headers(
            ["connect-src 'self'", "frame-src 'self' \(issuers)", "form-action 'self' \(issuers)"],
            ancestors: "'none'") + [HeaderField("X-Frame-Options", "DENY")]
    }

    /// Nothing is framed and nothing posted.
    static var ofReturn: [HeaderField] {
        headers(["connect-src 'self'", "form-action 'none'"], ancestors: "'none'")
            + [HeaderField("X-Frame-Options", "DENY")]
    }

    /// Only our own page may frame it.
    fileprivate static var ofFrame: [HeaderField] {
        headers(["form-action 'none'"], ancestors: "'self'") + [HeaderField("X-Frame-Options", "SAMEORIGIN")]
    }

    private static func headers(_ more: [String], ancestors: String) -> [HeaderField] {
        let policy: [String] =
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"] + more
            + ["base-uri 'none'", "frame-ancestors \(ancestors)", "require-trusted-types-for 'script'"]
        return [
            HeaderField("Content-Security-Policy", policy.joined(separator: "; ")),
            HeaderField("Referrer-Policy", "no-referrer"), noSniff,
            HeaderField("Cross-Origin-Resource-Policy", "same-origin"),
            HeaderField("Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()"),
            HeaderField("X-Robots-Tag", "noindex, nofollow"),
        ]
    }
}
