public import BillingCore

/// Keeps payments away from a provider that fails: a value that events turn into the next one.
///
/// Closed: calls go through and are counted. Open: no calls. Half-open: a few probes; enough good ones close it, one
/// bad one opens it again. Only outages count as failures; a decline is a good answer. For a while after a charge has
/// failed charges alone are heard: that other calls are answered says nothing of them.
public struct CircuitBreaker: Sendable, Hashable {
    /// When it opens and how it closes.
    public struct Policy: Sendable, Hashable {
        /// How far back answers count.
        public let window: Duration
        /// In how many steps the window slides.
        public let steps: Int
        /// Fewer answers than this never open it.
        public let minimumCount: Int64
        /// The share of failures, in 10,000ths, from which it opens.
        public let failureShare: Int64
        /// How long it stays open.
        public let openFor: Duration
        /// How many good probes in a row close it; as many may be under way at once.
        public let probes: Int
        /// After this long a probe that never came back is given up.
        public let probeTimeout: Duration

        /// The defaults: half of at least 20 answers within a minute; 30 seconds open; 3 probes.
        public init(
            window: Duration = .seconds(60), steps: Int = 12, minimumCount: Int64 = 20, failureShare: Int64 = 5_000,
            openFor: Duration = .seconds(30), probes: Int = 3, probeTimeout: Duration = .seconds(60)
        ) {
            self.window = window
            self.steps = max(1, steps)
            self.minimumCount = max(1, minimumCount)
            self.failureShare = min(max(1, failureShare), 10_000)
            self.openFor = openFor
            self.probes = max(1, probes)
            self.probeTimeout = probeTimeout
        }

        /// Counts of nothing, in this policy's steps.
        public var noCounts: CircuitCounts { CircuitCounts(step: window / steps, steps: steps) }
    }

    /// What it lets through.
    public enum Phase: Sendable, Hashable {
        /// Everything.
        case closed
        /// Nothing before this instant.
        case open(until: Instant)
        /// Probes: how many were good, and when those under way began.
        case halfOpen(good: Int, underWay: [Instant])
    }

    /// What happened.
    public enum Event: Sendable, Hashable {
        /// A call was let through as a probe.
        case probeStarted
        /// The provider answered; a decline is an answer.
        case answered(probe: Bool)
        /// It did not, or not usably.
        case failed(probe: Bool)
        /// The same of a charge that it may have had: until ``isLeftToCharges(at:)`` ends nothing else is heard.
        case chargeFailed(probe: Bool)
        /// A probe that says nothing of the provider has ended: its place is free for the next.
        case probeReturned
    }

    /// Whether a call may go out.
    public enum Admission: Sendable, Hashable {
        /// Yes.
        case allowed
        /// Yes, as a probe: tell ``Event/probeStarted``.
        case probe
        /// Not before this instant; `nil` while probes are under way.
        case refused(until: Instant?)
    }

    /// The rules.
    public let policy: Policy
    /// What it lets through.
    public private(set) var phase: Phase
    /// The answers since it last closed.
    public private(set) var counts: CircuitCounts
    /// How often the phase changed; counts of different generations are not added.
    public private(set) var generation: Int64
    /// When a charge last failed that it may have had; `nil` for none since it last closed.
    public private(set) var chargeFailedAt: Instant?

    /// A closed one without answers.
    public init(policy: Policy = Policy()) {
        self.init(policy: policy, phase: .closed, generation: 0, counts: policy.noCounts)
    }

    /// One as a shared store has it.
    public init(
        policy: Policy, phase: Phase, generation: Int64, counts: CircuitCounts, chargeFailedAt: Instant? = nil
    ) {
        self.policy = policy
        self.phase = phase
        self.generation = generation
        self.counts = counts
        self.chargeFailedAt = chargeFailedAt
    }

    /// Whether calls that are not charges say nothing of it now: a charge failed, and since then there was not time enough
    /// for the circuit to let the next one out, for one to be asked for within a window, and for its end. Where none was,
    /// whatever is answered is heard again.
    public func isLeftToCharges(at now: Instant) -> Bool {
        guard let chargeFailedAt else { return false }
        return now - chargeFailedAt < policy.openFor + policy.window + policy.probeTimeout
    }

