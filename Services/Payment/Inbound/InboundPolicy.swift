/// How stored webhooks are worked off, and for how long they stay; `payment.webhook_*` tunables.
package struct InboundPolicy: Sendable {
    /// How long a webhook waits before it is processed: the answer to our own call, which tells the same, comes in
    /// meanwhile (`payment.webhook_delay_seconds`).
    let delaySeconds: Int
    /// After so long another instance takes up what the first attempt has not brought to an end, as its process may have
    /// died over it: longer than a call of a provider may take, after which an attempt ends as a failure. An attempt may take
    /// several calls, so each has twice the time of the one before, up to 32 times this.
    let leaseSeconds: Int
    /// How long it waits after the first failure; each later wait is twice as long.
    let firstWaitSeconds: Int
    /// No wait is longer.
    let longestWaitSeconds: Int
    /// After so many attempts it is parked (`payment.webhook_attempts_limit`).
    let attemptsLimit: Int
    /// How long webhooks that are done, and audit lines, are kept (`payment.webhook_keep_days`). Parked ones stay.
    let keepDays: Int

    /// Sets every limit.
    package init(
        delaySeconds: Int = 1, leaseSeconds: Int = 40, firstWaitSeconds: Int = 10, longestWaitSeconds: Int = 3_600,
        attemptsLimit: Int = 16, keepDays: Int = 90
    ) {
        self.delaySeconds = delaySeconds
        self.leaseSeconds = leaseSeconds
        self.firstWaitSeconds = firstWaitSeconds
        self.longestWaitSeconds = longestWaitSeconds
        self.attemptsLimit = attemptsLimit
        self.keepDays = keepDays
    }
}
