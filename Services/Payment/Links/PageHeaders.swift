import HTTPKit

/// What browsers are told of a page: nothing runs, loads or frames but what it names, and nobody learns its address.
enum PageHeaders {
    static let noSniff = HeaderField("X-Content-Type-Options", "nosniff")

    /// - Parameters:
    ///   - logo: The one address outside that an image may come from.
    ///   - googlePay: Whether the browser may reach Google's payment sheet; asked for only where it is offered.
    static func of(logo: String?, googlePay: Bool) -> [HeaderField] {
        let image: String = logo.flatMap(WebAddress.init(_:)).map { " \($0.origin)" } ?? ""
        let wallet: String = googlePay ? " https://google.com https://pay.google.com" : ""
        let policy: [String] = [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'\(image)",
            "connect-src 'self'\(wallet)", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
        return [
            HeaderField("Content-Security-Policy", policy.joined(separator: "; ")),
            HeaderField("Referrer-Policy", "no-referrer"), noSniff, HeaderField("X-Frame-Options", "DENY"),
            HeaderField("Cross-Origin-Opener-Policy", "same-origin"),
            HeaderField("Cross-Origin-Resource-Policy", "same-origin"),
            HeaderField(
                "Permissions-Policy", "payment=(self), camera=(), microphone=(), geolocation=(), interest-cohort=()"),
            HeaderField("X-Robots-Tag", "noindex, nofollow"),
        ]
    }
}
