import Glibc
import Synchronization

/// Wakes the outbox relays of this process the moment a transaction with events has committed.
public final class OutboxSignal: Sendable {
    /// The process's one signal.
    public static let shared = OutboxSignal()

    private let listeners = Mutex<[Int: @Sendable () -> Void]>([:])
    private let nextToken = Atomic<Int>(0)

    /// Wakes every relay of the process; cheap, never blocks on I/O.
    public func wake() {
        let actions: [@Sendable () -> Void] = listeners.withLock { Array($0.values) }
        for action in actions { action() }
    }

    /// Calls `action` on every wake until the token is given back.
    func listen(_ action: @escaping @Sendable () -> Void) -> Int {
        let token: Int = nextToken.add(1, ordering: .relaxed).newValue
        listeners.withLock { $0[token] = action }
        return token
    }

    func stopListening(_ token: Int) {
        listeners.withLock { $0[token] = nil }
    }
}

/// A wake-up that a thread can wait for together with a socket. Wakes that come before the wait are not lost.
final class WakePipe: Sendable {
    private let reader: Int32
    private let writer: Int32
    private let pending = Atomic<Bool>(false)

    init() {
        var ends: [Int32] = [-1, -1]
        let status: Int32 = pipe(&ends)
        precondition(status == 0, "a process may open a pipe")
        (reader, writer) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// Makes the next or current wait return. One system call for many wakes.
    func wake() {
        guard !pending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        _ = write(writer, &byte, 1)
    }

    /// Waits for a wake, for the socket to become readable, or for the time to pass.
    func wait(alsoFor socket: Int32?, milliseconds: Int32) {
        var watched: [pollfd] = [pollfd(fd: reader, events: Int16(POLLIN), revents: 0)]
        if let socket, socket >= 0 { watched.append(pollfd(fd: socket, events: Int16(POLLIN), revents: 0)) }
        _ = poll(&watched, nfds_t(watched.count), milliseconds)
        if watched[0].revents & Int16(POLLIN) != 0 { drain() }
    }

    /// Takes all wakes so far. A wake between the two steps writes nothing, and need not: the caller has yet to look.
    private func drain() {
        var bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
        _ = read(reader, &bytes, bytes.count)
        pending.store(false, ordering: .releasing)
    }
}
