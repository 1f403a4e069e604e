import ServiceKit
import SubscriptionDomain

/// The service's tunables, read from `subscription.*` of the configuration file.
struct SubscriptionSettings: Sendable, Equatable {
    /// All that is wrong with the tunables; the daemon refuses to start.
    struct Invalid: Error, Equatable, CustomStringConvertible {
        let faults: [String]
        var description: String { faults.joined(separator: "; ") }
    }

    let policy: DunningPolicy
    /// How many scheduler loops run beside each other in one process.
    let schedulerWorkers: Int

    init(_ configuration: ServiceConfiguration) throws(Invalid) {
        try self.init(
            retryDays: configuration.text("subscription.dunning_retry_days", default: "1,3,5,7"),
            giveUpDays: configuration.int("subscription.dunning_give_up_days", default: 14),
            signupHours: configuration.int("subscription.signup_expires_hours", default: 23),
            schedulerWorkers: configuration.int("subscription.scheduler_workers", default: 2))
    }

    init(retryDays: String, giveUpDays: Int, signupHours: Int, schedulerWorkers: Int) throws(Invalid) {
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
        guard faults.isEmpty else { throw Invalid(faults: faults) }
        policy = DunningPolicy(
            retries: known.map { .seconds($0 * 86_400) }, givesUpAfter: .seconds(giveUpDays * 86_400),
            signupExpiresAfter: .seconds(signupHours * 3_600))
        self.schedulerWorkers = schedulerWorkers
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
