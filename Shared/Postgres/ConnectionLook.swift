import CPostgres
import Glibc

extension Connection {
    /// Sends a look behind a COMMIT that was sent, under a Sync of its own.
    /// - Returns: Whether it was sent whole. If not, the session is of no use once COMMIT is answered.
    func send(_ look: CommitLook, on handle: OpaquePointer, _ steps: inout [Step]) -> Bool {
        guard send(look.statement, 0, on: handle, &steps), PQpipelineSync(handle) == 1 else { return false }
        steps.append(.sync)
        return true
    }

    /// Reads away the answer to a look whose COMMIT has failed, so that the session can be used again.
    func discard(_ look: CommitLook?, _ steps: [Step], isWhole: Bool) {
        guard let look, let handle else { return }
        guard isWhole else { return close() }
        do {
            _ = try collect(steps, [look.statement], 0, on: handle)
        } catch {
            // Nobody has asked for it any more; a session that was lost is closed by now.
        }
    }

    /// Reads the answer to the look that went with the last COMMIT, and tells of it. Until then the session takes nothing
    /// else.
    func finishLook() {
        guard let pending: PendingLook = pendingLook else { return }
        pendingLook = nil
        let isLate: Bool = !isAnswered(within: settings.lookPatience)
        if isLate { pending.look.missed() }
        do {
            guard let handle else { throw PostgresError.lost("the session is closed") }
            let answer: Answer = try collect(pending.steps, [pending.look.statement], 0, on: handle)
            if !isLate { try answer.tell(pending.look.found) }
        } catch {
            // The transaction has committed all the same.
            if !isLate { pending.look.missed() }
        }
    }

    /// Waits for the next result, or the end of the session, no longer than a time.
    private func isAnswered(within limit: Duration) -> Bool {
        let end: ContinuousClock.Instant = .now + limit
        while let handle, PQisBusy(handle) == 1 {
            let left: Int64 = (end - .now).wholeMilliseconds
            guard left > 0 else { return false }
            var request = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            if poll(&request, 1, Int32(clamping: left)) > 0, PQconsumeInput(handle) == 0 { close() }
        }
        return true
    }
}
