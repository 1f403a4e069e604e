import Glibc

/// A pthread mutex, to be used together with ``ThreadCondition``.
///
/// `@unchecked Sendable`: the mutex is made for use by several threads and its memory never moves.
package final class ThreadLock: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// Makes one.
    package init() {
        mutex = .allocate(capacity: 1)
        let status: Int32 = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "the system has no memory for a mutex")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Waits until the calling thread holds it.
    package func lock() { pthread_mutex_lock(mutex) }

    /// Gives it back.
    package func unlock() { pthread_mutex_unlock(mutex) }

    /// Holds it during the body.
    package func with<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// A pthread condition variable that measures time with the monotonic clock.
///
/// `@unchecked Sendable`: the condition is made for use by several threads and its memory never moves.
package final class ThreadCondition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// Makes one.
    package init() {
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

    /// Wakes one waiting thread.
    package func signal() { pthread_cond_signal(condition) }

    /// Waits with the lock held by the caller; may wake without a reason.
    package func wait(_ lock: ThreadLock) { pthread_cond_wait(condition, lock.mutex) }

    /// Waits no longer than `duration`; may wake without a reason.
    package func wait(_ lock: ThreadLock, for duration: Duration) {
        var limit = timespec()
        clock_gettime(CLOCK_MONOTONIC, &limit)
        let (seconds, attoseconds) = max(duration, .zero).components
        let nanoseconds: Int = limit.tv_nsec + Int(attoseconds / 1_000_000_000)
        limit.tv_sec += Int(min(seconds, 1_000_000_000)) + nanoseconds / 1_000_000_000
        limit.tv_nsec = nanoseconds % 1_000_000_000
        pthread_cond_timedwait(condition, lock.mutex, &limit)
    }
}
