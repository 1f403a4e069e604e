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
    /// Whether the issuer bears fraud.
    package let isShifted: Bool

    /// - Parameter isShifted: The provider's word on who bears fraud; where it has none, the issuer does after an
    ///   authentication or a proven attempt at one.
    package init(result: Result, indicator: String?, isShifted: Bool? = nil) {
        self.result = result
        self.indicator = indicator
        self.isShifted = isShifted ?? (result == .authenticated || result == .attempted)
    }
}
