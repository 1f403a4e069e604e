import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRouting
import Testing

@Suite("What the configuration says of providers") struct RoutingConfigurationTests {
    private enum Mood: String, CaseIterable { case good, bad }

    private static let capabilities = ProviderCapabilities(methods: [], currencies: ["EUR"])

    private static func profile(_ tunables: [String: String]) throws -> ProviderProfile {
        try RoutingConfiguration(tunables: tunables).profile("stripe", capabilities)
    }

    private static func fault(_ work: () throws -> some Any) -> String {
        do {
            _ = try work()
            return "none"
        } catch { return "\(error)" }
    }

    @Test("a provider's own limits come before those of all, and these before the standard") func limits() throws {
        let standard: ProviderProfile = try Self.profile([:])
        #expect(standard.limits.timeout == .seconds(30) && standard.limits.inFlight == 4_096 && standard.fees == nil)
        let common: [String: String] = [
            "payment.provider_timeout_seconds": "9", "payment.provider_in_flight_limit": "7",
        ]
        let all: ProviderProfile = try Self.profile(common)
        #expect(all.limits.timeout == .seconds(9) && all.limits.inFlight == 7)
        let own: ProviderProfile = try Self.profile(
            common.merging(["payment.providers.stripe.timeout_seconds": "5"]) { $1 })
        #expect(own.limits.timeout == .seconds(5) && own.limits.inFlight == 7)
        let others: ProviderProfile = try Self.profile(["payment.providers.paypal.timeout_seconds": "x"])
        #expect(others.limits.timeout == .seconds(30), "another's settings are not this one's")
    }

    static let malformed: [(String, String, String)] = [
        ("payment.providers.stripe.timeout_seconds", "0", "must be above zero"),
        ("payment.providers.stripe.timeout_seconds", "fast", "must be above zero"),
        ("payment.provider_timeout_seconds", "-1", "must be above zero"),
        ("payment.providers.stripe.in_flight_limit", "1.5", "must be above zero"),
        ("payment.provider_in_flight_limit", "", "must be above zero"),
        ("payment.providers.stripe.fee_rate", "2,9", "must be a decimal such as 0.029"),
        ("payment.providers.stripe.fee_fixed.EURO", "30", "must be minor units of a currency"),
        ("payment.providers.stripe.fee_fixed.EUR", "0.30", "must be minor units of a currency"),
    ]

    @Test("each malformed setting of a provider is named", arguments: malformed)
    func named(path: String, value: String, sentence: String) {
        #expect(Self.fault { try Self.profile([path: value]) } == "\(path) \(sentence)")
    }

    @Test("fees that cannot be are refused with their provider", arguments: ["-0.01", "1.5"])
    func fees(rate: String) {
        let fault: String = Self.fault { try Self.profile(["payment.providers.stripe.fee_rate": rate]) }
        #expect(fault.hasPrefix("payment.providers.stripe: the fee's "), "\(fault)")
    }

    @Test("a rate alone is all that a payment costs, in every currency; a fixed part counts where it is known")
    func rateAlone() throws {
        let rate: [String: String] = ["payment.providers.stripe.fee_rate": "0.02"]
        let alone: FeeModel? = try Self.profile(rate).fees
        for currency in [Currency.eur, .usd] {
            #expect(alone?.cost(of: Money(minor: 500, currency: currency))?.billionths == 10_000_000_000)
        }
        let both: [String: String] = rate.merging(["payment.providers.stripe.fee_fixed.EUR": "25"]) { $1 }
        let fixed: FeeModel? = try Self.profile(both).fees
        #expect(fixed?.cost(of: Money(minor: 500, currency: .eur))?.billionths == 35_000_000_000)
        #expect(fixed?.cost(of: Money(minor: 500, currency: .usd)) == nil)
    }

    @Test("sandbox acquirers are read in order, and a name that is none is told") func acquirers() throws {
        func names(_ text: String?) throws -> [String] {
            try RoutingConfiguration(
                tunables: text.map { ["payment.sandbox.acquirers": $0] } ?? [:]
            ).sandboxAcquirers(beside: "sandbox_local")
        }
        #expect(try names(nil) == [])
        #expect(try names("sandbox_b,sandbox_a1") == ["sandbox_b", "sandbox_a1"])
        for wrong in ["sandbox", "sandbox_", "stripe", "sandbox_B", "sandbox_b x"] {
            #expect(Self.fault { try names(wrong) } == "payment.sandbox.acquirers: \(wrong) is no sandbox_… name")
        }
        #expect(Self.fault { try names("sandbox_b,sandbox_b") } == "payment.sandbox.acquirers names one twice")
        #expect(
            Self.fault { try names("sandbox_local") }
                == "payment.sandbox.acquirers: sandbox_local is there anyway, and takes no cards")
    }

    @Test("an acquirer's words and percentages are told when they are none") func acquirer() throws {
        func word(_ text: String?) throws -> Mood? {
            try RoutingConfiguration(tunables: text.map { ["payment.sandbox.sandbox_b.mood": $0] } ?? [:])
                .sandboxWord("mood", of: "sandbox_b", as: Mood.self)
        }
        func percent(_ text: String?) throws -> Int {
            try RoutingConfiguration(tunables: text.map { ["payment.sandbox.sandbox_b.percent": $0] } ?? [:])
                .sandboxPercent("percent", of: "sandbox_b")
        }
        #expect(try word(nil) == nil)
        #expect(try word("bad") == .bad)
        #expect(Self.fault { try word("moody") } == "payment.sandbox.sandbox_b.mood must be one of good, bad")
        #expect(try percent(nil) == 100)
        #expect(try percent("0") == 0)
        for wrong in ["-1", "101", "5%", ""] {
            #expect(Self.fault { try percent(wrong) } == "payment.sandbox.sandbox_b.percent must be 0 to 100")
        }
    }
}
