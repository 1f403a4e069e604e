/// How a provider has authenticated the customer itself, as far as it tells.
package struct ProviderAuthentication: Sendable, Hashable {
    /// The word.
    package enum Result: String, Sendable, CaseIterable {
        case authenticated, attempted, exempt, unavailable
        case notAuthenticated = "not_authenticated"
    }

    package let result: Result
    /// The scheme's indicator, where it is told.
    package let indicator: String?

    package init(result: Result, indicator: String?) {
        self.result = result
        self.indicator = indicator
    }

    /// Whether the issuer bears fraud: after an authentication or a proven attempt at one.
    package var isShifted: Bool { result == .authenticated || result == .attempted }
}
