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
    let descriptor: Int32
    private let pending = Atomic<Bool>(false)

    init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        precondition(descriptor >= 0, "eventfd is available on every Linux this runs on")
    }

    deinit { close(descriptor) }

    /// Makes the next or current wait return. One system call for many wakes.
    func wake() {
        guard !pending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Takes all wakes so far.
    func drain() {
        var value: UInt64 = 0
        _ = read(descriptor, &value, 8)
        pending.store(false, ordering: .releasing)
    }

    /// Waits for a wake, for the socket to become readable, or for the time to pass.
    func wait(alsoFor socket: Int32?, milliseconds: Int32) {
        var watched: [pollfd] = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        if let socket, socket >= 0 { watched.append(pollfd(fd: socket, events: Int16(POLLIN), revents: 0)) }
        _ = poll(&watched, nfds_t(watched.count), milliseconds)
        if watched[0].revents & Int16(POLLIN) != 0 { drain() }
    }
}
