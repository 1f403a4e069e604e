import CKafka
import Logging
import Threads

/// Destroys handles without betting a thread on it.
///
/// `rd_kafka_destroy` of librdkafka 2.0 takes ten seconds while the broker is away and never returns after a topic
/// has vanished under a client. So each handle is destroyed on a thread of its own, and whoever needs it gone waits
/// for a bounded time only. In the worst case that thread and the handle stay until the process ends.
enum HandleDisposal {
    /// What is given up: the handle, and the objects its callbacks and interceptors point to.
    ///
    /// `@unchecked Sendable` is true because the thread that made the handle does not touch any of this again once it
    /// has handed it over, and the disposing thread is its only user from then on.
    private final class Remains: @unchecked Sendable {
        let handle: OpaquePointer
        let needed: [AnyObject]
        init(handle: OpaquePointer, needed: [AnyObject]) {
            self.handle = handle
            self.needed = needed
        }
    }

    /// Destroys a handle.
    /// - Parameters:
    ///   - handle: Not to be used afterwards.
    ///   - needed: Kept until it is destroyed.
    ///   - wait: How long the caller wants to wait for that.
    static func destroy(_ handle: OpaquePointer, needed: [AnyObject], wait: Duration, logger: Logger) {
        let remains = Remains(handle: handle, needed: needed)
        let done = Completion()
        OwnedThread.start("kafka-dispose") {
            rd_kafka_destroy_flags(remains.handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            withExtendedLifetime(remains) {}
            done.finish(.success(()))
        }
        if done.wait(wait) == nil { logger.debug("kafka handle takes long to close") }
    }
}
