import Postgres
import Synchronization

/// What the transactions of this process leave for a relay: that they have committed, and what one of them has found to
/// publish.
///
/// A relay that leads and rests says where it stands. The next transaction with events takes that up and looks, behind its
/// COMMIT, for what the relay would look for once woken. Only one does: where that look is slow it holds up no other, and
/// under load, when the relay does not rest, there is none.
final class RelayMail: Sendable {
    /// Where a relay stands that somebody looks for.
    struct Claim: Sendable {
        let position: RelayPosition
        /// Which of the relay's rests it is.
        let rest: Int
    }

    /// What comes next after a place.
    struct Finding: Sendable {
        let after: RelayPosition
        let rows: [OutboxRow]
        /// Whether the look has seen all that was told of.
        let isLast: Bool
    }

    private struct State {
        var rest: Int = 0
        /// Where the resting relay stands; nobody else looks for it once this is taken.
        var position: RelayPosition?
        /// Commits told of since the claim. Its look sees all those before: they were told of when COMMIT was yet to be sent.
        var commits: Int = 0
        var found: (claim: Claim, rows: [OutboxRow])?
    }

    /// Where the relay's outbox is.
    let origin: DatabaseOrigin
    private let state = Mutex(State())

    init(_ origin: DatabaseOrigin) {
        self.origin = origin
    }

    /// The relay begins to rest. What was left before is forgotten, and what is yet to come of earlier claims: whoever leaves
    /// something wakes the relay, which so looks by itself.
    func rest(at position: RelayPosition) {
        state.withLock { $0 = State(rest: $0.rest + 1, position: position) }
    }

    /// The relay goes on: nobody begins to look for it any more.
    /// - Returns: What was found in this rest.
    @discardableResult
    func take() -> Finding? {
        state.withLock { state in
            defer { state = State(rest: state.rest) }
            guard let found: (claim: Claim, rows: [OutboxRow]) = state.found else { return nil }
            return Finding(after: found.claim.position, rows: found.rows, isLast: state.commits <= 1)
        }
    }

    /// Begins to look for the relay.
    /// - Returns: `nil` where it does not rest, or somebody looks for it already.
    func claim() -> Claim? {
        state.withLock { state in
            guard let position: RelayPosition = state.position.take() else { return nil }
            state.commits = 0
            return Claim(position: position, rest: state.rest)
        }
    }

    /// Leaves what was found. The relay is to be woken then.
    func leave(_ rows: [OutboxRow], for claim: Claim) {
        state.withLock { state in
            if claim.rest == state.rest { state.found = (claim, rows) }
        }
    }

    /// A transaction has committed, of which the relay is about to be woken.
    func noteCommit() {
        state.withLock { $0.commits += 1 }
    }
}
