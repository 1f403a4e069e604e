import Glibc
public import Logging
import Synchronization
import Threads

/// Listens on channels with a thread and a session of its own, for as long as it is started.
///
/// The server keeps nothing for a listener that is away: after each (re)connection `onConnect` is called, so that the
/// owner can look for what it may have missed.
public final class PostgresListener: Sendable {
    private struct State {
        var isStarted: Bool = false
        var isStopping: Bool = false
        var hasEnded: Bool = false
        var isListening: Bool = false
        var connects: Int = 0
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let logger: Logger
    private let onConnect: @Sendable () -> Void
    private let deliver: @Sendable (PostgresNotification) -> Void
    private let state = Mutex(State())
    /// Readable when the thread should look at `state`.
    private let waker = WakeSignal()

    /// Prepares a listener; ``start()`` starts it.
    /// - Parameters:
    ///   - onConnect: Called on the listener's thread after each connection. Must not block for long.
    ///   - deliver: Called on the listener's thread for each notification. Must not block for long.
    public init(
        _ configuration: PostgresConfiguration, channels: [String], logger: Logger,
        onConnect: @escaping @Sendable () -> Void = {}, deliver: @escaping @Sendable (PostgresNotification) -> Void
    ) {
        self.configuration = configuration
        self.channels = channels
        self.logger = logger
        self.onConnect = onConnect
        self.deliver = deliver
    }

    /// Starts the thread; a second call does nothing.
    public func start() {
        let isFirst: Bool = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted && !state.isStopping
        }
        if isFirst { OwnedThread.start("pg-listen") { self.run() } }
    }

    /// Ends the thread and closes its session.
    public func stop() async {
        await withCheckedContinuation { (closer: CheckedContinuation<Void, Never>) in
            let isOver: Bool = state.withLock { state in
                state.isStopping = true
                if !state.isStarted || state.hasEnded { return true }
                state.closers.append(closer)
                return false
            }
            if isOver { closer.resume() } else { waker.wake() }
        }
    }

    /// Whether the session is up and listening.
    public var isListening: Bool { state.withLock { $0.isListening } }

    /// How often a session was opened.
    public var connects: Int { state.withLock { $0.connects } }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func run() {
        let settings = ConnectionSettings(configuration)
        let session = PostgresSession(configuration, logger: logger)
        var failures: Int = 0
        while !isStopping {
            do {
                try session.connect()
                for channel in channels { try session.listen(channel) }
                failures = 0
                state.withLock { state in
                    state.isListening = true
                    state.connects += 1
                }
                onConnect()
                try listen(session)
            } catch {
                failures += 1
                logger.debug("listener lost its session", metadata: ["error": "\(error)"])
            }
            state.withLock { $0.isListening = false }
            session.close()
            if !isStopping { wait(for: settings.pause(afterFailures: max(1, failures))) }
        }
        let closers: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.hasEnded = true
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer.resume() }
    }

    private func listen(_ session: PostgresSession) throws(PostgresError) {
        while !isStopping {
            for notification in try session.consumeNotifications() { deliver(notification) }
            var requests: [pollfd] = [
                pollfd(fd: session.socketDescriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&requests, 2, -1)
        }
    }

    /// Pauses between attempts; stopping ends the pause.
    private func wait(for duration: Duration) {
        var request = pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&request, 1, Int32(clamping: duration.wholeMilliseconds))
    }
}
