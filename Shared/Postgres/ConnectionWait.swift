import CPostgres
import Glibc
import Threads

extension Connection {
    /// How long a cancelled statement may take to say so.
    private static let cancelGraceMilliseconds: Int32 = 2_000
    /// How long the server may take to accept that a statement is to be cancelled.
    private static let cancelPatience: Duration = .seconds(2)

    /// Hands everything to the kernel, reading meanwhile so that neither side blocks on the other.
    func flush(_ handle: OpaquePointer) throws(PostgresError) {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1: try awaitSocket(handle, Int16(POLLIN | POLLOUT))
            default: throw drop(handle)
            }
        }
    }

    /// Waits until the next result is here whole.
    func awaitAnswer(_ handle: OpaquePointer) throws(PostgresError) {
        while PQisBusy(handle) == 1 {
            try awaitSocket(handle, Int16(POLLIN))
        }
    }

    /// Waits for the socket and takes in what arrived.
    func awaitSocket(_ handle: OpaquePointer, _ events: Int16) throws(PostgresError) {
        var request = pollfd(fd: PQsocket(handle), events: events, revents: 0)
        while true {
            let (limit, isDeadline) = waitLimit()
            let ready: Int32 = poll(&request, 1, limit)
            if ready > 0 { break }
            if ready < 0, errno == EINTR { continue }
            guard ready == 0 else {
                close()
                throw .lost("poll failed with errno \(errno)")
            }
            if isDeadline {
                try cancelStatement(handle)
                continue
            }
            try giveUp()
        }
        if request.revents == Int16(POLLOUT) { return }
        if PQconsumeInput(handle) == 0 { throw drop(handle) }
    }

    /// Milliseconds the server may stay silent, and whether it is the caller's deadline that ends the wait.
    private func waitLimit() -> (milliseconds: Int32, isDeadline: Bool) {
        if work.isCancelled { return (Self.cancelGraceMilliseconds, false) }
        guard let deadline, !work.isCommitting else { return (settings.silenceMilliseconds, false) }
        let remaining: Int64 = max(0, (deadline - .now).wholeMilliseconds)
        if settings.silenceMilliseconds >= 0, remaining > Int64(settings.silenceMilliseconds) {
            return (settings.silenceMilliseconds, false)
        }
        return (Int32(clamping: remaining), true)
    }

    /// The server said nothing for too long: the session is useless.
    private func giveUp() throws(PostgresError) {
        let wasCancelled: Bool = work.isCancelled
        close()
        if wasCancelled { throw .deadline }
        throw .lost("the server has fallen silent")
    }

    /// Asks the server to stop the running statement; its refusal then arrives as the statement's answer. A server that
    /// does not even take the question is given up.
    private func cancelStatement(_ handle: OpaquePointer) throws(PostgresError) {
        work.isCancelled = true
        guard let request = CancelRequest(handle) else { return }
        if !request.send(within: Self.cancelPatience) { try giveUp() }
    }

    /// Turns a failed result into an error.
    func serverError(_ result: OpaquePointer, statement: String?) -> PostgresError {
        let code: String = field(result, "C") ?? "08006"
        let message: String = field(result, "M") ?? field(result: result)
        var kind: PostgresError.Kind = PostgresError.kind(code: code, message: message)
        if kind == .statementTimeout, work.isCancelled { kind = .deadlineExceeded }
        return PostgresError(
            kind: kind, code: code, message: message, detail: field(result, "D"), constraint: field(result, "n"),
            statement: statement)
    }

    /// A field of the server's error report, by the letter it has in the protocol.
    private func field(_ result: OpaquePointer, _ letter: Unicode.Scalar) -> String? {
        PQresultErrorField(result, Int32(letter.value)).map { String(cString: $0) }
    }

    private func field(result: OpaquePointer) -> String {
        PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
    }
}

/// The wish that a session's statement be stopped, which travels over a connection of its own.
///
/// `@unchecked Sendable`: libpq's object is a copy of what it needs of the session. Only the thread that sends the wish
/// uses it; it is freed with the last reference, which may be that thread's.
private final class CancelRequest: @unchecked Sendable {
    private let request: OpaquePointer
    private let lock = ThreadLock()
    private let finished = ThreadCondition()
    /// Guarded by the lock.
    private var isFinished = false

    /// `nil` where the session is not open.
    init?(_ handle: OpaquePointer) {
        guard let request = PQgetCancel(handle) else { return nil }
        self.request = request
    }

    deinit { PQfreeCancel(request) }

    /// Sends it on a thread of its own, as libpq waits for the server for as long as that takes. Call once.
    /// - Returns: Whether that was over in time, with whatever result. Where not, the thread goes on by itself; once
    ///   the session is closed there is nothing that it could still stop.
    func send(within limit: Duration) -> Bool {
        OwnedThread.start("postgres-cancel") { [self] in
            var message: [CChar] = Array(repeating: 0, count: 256)
            _ = PQcancel(request, &message, Int32(message.count))
            lock.with {
                isFinished = true
                finished.signal()
            }
        }
        let end: ContinuousClock.Instant = .now + limit
        lock.lock()
        defer { lock.unlock() }
        while !isFinished {
            let left: Duration = end - .now
            guard left > .zero else { return false }
            finished.wait(lock, for: left)
        }
        return true
    }
}
