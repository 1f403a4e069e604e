import Glibc

/// A pthread mutex, to be used together with ``ThreadCondition``.
///
/// `@unchecked Sendable`: the mutex is made for use by several threads and its memory never moves.
final class ThreadLock: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        mutex = .allocate(capacity: 1)
        let status: Int32 = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "the system has no memory for a mutex")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }

    func unlock() { pthread_mutex_unlock(mutex) }

    func with<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// A pthread condition variable that measures time with the monotonic clock.
///
/// `@unchecked Sendable`: the condition is made for use by several threads and its memory never moves.
final class ThreadCondition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let status: Int32 = pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        precondition(status == 0, "the system has no memory for a condition variable")
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    func signal() { pthread_cond_signal(condition) }

    /// Waits with the lock held by the caller; may wake without a reason.
    func wait(_ lock: ThreadLock) { pthread_cond_wait(condition, lock.mutex) }

    /// Waits no longer than `duration`; may wake without a reason.
    func wait(_ lock: ThreadLock, for duration: Duration) {
        var limit = timespec()
        clock_gettime(CLOCK_MONOTONIC, &limit)
        let (seconds, attoseconds) = max(duration, .zero).components
        let nanoseconds: Int = limit.tv_nsec + Int(attoseconds / 1_000_000_000)
        limit.tv_sec += Int(min(seconds, 1_000_000_000)) + nanoseconds / 1_000_000_000
        limit.tv_nsec = nanoseconds % 1_000_000_000
        pthread_cond_timedwait(condition, lock.mutex, &limit)
    }
}

/// Ends a thread's wait in `poll` from another thread: a pipe that becomes readable.
///
/// `@unchecked Sendable`: the descriptors are constant and the system makes reading and writing them safe.
package final class PollWaker: @unchecked Sendable {
    private let reader: Int32
    private let writer: Int32

    /// Opens the pipe.
    package init() {
        var ends: [Int32] = [-1, -1]
        let status: Int32 = pipe(&ends)
        precondition(status == 0, "the system refused a pipe (errno \(errno))")
        reader = ends[0]
        writer = ends[1]
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// The descriptor to poll for reading.
    package var descriptor: Int32 { reader }

    /// Makes the descriptor readable until ``clear()``. May be called from any thread, also when it is readable.
    package func wake() {
        var byte: UInt8 = 1
        _ = write(writer, &byte, 1)
    }

    /// Makes the descriptor wait for the next ``wake()``.
    package func clear() {
        var bytes: [UInt8] = Array(repeating: 0, count: 64)
        while read(reader, &bytes, bytes.count) > 0 {}
    }
}

/// Threads outside the cooperative pool, for calls that block.
package enum OwnedThread {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a detached thread.
    /// - Parameter name: Shown by the system's tools; cut to 15 bytes.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start: Unmanaged<Start> = .passRetained(Start(name, body))
        var thread = pthread_t()
        let status: Int32 = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start: Start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                OwnedThread.nameThread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the system refused a thread (errno \(status))")
        pthread_detach(thread)
    }

    /// Names the calling thread. It only helps people who look, so a system without `/proc` goes without.
    fileprivate static func nameThread(_ name: String) {
        guard let file = fopen("/proc/thread-self/comm", "we") else { return }
        fputs(String(name.prefix(15)), file)
        fclose(file)
    }

    /// Runs a blocking call on a thread of its own and returns its result; it is not interrupted by cancellation.
    package static func run<R: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            start(name) { continuation.resume(with: Result { try body() }) }
        }
    }
}