    /// Whether a call may go out at an instant. An open one past its time admits a probe. What is not a charge needs no
    /// probe's place while it says nothing.
    public func admission(at now: Instant, isCharge: Bool = true) -> Admission {
        switch phase {
        case .closed: return .allowed
        case .open(let until) where now < until: return .refused(until: until)
        case _ where !isCharge && isLeftToCharges(at: now): return .allowed
        case .open: return .probe
        case .halfOpen(let good, let underWay):
            let running: Int = underWay.count { now - $0 < policy.probeTimeout }
            return good + running < policy.probes ? .probe : .refused(until: nil)
        }
    }

    /// The breaker after an event. Answers to calls from before it opened change nothing.
    /// - Parameter isCharge: Whether the call is a charge. How another one ended changes nothing while
    ///   ``isLeftToCharges(at:)``; a probe's place is given back.
    public func after(_ event: Event, at now: Instant, isCharge: Bool = true) -> CircuitBreaker {
        if !isCharge && isLeftToCharges(at: now) {
            let isProbe: Bool = event == .answered(probe: true) || event == .failed(probe: true)
            return isProbe ? after(.probeReturned, at: now) : self
        }
        var next = self
        switch (phase, event) {
        case (.closed, .chargeFailed(probe: false)), (.halfOpen, .chargeFailed(probe: true)):
            next = after(.failed(probe: phase != .closed), at: now)
            next.chargeFailedAt = now
        case (.closed, .answered(probe: false)): next.counts.add(answered: 1, failed: 0, at: now)
        case (.closed, .failed(probe: false)):
            next.counts.add(answered: 0, failed: 1, at: now)
            next.tripIfNeeded(at: now)
        case (.open(let until), .probeStarted) where now >= until:
            next.enter(.halfOpen(good: 0, underWay: [now]))
        case (.halfOpen(let good, let underWay), .probeStarted):
            let running: [Instant] = underWay.filter { now - $0 < policy.probeTimeout }
            next.phase = .halfOpen(good: good, underWay: running + [now])
        case (.halfOpen(let good, let underWay), .answered(probe: true)):
            if good + 1 >= policy.probes {
                next.enter(.closed)
            } else {
                next.phase = .halfOpen(good: good + 1, underWay: Array(underWay.dropFirst()))
            }
        case (.halfOpen(let good, let underWay), .probeReturned):
            next.phase = .halfOpen(good: good, underWay: Array(underWay.dropFirst()))
        case (.halfOpen, .failed(probe: true)): next.enter(.open(until: now + policy.openFor))
        default: break
        }
        return next
    }

    /// Adds what another instance saw of the same provider. The other's counts are its own since the last exchange, not
    /// a copy of these.
    ///
    /// The later generation wins; of the same generation counts are added, and the more careful phase wins.
    public func merging(_ other: CircuitBreaker, at now: Instant) -> CircuitBreaker {
        guard other.generation == generation else { return other.generation > generation ? other : self }
        let failedAt: Instant? = [chargeFailedAt, other.chargeFailedAt].compactMap { $0 }.max()
        var next = self
        var noted: CircuitBreaker = other
        next.chargeFailedAt = failedAt
        noted.chargeFailedAt = failedAt
        switch (phase, other.phase) {
        case (.closed, .closed):
            next.counts = counts.merging(other.counts)
            next.tripIfNeeded(at: now)
        case (.open(let until), .open(let otherUntil)): next.phase = .open(until: max(until, otherUntil))
        case (_, .open): next = noted
        case (.halfOpen(let good, let underWay), .halfOpen(let otherGood, let otherUnderWay)):
            let (together, _) = good.addingReportingOverflow(otherGood)
            if together >= policy.probes {
                next.enter(.closed)
            } else {
                next.phase = .halfOpen(good: together, underWay: (underWay + otherUnderWay).sorted())
            }
        case (.closed, .halfOpen): next = noted
        default: break
        }
        return next
    }

    private mutating func tripIfNeeded(at now: Instant) {
        let (answered, failed) = counts.total(at: now)
        let all = Int128(answered) + Int128(failed)
        guard all >= Int128(policy.minimumCount) else { return }
        guard Int128(failed) * 10_000 >= all * Int128(policy.failureShare) else { return }
        enter(.open(until: now + policy.openFor))
    }

    private mutating func enter(_ phase: Phase) {
        self.phase = phase
        counts = policy.noCounts
        generation += 1
        if phase == .closed { chargeFailedAt = nil }
    }
}
