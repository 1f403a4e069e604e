import Glibc
public import Logging
import Synchronization
import Threads

/// Sends commands over one connection that an owned thread serves.
///
/// Commands of all callers that wait at the same time leave in one write and their answers come back in order. While
/// there is no connection every call fails at once with ``RedisError/unavailable``; the thread reconnects by itself.
public final class RedisClient: Sendable {
    private let mailbox: RedisMailbox
    private let scripts = Mutex([String: String]())

    /// Opens a client; it connects in the background, and calls made before the first attempt is decided wait for it.
    public init(
        _ configuration: RedisConfiguration, logger: Logger = Logger(label: "refrain.redis")
    ) {
        let mailbox = RedisMailbox(maxOpen: configuration.maxOpen)
        self.mailbox = mailbox
        OwnedThread.start("redis") {
            Self.blockBrokenPipes()
            RedisLoop(configuration: configuration, mailbox: mailbox, logger: logger).run()
        }
    }

    /// ``init(_:logger:)`` with the defaults of ``RedisConfiguration``.
    public convenience init(
        host: String, port: Int, logger: Logger = Logger(label: "refrain.redis")
    ) {
        self.init(RedisConfiguration(host: host, port: port), logger: logger)
    }

    /// hiredis writes with `write`: a connection closed by the server must be an error, not a signal.
    private static func blockBrokenPipes() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    deinit { mailbox.close() }

    /// Sends one command.
    /// - Parameters:
    ///   - command: The command and its arguments, each sent as it is.
    ///   - timeout: How long to wait for the answer.
    /// - Returns: The answer.
    /// - Throws: ``RedisError``; ``RedisError/refused(_:)`` when the server answers with an error.
    public func send(
        _ command: [String], timeout: Duration = .milliseconds(100)
    ) async throws(RedisError) -> RedisReply {
        let replies = try await pipeline([command], timeout: timeout)
        guard let reply = replies.first else { return .null }
        if case .error(let reason) = reply { throw .refused(reason) }
        return reply
    }

    /// Sends several commands in one write.
    /// - Parameters:
    ///   - commands: Commands with their arguments; other callers' commands may run in between.
    ///   - timeout: How long to wait for all answers together.
    /// - Returns: One answer for each command; a refused one is ``RedisReply/error(_:)``.
    /// - Throws: ``RedisError`` when there is no answer to some of them.
    public func pipeline(
        _ commands: [[String]], timeout: Duration = .milliseconds(100)
    ) async throws(RedisError) -> [RedisReply] {
        if commands.isEmpty { return [] }
        let request = RedisRequest(commands, deadline: .now.advanced(by: timeout))
        try mailbox.submit(request)
        let result: Result<[RedisReply], RedisError> = await withTaskCancellationHandler {
            await request.completion.value
        } onCancel: {
            request.completion.finish(.failure(.cancelled))
        }
        return try result.get()
    }

    /// Runs a Lua script; it travels once, later calls name it by its hash. A server that has forgotten it gets it again.
    /// - Parameters:
    ///   - script: The source.
    ///   - keys: `KEYS` of the script.
    ///   - arguments: `ARGV` of the script.
    ///   - timeout: For each of the at most three commands this takes.
    /// - Throws: As ``send(_:timeout:)``.
    public func eval(
        _ script: String, keys: [String], arguments: [String] = [], timeout: Duration = .milliseconds(100)
    ) async throws(RedisError) -> RedisReply {
        let tail = [String(keys.count)] + keys + arguments
        let hash = try await hash(of: script, timeout)
        do {
            return try await send(["EVALSHA", hash] + tail, timeout: timeout)
        } catch .refused(let reason) where reason.hasPrefix("NOSCRIPT") {
            return try await send(["EVAL", script] + tail, timeout: timeout)
        }
    }

    private func hash(of script: String, _ timeout: Duration) async throws(RedisError) -> String {
        if let known = scripts.withLock({ $0[script] }) { return known }
        let reply = try await send(["SCRIPT", "LOAD", script], timeout: timeout)
        guard let hash = reply.string else { throw .refused("SCRIPT LOAD gave no hash") }
        scripts.withLock { $0[script] = hash }
        return hash
    }

    /// Whether there is a connection now.
    public var isConnected: Bool { mailbox.isConnected }

    /// Counters since the start.
    public var statistics: RedisStatistics { mailbox.statistics }

    /// Fails what is open as `closed` and closes the connection.
    public func shutdown() async {
        mailbox.close()
        _ = await mailbox.closed.value
    }
}

/// What a client has done since it was made.
public struct RedisStatistics: Sendable, Equatable {
    /// Commands answered, refusals included.
    public var answered: Int = 0
    /// Commands that failed without an answer, timeouts included.
    public var failed: Int = 0
    /// Commands whose time was over.
    public var timedOut: Int = 0
    /// Connections made.
    public var connections: Int = 0
    /// Commands waiting or unanswered now.
    public var open: Int = 0
    /// Writes to the server; fewer than commands when they leave together.
    public var writes: Int = 0
}
