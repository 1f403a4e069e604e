import Glibc

/// Wakes one thread out of its sleep in `poll`. A wake that comes before the sleep is remembered, so nothing is missed.
package final class WakeSignal: Sendable {
    /// Readable while a wake is waiting.
    package let descriptor: Int32
    /// Where a C library may write a few bytes instead of calling ``wake()``.
    package let writeEnd: Int32

    /// A process that may open no descriptor more ends: whoever supervises it starts it again.
    package init() {
        var ends: [Int32] = [-1, -1]
        let status: Int32 = pipe(&ends)
        precondition(status == 0, "the system refused a pipe (errno \(errno))")
        (descriptor, writeEnd) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    /// Ends the current or the next sleep; callable from any thread.
    package func wake() {
        var byte: UInt8 = 1
        // A full pipe means that a wake is already waiting, which is all that is asked for.
        _ = write(writeEnd, &byte, 1)
    }

    /// Forgets the wakes so far.
    package func clear() {
        withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { bytes in
            while read(descriptor, bytes.baseAddress, bytes.count) == bytes.count {}
        }
    }

    /// Sleeps until woken, until the other descriptor is readable, or until the time is over; takes the wakes so far.
    /// - Returns: `false` when only the time was over.
    @discardableResult
    package func wait(alsoFor other: Int32? = nil, milliseconds: Int32) -> Bool {
        var watched: [pollfd] = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        if let other, other >= 0 { watched.append(pollfd(fd: other, events: Int16(POLLIN), revents: 0)) }
        let ready: Int32 = poll(&watched, nfds_t(watched.count), milliseconds)
        if watched[0].revents & Int16(POLLIN) != 0 { clear() }
        return ready != 0
    }
}
