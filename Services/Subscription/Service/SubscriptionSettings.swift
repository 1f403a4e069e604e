import BillingCore
package import ServiceKit
package import SubscriptionDomain

/// The service's tunables, read from `subscription.*` of the configuration file.
package struct SubscriptionSettings: Sendable, Equatable {
    /// All that is wrong with the tunables; the daemon refuses to start.
    package struct Invalid: Error, Equatable, CustomStringConvertible {
        package let faults: [String]
        package var description: String { faults.joined(separator: "; ") }
    }

    package let policy: DunningPolicy
    /// What is due beyond it is carried to the next billing.
    package let collectable: CollectableAmounts
    /// How many scheduler loops run beside each other in one process.
    let schedulerWorkers: Int

    /// Reads the tunables.
    /// - Throws: ``Invalid`` with every fault at once.
    package init(_ configuration: ServiceConfiguration) throws(Invalid) {
        let retryDays: String = configuration.text("subscription.dunning_retry_days", default: "1,3,5,7")
        let giveUpDays: Int = configuration.int("subscription.dunning_give_up_days", default: 14)
        let signupHours: Int = configuration.int("subscription.signup_expires_hours", default: 23)
        schedulerWorkers = configuration.int("subscription.scheduler_workers", default: 2)
        var faults: [String] = []
        let days: [Int?] = retryDays.split(separator: ",").map { Int($0.trimming(" ")) }
        let known: [Int] = days.compactMap { $0 }
        if known.count != days.count || !zip(known, known.dropFirst()).allSatisfy({ $0 < $1 }) {
            faults.append("subscription.dunning_retry_days must be growing whole numbers such as 1,3,5,7")
        }
        if !(1...365).contains(giveUpDays) || known.contains(where: { $0 < 1 || $0 >= giveUpDays }) {
            faults.append("subscription.dunning_give_up_days must be 1 to 365 and after the last retry")
        }
        if !(1...720).contains(signupHours) { faults.append("subscription.signup_expires_hours must be 1 to 720") }
        if !(1...16).contains(schedulerWorkers) { faults.append("subscription.scheduler_workers must be 1 to 16") }
        collectable = .standard.replacing(
            least: Self.minorUnits("least_amounts", from: 0, such: "USD: 50", configuration.tunables, &faults),
            multiples: Self.minorUnits("amount_multiples", from: 1, such: "KWD: 10", configuration.tunables, &faults))
        guard faults.isEmpty else { throw Invalid(faults: faults) }
        policy = DunningPolicy(
            retries: known.map { .seconds($0 * 86_400) }, givesUpAfter: .seconds(giveUpDays * 86_400),
            signupExpiresAfter: .seconds(signupHours * 3_600))
    }

    /// Minor units by currency, in place of the standard ones; what is not named stays.
    private static func minorUnits(
        _ setting: String, from least: Int64, such example: String, _ tunables: [String: String],
        _ faults: inout [String]
    ) -> [Currency: Int64] {
        let name = "subscription.\(setting)"
        var amounts: [Currency: Int64] = [:]
        for (key, text) in tunables.sorted(by: { $0.key < $1.key }) where key.hasPrefix("\(name).") {
            if let currency = Currency(String(key.dropFirst(name.count + 1))), let minor = Int64(text),
                (least...Plan.maxPriceMinor).contains(minor)
            {
                amounts[currency] = minor
            } else {
                faults.append("\(key) must be minor units of a currency, \(least) or more, such as \(example)")
            }
        }
        if let text: String = tunables[name], !text.isEmpty {
            faults.append("\(name) must be amounts by currency such as {\(example)}")
        }
        return amounts
    }
}

extension Substring {
    /// The text without a character at its ends.
    fileprivate func trimming(_ character: Character) -> Substring {
        let start: Substring = drop { $0 == character }
        guard let last = start.lastIndex(where: { $0 != character }) else { return start }
        return start[...last]
    }
}
