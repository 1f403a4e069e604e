import BillingCore
package import PaymentContract
import PaymentDomain

/// What the configuration says of providers: `payment.providers.NAME.*`, with defaults for all at `payment.provider_*`.
package struct RoutingConfiguration: Sendable {
    /// A value that cannot be used.
    package struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    private let tunables: [String: String]

    /// Takes the flattened configuration file.
    package init(tunables: [String: String]) { self.tunables = tunables }

    /// The profile of a provider.
    /// - Throws: ``Invalid``.
    package func profile(_ name: String, _ capabilities: ProviderCapabilities) throws(Invalid) -> ProviderProfile {
        let inFlight: Int = try number("in_flight_limit", of: name, default: 4_096)
        return ProviderProfile(
            name: name, capabilities: capabilities, fees: try fees(of: name),
            limits: ProviderProfile.Limits(timeout: try timeout(of: name), inFlight: inFlight))
    }

    /// How long a call of a provider may take.
    /// - Throws: ``Invalid``.
    package func timeout(of name: String) throws(Invalid) -> Duration {
        .seconds(try number("timeout_seconds", of: name, default: 30))
    }

    /// The sandbox acquirers beside `sandbox`: `payment.sandbox.acquirers`.
    /// - Parameter taken: A provider that is there anyway.
    /// - Throws: ``Invalid`` for a name that is not one, or is taken.
    package func sandboxAcquirers(beside taken: String? = nil) throws(Invalid) -> [String] {
        let names: [String] = (tunables["payment.sandbox.acquirers"] ?? "").split(separator: ",").map(String.init)
        for name in names {
            let letters: Substring.UTF8View = name.dropFirst("sandbox_".count).utf8
            guard name.hasPrefix("sandbox_"), !letters.isEmpty,
                letters.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F })
            else { throw Invalid(description: "payment.sandbox.acquirers: \(name) is no sandbox_… name") }
        }
        guard Set(names).count == names.count else {
            throw Invalid(description: "payment.sandbox.acquirers names one twice")
        }
        if let taken, names.contains(taken) {
            throw Invalid(description: "payment.sandbox.acquirers: \(taken) is there anyway, and takes no cards")
        }
        return names
    }

    /// A word about a sandbox acquirer out of a closed list: `payment.sandbox.NAME.KEY`; `nil` when it is not set.
    package func sandboxWord<Word: CaseIterable & RawRepresentable>(
        _ key: String, of name: String, as type: Word.Type
    ) throws(Invalid) -> Word? where Word.RawValue == String {
        let path = "payment.sandbox.\(name).\(key)"
        guard let text: String = tunables[path] else { return nil }
        guard let word = Word(rawValue: text) else {
            let words: String = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw Invalid(description: "\(path) must be one of \(words)")
        }
        return word
    }

    /// A percentage about a sandbox acquirer, 100 when it is not set: `payment.sandbox.NAME.KEY`.
    package func sandboxPercent(_ key: String, of name: String) throws(Invalid) -> Int {
        let path = "payment.sandbox.\(name).\(key)"
        guard let text: String = tunables[path] else { return 100 }
        guard let percent = Int(text), (0...100).contains(percent) else {
            throw Invalid(description: "\(path) must be 0 to 100")
        }
        return percent
    }

    private func number(_ key: String, of name: String, default fallback: Int) throws(Invalid) -> Int {
        let own = "payment.providers.\(name).\(key)"
        let common = "payment.provider_\(key)"
        for path in [own, common] {
            guard let text: String = tunables[path] else { continue }
            guard let number = Int(text), number > 0 else { throw Invalid(description: "\(path) must be above zero") }
            return number
        }
        return fallback
    }

    /// `fee_rate: "0.029"` and `fee_fixed: {USD: 30}`, or one of them; `nil` when neither is there.
    private func fees(of name: String) throws(Invalid) -> FeeModel? {
        let path = "payment.providers.\(name)"
        let prefix = "\(path).fee_fixed."
        var fixed: [Currency: Int64] = [:]
        for (key, value) in tunables where key.hasPrefix(prefix) {
            guard let currency = Currency(String(key.dropFirst(prefix.count))), let minor = Int64(value) else {
                throw Invalid(description: "\(key) must be minor units of a currency")
            }
            fixed[currency] = minor
        }
        guard tunables["\(path).fee_rate"] != nil || !fixed.isEmpty else { return nil }
        guard let rate = ExactDecimal(tunables["\(path).fee_rate"] ?? "0") else {
            throw Invalid(description: "\(path).fee_rate must be a decimal such as 0.029")
        }
        do { return try FeeModel(rate: rate, fixed: fixed) } catch {
            throw Invalid(description: "\(path): the fee's \(error) cannot be")
        }
    }
}
