import CHiredis
import Glibc

/// Starts the thread that owns a connection, so that nothing blocks the cooperative pool.
enum RedisThread {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs a body on a new detached thread.
    /// - Throws: ``RedisError/resources`` when the system gives no thread.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(RedisError) {
        let start = Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                pthread_setname_np(pthread_self(), start.name)
                // hiredis writes with `write`: a connection closed by the server must be an error, not a signal.
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &signals, nil)
                start.body()
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw .resources
        }
        pthread_detach(thread)
    }
}

/// Wakes the thread out of its sleep; a wake-up before the sleep is remembered.
final class RedisWake: Sendable {
    let descriptor: Int32

    init() throws(RedisError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .resources }
    }

    deinit { close(descriptor) }

    /// Callable from any thread.
    func wake() {
        var one: UInt64 = 1
        // A full counter means that a wake-up is already waiting, which is all that is asked for.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Forgets wake-ups so far.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }

    /// Sleeps until woken or until the time is over.
    func wait(_ duration: Duration) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&entry, 1, duration.wholeMilliseconds) > 0 { clear() }
    }
}
