import Postgres
import Synchronization

/// Wakes the outbox relays of this process the moment a transaction with events has committed.
public final class OutboxSignal: Sendable {
    private struct Listener: Sendable {
        let mail: RelayMail
        let wake: @Sendable (Urgency) -> Void
    }

    /// The process's one signal.
    public static let shared = OutboxSignal()

    private let listeners = Mutex<[Int: Listener]>([:])
    private let nextToken = Atomic<Int>(0)

    /// Wakes every relay of the process; cheap, never blocks on I/O.
    public func wake(_ urgency: Urgency = .waitedFor) {
        for listener in current {
            listener.mail.noteCommit()
            listener.wake(urgency)
        }
    }

    /// The look that a relay would take once woken, to be taken by a transaction behind its COMMIT; all relays are woken
    /// with what it finds.
    /// - Parameter origin: Where the transaction writes: a relay of another outbox has no use for what is found there.
    /// - Returns: `nil` where no relay of that outbox leads and rests, or somebody looks for it already.
    func look(in origin: DatabaseOrigin) -> CommitLook? {
        for listener in current where listener.mail.origin == origin {
            guard let claim: RelayMail.Claim = listener.mail.claim() else { continue }
            return CommitLook(
                OutboxRow.look(after: claim.position), { row in try OutboxRow(row: &row) },
                found: { rows in
                    listener.mail.leave(rows, for: claim)
                    self.wake()
                },
                missed: { self.wake() })
        }
        return nil
    }

    /// Calls `wake` on every wake until the token is given back.
    /// - Parameter mail: Where transactions leave what they have found.
    func listen(_ mail: RelayMail, _ wake: @escaping @Sendable (Urgency) -> Void) -> Int {
        let token: Int = nextToken.add(1, ordering: .relaxed).newValue
        listeners.withLock { $0[token] = Listener(mail: mail, wake: wake) }
        return token
    }

    func stopListening(_ token: Int) {
        listeners.withLock { $0[token] = nil }
    }

    private var current: [Listener] { listeners.withLock { Array($0.values) } }
}
