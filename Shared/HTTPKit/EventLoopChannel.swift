import HummingbirdCore
import Logging
import NIOCore

/// HTTP/1.1 connections whose tasks run on the connection's own event loop instead of the shared thread pool.
///
/// A request then changes threads only where it really waits: for the database, for Redis. What runs between is short;
/// nothing here blocks.
struct EventLoopChannel: ServerChildChannel {
    let http: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        let executor = EventLoopTaskExecutor(value.channel.eventLoop)
        await withTaskExecutorPreference(executor) { await http.handle(value: value, logger: logger) }
    }
}

/// Runs the jobs of tasks on an event loop.
private final class EventLoopTaskExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
