package import PaymentDomain
import Postgres

/// When something counts as stopped; `payment.*` tunables.
package struct SweepPolicy: Sendable {
    /// Fraud is silent after this, with the customer waiting: also for what they have just brought about without being there
    /// to authenticate (`payment.fraud_timeout_seconds`).
    let silenceSeconds: Int
    /// Fraud is silent after this for renewals, which nobody waits for (`payment.fraud_timeout_off_session_seconds`).
    let offSessionSilenceSeconds: Int
    /// A provider call without an outcome is read back after this (`payment.lost_call_seconds`).
    /// Looks without an answer are repeated after waits that double from there to an hour.
    let lostSeconds: Int
    /// What a silent Fraud means (`payment.fraud_fallback`).
    let fallback: FraudFallback

    /// Sets every limit.
    package init(silenceSeconds: Int, offSessionSilenceSeconds: Int, lostSeconds: Int, fallback: FraudFallback) {
        self.silenceSeconds = silenceSeconds
        self.offSessionSilenceSeconds = offSessionSilenceSeconds
        self.lostSeconds = lostSeconds
        self.fallback = fallback
    }

    /// Whether it is time to ask the provider about a payment, a capture or a refund again.
    var isDue: SQL {
        """
        status = 'processing' AND (look_at IS NULL OR look_at <= now())
            AND stepped_at < now() - make_interval(secs => \(lostSeconds)) AND \(hasWaited)
        """
    }

    /// Whether the wait after the looks that brought no answer is over.
    var hasWaited: SQL { "stepped_at < now() - make_interval(secs => \(wait("looks")))" }

    /// How many seconds are waited after so many looks.
    func wait(_ looks: SQL) -> SQL { "least(\(lostSeconds)::double precision * 2 ^ least(\(looks), 20), 3600)" }
}
