import BillingCore
import HTTPKit
import PaymentContract

/// What browsers are told of a page: nothing runs, loads or frames but what it names, and nobody learns its address.
enum PageHeaders {
    static let noSniff = HeaderField("X-Content-Type-Options", "nosniff")

    /// - Parameters:
    ///   - logo: The one address outside that an image may come from.
    ///   - googlePay: Whether the page loads Google's script, whose sheet is a window and frames of Google's.
    ///   - form: Whose form takes cards on the page; its fields are frames of the provider's. Scripts from outside keep no trusted
    ///     types.
    static func of(logo: String?, googlePay: Bool, form: CardForm? = nil) -> [HeaderField] {
        let image: String = logo.flatMap { WebAddress($0) }.map { " \($0.origin)" } ?? ""
        let google: [String] = googlePay ? ["https://pay.google.com"] : []
        let origin: [String] = form.flatMap { WebAddress($0.script) }.map { [$0.origin] } ?? []
        let scripts: [String] = google + origin + (form?.scripts ?? [])
        let frames: [String] = google + origin + (form?.frames ?? [])
        let asked: [String] = google + (googlePay ? ["https://google.com"] : []) + (form?.asks ?? [])
        func sources(_ directive: String, _ others: [String]) -> String {
            ([directive, "'self'"] + others).joined(separator: " ")
        }
        var policy: [String] = [
            "default-src 'none'", sources("script-src", scripts), "style-src 'self'", "img-src 'self'\(image)",
            sources("connect-src", asked), "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        ]
        policy.append(
            frames.isEmpty
                ? "require-trusted-types-for 'script'" : (["frame-src"] + frames).joined(separator: " "))
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
