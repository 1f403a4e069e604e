import BillingCore
import PaymentDomain
import Synchronization

/// One provider's circuit breaker as this instance sees it: what is shared, and what happened here since.
///
/// While it is closed answers are counted here and shared now and then; no call waits for Redis. What is rare and must be
/// agreed upon, the probes, goes through Redis one by one. Without Redis the instance goes by what it sees itself.
final class CircuitBoard: Sendable {
    private struct State {
        var breaker: CircuitBreaker
        /// Counts of this generation that nobody else has seen.
        var unshared: CircuitCounts
        /// The generation that was shared last.
        var sharedGeneration: Int64
    }

    private let shared: SharedCircuit?
    private let policy: CircuitBreaker.Policy
    private let state: Mutex<State>

    init(policy: CircuitBreaker.Policy, shared: SharedCircuit?) {
        self.policy = policy
        self.shared = shared
        state = Mutex(State(breaker: CircuitBreaker(policy: policy), unshared: policy.noCounts, sharedGeneration: 0))
    }

    /// What it is now, as far as is known here.
    var breaker: CircuitBreaker { state.withLock { $0.breaker } }

    /// Whether a call may go out; claims the probe it may be.
    func admit(isCharge: Bool, at now: Instant) async -> CircuitBreaker.Admission {
        let own: CircuitBreaker.Admission = breaker.admission(at: now, isCharge: isCharge)
        guard case .probe = own else { return own }
        var admission: CircuitBreaker.Admission = own
        await agree { standing in
            admission = standing.admission(at: now, isCharge: isCharge)
            if case .probe = admission { return standing.after(.probeStarted, at: now) }
            return standing
        }
        return admission
    }

    /// How a call ended.
    /// - Parameter event: Whether the provider did what providers are for; `nil` where the call says nothing of it.
    func record(_ event: CircuitBreaker.Event?, isCharge: Bool, probe: Bool, at now: Instant) async {
        guard let event else {
            if probe { await agree { $0.after(.probeReturned, at: now) } }
            return
        }
        if probe { return await agree { $0.after(event, at: now, isCharge: isCharge) } }
        let answered: Bool = event == .answered(probe: false)
        state.withLock { state in
            guard state.breaker.phase == .closed, isCharge || !state.breaker.isLeftToCharges(at: now) else { return }
            state.unshared.add(answered: answered ? 1 : 0, failed: answered ? 0 : 1, at: now)
            state.breaker = state.breaker.after(event, at: now)
        }
    }

    /// Shares what happened here and takes in what happened elsewhere; what cannot be shared now is kept.
    func exchange(at now: Instant) async {
        guard let shared else { return }
        let own: State = state.withLock { state in
            let taken: State = state
            state.unshared = policy.noCounts
            return taken
        }
        do {
            let standing: CircuitBreaker = try await shared.change { standing in
                guard let standing else { return own.breaker }
                return standing.merging(contribution(of: own), at: now)
            }
            adopt(standing, at: now)
        } catch {
            state.withLock { state in
                guard state.breaker.generation == own.breaker.generation else { return }
                state.unshared = state.unshared.merging(own.unshared)
            }
        }
    }

    /// A phase that changed here since the last exchange, or the counts since then.
    private func contribution(of own: State) -> CircuitBreaker {
        if own.breaker.generation > own.sharedGeneration { return own.breaker }
        return CircuitBreaker(
            policy: policy, phase: .closed, generation: own.breaker.generation, counts: own.unshared,
            chargeFailedAt: own.breaker.chargeFailedAt)
    }

    /// A change on which all instances agree; without Redis it is this instance's alone.
    private func agree(_ change: (CircuitBreaker) -> CircuitBreaker) async {
        let local: CircuitBreaker = breaker
        do {
            guard let shared else { throw SharedCircuit.Contended() }
            adopt(try await shared.change { standing in change(Self.later(local, standing)) })
        } catch {
            state.withLock { $0.breaker = change($0.breaker) }
        }
    }

    /// What is shared, unless it is from before what happened here.
    private static func later(_ local: CircuitBreaker, _ standing: CircuitBreaker?) -> CircuitBreaker {
        guard let standing, standing.generation >= local.generation else { return local }
        return standing
    }

    /// Takes over what is shared, and counts on top of it what happened here meanwhile.
    private func adopt(_ standing: CircuitBreaker, at now: Instant? = nil) {
        state.withLock { state in
            state.sharedGeneration = standing.generation
            guard standing.generation >= state.breaker.generation else { return }
            let isSame: Bool = standing.generation == state.breaker.generation
            let failedAt: Instant? = isSame ? state.breaker.chargeFailedAt : nil
            if !isSame { state.unshared = policy.noCounts }
            state.breaker = standing
            guard let now, standing.phase == .closed else { return }
            let meanwhile = CircuitBreaker(
                policy: policy, phase: .closed, generation: standing.generation, counts: state.unshared,
                chargeFailedAt: failedAt)
            state.breaker = standing.merging(meanwhile, at: now)
        }
    }
}
