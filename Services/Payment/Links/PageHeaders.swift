import BillingCore
import HTTPKit

/// What browsers are told of a page: nothing runs, loads or frames but what it names, and nobody learns its address.
enum PageHeaders {
    static let noSniff = HeaderField("X-Content-Type-Options", "nosniff")

    /// - Parameters:
    ///   - logo: The one address outside that an image may come from.
    ///   - googlePay: Whether the page loads Google's script, whose sheet is a window and frames of Google's. A script of
    ///     theirs keeps no trusted types.
    static func of(logo: String?, googlePay: Bool) -> [HeaderField] {
        let image: String = logo.flatMap { WebAddress($0) }.map { " \($0.origin)" } ?? ""
        let google: String = googlePay ? " https://pay.google.com" : ""
        var policy: [String] = [
            "default-src 'none'", "script-src 'self'\(google)", "style-src 'self'", "img-src 'self'\(image)",
            "connect-src 'self'\(googlePay ? google + " https://google.com" : "")", "form-action 'self'",
            "base-uri 'none'", "frame-ancestors 'none'",
        ]
        policy.append(googlePay ? "frame-src\(google)" : "require-trusted-types-for 'script'")
        return [
            HeaderField("Content-Security-Policy", policy.joined(separator: "; ")),
            HeaderField("Referrer-Policy", "no-referrer"), noSniff, HeaderField("X-Frame-Options", "DENY"),
            HeaderField("Cross-Origin-Opener-Policy", googlePay ? "same-origin-allow-popups" : "same-origin"),
            HeaderField("Cross-Origin-Resource-Policy", "same-origin"),
            HeaderField(
                "Permissions-Policy",
                "payment=(self\(googlePay ? " \"https://pay.google.com\"" : "")), camera=(), microphone=(), "
                    + "geolocation=(), interest-cohort=()"),
            HeaderField("X-Robots-Tag", "noindex, nofollow"),
        ]
    }
}
