package import HTTPKit
package import Logging

/// The requests of a daemon: served until it is told to stop, and then let end, in a time that the deployments know.
package struct RequestService: Sendable {
    /// How long requests under way may take once the daemon is told to stop; `terminationGracePeriodSeconds` and
    /// `stop_grace_period` of the deployments go by it.
    package static let patience: Duration = .seconds(30)

    private enum Turn {
        /// The daemon is told to stop.
        case stop
        /// Requests have had their time.
        case late
        /// Nothing is served any more.
        case ended
    }

    private let run: @Sendable () async throws -> Void
    private let shutdown: @Sendable () async throws -> Void
    private let patience: Duration
    private let logger: Logger

    /// Prepares the service of requests by a server.
    package init(_ server: HTTPServer, patience: Duration = Self.patience, logger: Logger) {
        run = { try await server.run() }
        shutdown = { try await server.shutdown() }
        self.patience = patience
        self.logger = logger
    }

    /// Serves until `stop` returns; no more connections then, those who wait are told, and what is under way is answered.
    /// What takes longer than the patience is cancelled and its connection closed: its caller asks again under the same key.
    /// - Parameters:
    ///   - stop: Returns when the daemon is told to stop, or when the task is cancelled.
    ///   - stopping: Tells those who wait for something, see ``ServiceAssembly/stopping()``.
    /// - Throws: What keeps the server from listening; `CancellationError`.
    package func callAsFunction(
        until stop: @escaping @Sendable () async -> Void, stopping: @escaping @Sendable () -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Turn.self) { group in
            group.addTask {
                try await run()
                return .ended
            }
            group.addTask {
                await stop()
                return .stop
            }
            while let turn = try await group.next() {
                // Where another part cannot run, the server is not ended in order: it may never have listened.
                try Task.checkCancellation()
                switch turn {
                case .stop:
                    logger.info("stopping")
                    stopping()
                    group.addTask {
                        try await shutdown()
                        return .ended
                    }
                    group.addTask {
                        try await Task.sleep(for: patience)
                        return .late
                    }
                case .late:
                    logger.warning("requests that do not end are cut off")
                    group.cancelAll()
                case .ended:
                    group.cancelAll()
                    return
                }
            }
        }
    }
}
