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
}
