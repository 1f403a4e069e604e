package import PaymentDomain

/// The providers this service is configured with, in the order in which they are preferred.
package struct PaymentProviders: Sendable {
    /// All of them.
    package let all: [any PaymentProvider]
    /// The same without guards: a guard stands before charges only, and hides what else a provider can do.
    package let beneath: [any PaymentProvider]
    private let byName: [String: any PaymentProvider]
    private let isTakenOut: @Sendable (String) -> Bool

    /// Takes providers, whose names must differ.
    /// - Parameters:
    ///   - beneath: The same without their guards, where they have some.
    ///   - isTakenOut: Whether an operator took one out: it is asked where no other can be.
    package init(
        _ providers: [any PaymentProvider], beneath: [any PaymentProvider]? = nil,
        isTakenOut: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        all = providers
        self.beneath = beneath ?? providers
        self.isTakenOut = isTakenOut
        byName = Dictionary(uniqueKeysWithValues: providers.map { ($0.name, $0) })
    }

    /// The provider of a name.
    /// - Throws: ``ProviderFault/notSent(_:)`` when there is none: an attempt recorded under another configuration waits
    ///   until its provider is configured again.
    package func named(_ name: String) throws(ProviderFault) -> any PaymentProvider {
        guard let provider: any PaymentProvider = byName[name] else {
            throw .notSent("no provider \(name) is configured")
        }
        return provider
    }

    /// Which methods' money can be held before it is taken, as `provider/method`.
    package var holding: [String] {
        all.flatMap { provider in
            provider.capabilities.methods.filter(\.separateCapture).map { "\(provider.name)/\($0.type)" }
        }
    }

    /// A provider that keeps methods; `nil` for any other.
    package func vault(_ name: String) -> (any ProviderVault)? {
        beneath.first { $0.name == name } as? any ProviderVault
    }

    /// What a provider can do; `nil` for one that is not configured.
    package func capabilities(of name: String) -> ProviderCapabilities? { byName[name]?.capabilities }

    /// The first provider that can do what is wanted; one that is taken out is passed over where another can.
    /// - Returns: `nil` with none; ``ProviderCapabilities/obstacle(to:)`` of each says why.
    package func first(that can: ProviderCapabilities.Wish) -> (any PaymentProvider)? {
        let able: [any PaymentProvider] = all.filter { $0.capabilities.obstacle(to: can) == nil }
        return able.first { !isTakenOut($0.name) } ?? able.first
    }

    /// Those that can charge a wallet's card that was opened here, in the order in which they are preferred.
    package func opening(_ wallet: Wallet) -> [any PaymentProvider] {
        all.filter { $0.capabilities.wallets.contains(wallet) }
    }

    /// What stands in the way of a wish that no provider can serve: of a provider that knows the method, if any does.
    package func obstacle(to wish: ProviderCapabilities.Wish) -> ProviderCapabilities.Obstacle {
        let obstacles: [ProviderCapabilities.Obstacle] = all.compactMap { $0.capabilities.obstacle(to: wish) }
        return obstacles.first { $0 != .method } ?? .method
    }

    /// Those that customers' disputes come through, by name.
    package var disputing: [any ProviderDisputes] {
        beneath.compactMap { $0 as? any ProviderDisputes }.sorted { $0.name < $1.name }
    }

    /// The provider of a name, for its disputes.
    /// - Throws: As ``named(_:)``, also for a provider that has no disputes.
    package func disputing(_ name: String) throws(ProviderFault) -> any ProviderDisputes {
        guard let provider: any ProviderDisputes = disputing.first(where: { $0.name == name }) else {
            throw .notSent("\(name) has no disputes")
        }
        return provider
    }
}
