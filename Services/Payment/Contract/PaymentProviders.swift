/// The providers this service is configured with, by name.
package struct PaymentProviders: Sendable {
    private let byName: [String: any PaymentProvider]

    /// Takes providers, whose names must differ.
    package init(_ providers: [any PaymentProvider]) {
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

    /// Those that customers' disputes come through, by name.
    package var disputing: [any ProviderDisputes] {
        byName.sorted { $0.key < $1.key }.compactMap { $0.value as? any ProviderDisputes }
    }

    /// The provider of a name, for its disputes.
    /// - Throws: As ``named(_:)``, also for a provider that has no disputes.
    package func disputing(_ name: String) throws(ProviderFault) -> any ProviderDisputes {
        guard let provider = try named(name) as? any ProviderDisputes else {
            throw .notSent("\(name) has no disputes")
        }
        return provider
    }
}
