import BillingCore
package import PaymentContract
import PaymentDomain
import PaymentPayPal
import PaymentRouting
import PaymentStripe
package import ServiceKit
import Telemetry

/// The outside providers that the surroundings have credentials for, in the order in which they are preferred.
package struct ConfiguredProviders {
    package let all: [any PaymentProvider]

    /// - Parameters:
    ///   - tunables: `payment.return_url`, `payment.stripe_multiple_capture`, `payment.paypal_wallets`, and how long calls may
    ///     take (``RoutingConfiguration/timeout(of:)``).
    ///   - environment: `STRIPE_SECRET_KEY`, `STRIPE_API_URL`, `PAYPAL_CLIENT_ID`, `PAYPAL_CLIENT_SECRET`,
    ///     `PAYPAL_API_URL`.
    ///   - publicURL: Where customers reach this service: they come back to `/pay/return/` there, see
    ///     ``AuthenticationPageRoutes``, unless `payment.return_url` is set.
    ///   - others: The providers that are configured elsewhere.
    /// - Throws: `ServiceConfiguration.Invalid` with every fault at once; a live service without any provider is one.
    package init(
        tunables: [String: String], environment: [String: String], mode: RefrainMode, publicURL: String,
        beside others: [any PaymentProvider] = [], transport: any ProviderTransport
    ) throws(ServiceConfiguration.Invalid) {
        var reading = Reading(mode: mode, environment: environment)
        var all: [any PaymentProvider] = []
        let returnURL: String = reading.returnURL(tunables["payment.return_url"] ?? "", publicURL: publicURL)
        let multipleCapture: Bool = reading.flag("payment.stripe_multiple_capture", in: tunables)
        if let stripe = reading.stripe(returnURL: returnURL, multipleCapture: multipleCapture) {
            let way: any ProviderTransport = reading.way(transport, to: "stripe", tunables)
            all.append(StripeAdapter(configuration: stripe, transport: way))
        }
        let wallets: Set<Wallet> = reading.wallets(tunables["payment.paypal_wallets"] ?? "")
        if let payPal = reading.payPal(returnURL: returnURL, wallets: wallets) {
            let way: any ProviderTransport = reading.way(transport, to: "paypal", tunables)
            let surroundings = PayPalSurroundings(transport: way, clock: SystemClock())
            all.append(PayPalAdapter(configuration: payPal, surroundings: surroundings))
        }
        if mode == .live, reading.faults.isEmpty, all.isEmpty, others.isEmpty {
            reading.faults.append(
                "live mode needs a provider: STRIPE_SECRET_KEY, PAYPAL_CLIENT_ID with PAYPAL_CLIENT_SECRET, or a chain "
                    + "(CRYPTO_…)")
        }
        guard reading.faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: reading.faults) }
        self.all = all
    }

    /// Reads variables and collects what is wrong with them.
    private struct Reading {
        let mode: RefrainMode
        let environment: [String: String]
        var faults: [String] = []

        init(mode: RefrainMode, environment: [String: String]) {
            self.mode = mode
            self.environment = environment
        }

        private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

        /// Where customers come back to from their banks; the payment's id is appended.
        mutating func returnURL(_ given: String, publicURL: String) -> String {
            guard !given.isEmpty else { return publicURL + "/pay/return/" }
            if mode == .live, WebAddress(given)?.isLoopback ?? true {
                faults.append("payment.return_url must be an https address in live mode")
            }
            return given
        }

        /// `false` where it is not set.
        mutating func flag(_ name: String, in tunables: [String: String]) -> Bool {
            let text: String = tunables[name] ?? ""
            if !["", "true", "false"].contains(text) { faults.append("\(name) must be true or false") }
            return text == "true"
        }

        /// The way to a provider whose calls may take so long.
        mutating func way(
            _ transport: any ProviderTransport, to name: String, _ tunables: [String: String]
        ) -> any ProviderTransport {
            do throws(RoutingConfiguration.Invalid) {
                let limit: Duration = try RoutingConfiguration(tunables: tunables).timeout(of: name)
                return RepeatedTries(over: transport, callLimit: limit)
            } catch {
                // What is set for all is told once.
                if !faults.contains(error.description) { faults.append(error.description) }
                return transport
            }
        }

        mutating func stripe(returnURL: String, multipleCapture: Bool) -> StripeConfiguration? {
            guard let key: String = value("STRIPE_SECRET_KEY") else { return nil }
            let isTest: Bool = key.hasPrefix("sk_test_") || key.hasPrefix("rk_test_")
            if isTest == (mode == .live) {
                faults.append(
                    "STRIPE_SECRET_KEY must be a \(mode == .live ? "live" : "test") key in \(mode.rawValue) mode")
            }
            let publishable: String? = value("STRIPE_PUBLISHABLE_KEY")
            if let publishable, !publishable.hasPrefix(mode == .live ? "pk_live_" : "pk_test_") {
                faults.append(
                    "STRIPE_PUBLISHABLE_KEY must be a publishable \(mode == .live ? "live" : "test") key in "
                        + "\(mode.rawValue) mode")
            }
            let url: String = address("STRIPE_API_URL", default: "https://api.stripe.com")
            return StripeConfiguration(
                baseURL: url, secretKey: Secret(key), publishableKey: publishable, returnURL: returnURL,
                multipleCapture: multipleCapture)
        }

        /// Wallets out of a list of names.
        mutating func wallets(_ text: String) -> Set<Wallet> {
            let words: [String] = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
            let unknown: [String] = words.filter { Wallet(rawValue: $0) == nil }
            if !unknown.isEmpty {
                let known: String = Wallet.allCases.map(\.rawValue).joined(separator: ", ")
                faults.append(
                    "payment.paypal_wallets must be of \(known), and names \(unknown.joined(separator: ", "))")
            }
            return Set(words.compactMap(Wallet.init))
        }

        mutating func payPal(returnURL: String, wallets: Set<Wallet>) -> PayPalConfiguration? {
            let id: String? = value("PAYPAL_CLIENT_ID")
            let secret: String? = value("PAYPAL_CLIENT_SECRET")
            guard id != nil || secret != nil else { return nil }
            guard let id, let secret else {
                faults.append("PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET are set together or not at all")
                return nil
            }
            let home: String = mode == .live ? "https://api-m.paypal.com" : "https://api-m.sandbox.paypal.com"
            let url: String = address("PAYPAL_API_URL", default: home)
            if mode == .live, url.contains("sandbox") {
                faults.append("PAYPAL_API_URL must not be PayPal's sandbox in live mode")
            }
            return PayPalConfiguration(
                baseURL: url, clientID: id, clientSecret: Secret(secret), returnURL: returnURL,
                wallets: wallets)
        }

        /// Credentials travel over TLS, or within this machine.
        private mutating func address(_ name: String, default fallback: String) -> String {
            let url: String = value(name) ?? fallback
            if !url.hasPrefix("https://"), mode == .live || WebAddress(url) == nil {
                faults.append("\(name) must be an https address")
            }
            return url
        }
    }
}
