import BillingCore
package import PaymentDomain
package import ServiceKit

extension FeeSchedule {
    private static let prefix = "payment.fees."
    /// Beyond a tenth of a charge no provider goes; it catches 29 percent written for 2.9.
    private static let mostBasisPoints: Int64 = 1_000

    /// `payment.fees.PROVIDER.METHOD.basis_points`, `….fixed.CURRENCY`, `….tolerance`; METHOD is a payment method's type
    /// or `any`.
    /// - Throws: `ServiceConfiguration.Invalid` with every fault at once.
    package init(tunables: [String: String]) throws(ServiceConfiguration.Invalid) {
        var rates: [String: [String: Rate]] = [:]
        var faults: [String] = []
        for (name, value) in tunables.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) {
            let words: [Substring] = name.dropFirst(Self.prefix.count).split(
                separator: ".", omittingEmptySubsequences: false)
            guard words.count >= 3, let number = Int64(value), number >= 0 else {
                faults.append("\(name) must be a whole number, of basis points or minor units")
                continue
            }
            let (provider, method): (String, String) = (String(words[0]), String(words[1]))
            var rate: Rate = rates[provider]?[method] ?? Rate()
            switch (words[2], words.count) {
            case ("basis_points", 3) where number <= Self.mostBasisPoints: rate.basisPoints = number
            case ("basis_points", 3): faults.append("\(name) must be from 0 to \(Self.mostBasisPoints)")
            case ("tolerance", 3): rate.tolerance = number
            case ("fixed", 4):
                guard let currency = Currency(words[3].uppercased()) else {
                    faults.append("\(name) must end in the code of a currency")
                    continue
                }
                rate.fixed[currency] = number
            default: faults.append("\(name) is none of basis_points, fixed.CURRENCY, tolerance")
            }
            rates[provider, default: [:]][method] = rate
        }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        self.init(rates)
    }
}
