import BillingCore
package import PaymentContract
package import PaymentDomain

/// A configured provider as routing knows it.
package struct ProviderProfile: Sendable {
    /// Its name.
    package let name: String
    /// What it can do.
    package let capabilities: ProviderCapabilities
    /// What it charges; `nil` where nobody wrote it down.
    package let fees: FeeModel?
    /// What it is trusted with at once, and for how long.
    package let limits: Limits
    let methods: [MethodFacts]

    /// How far a provider is trusted.
    package struct Limits: Sendable, Equatable {
        /// A call without an answer is given up after this.
        package let timeout: Duration
        /// Calls under way at once, of all instances together.
        package let inFlight: Int

        package init(timeout: Duration = .seconds(30), inFlight: Int = 4_096) {
            self.timeout = timeout
            self.inFlight = max(1, inFlight)
        }
    }

    package init(
        name: String, capabilities: ProviderCapabilities, fees: FeeModel? = nil, limits: Limits = Limits()
    ) {
        self.name = name
        self.capabilities = capabilities
        self.fees = fees
        self.limits = limits
        let all: Set<Currency> = Set(capabilities.currencies.compactMap { Currency($0) })
        methods = capabilities.methods.map { method in
            MethodFacts(
                type: method.type,
                currencies: method.currencies.map { Set($0.compactMap { Currency($0) }) } ?? all,
                countries: method.countries,
                currencyOf: method.currencyOf.compactMapValues { Currency($0) }, amounts: Self.amounts(method.amounts),
                offSession: method.offSession)
        }
    }

    private static func amounts(_ amounts: [String: ClosedRange<Int64>]) -> [Currency: ClosedRange<Int64>] {
        var known: [Currency: ClosedRange<Int64>] = [:]
        for (code, range) in amounts { if let currency = Currency(code) { known[currency] = range } }
        return known
    }
}

/// The configured providers, by name.
package struct ProviderCatalogue: Sendable {
    /// In the order of names.
    package let profiles: [ProviderProfile]
    private let byName: [String: ProviderProfile]

    /// Takes profiles, whose names must differ.
    package init(_ profiles: [ProviderProfile]) {
        self.profiles = profiles.sorted { $0.name < $1.name }
        byName = Dictionary(uniqueKeysWithValues: profiles.map { ($0.name, $0) })
    }

    /// The names.
    package var names: Set<String> { Set(byName.keys) }

    /// One of them; `nil` when there is none of the name.
    package func named(_ name: String) -> ProviderProfile? { byName[name] }
}
