import Synchronization
import Threads

/// A result set once; whoever finishes first wins and each waiter is called exactly once.
final class RedisCompletion<Value: Sendable>: Sendable {
    private struct State {
        var outcome: Result<Value, RedisError>?
        var waiters: [CheckedContinuation<Result<Value, RedisError>, Never>] = []
    }
    private let state = Mutex(State())

    var isFinished: Bool { state.withLock { $0.outcome != nil } }

    /// - Parameter first: Called when this call decides the result, before any waiter goes on.
    /// - Returns: Whether this call decided the result.
    @discardableResult
    func finish(_ outcome: Result<Value, RedisError>, first: () -> Void = {}) -> Bool {
        let waiters: [CheckedContinuation<Result<Value, RedisError>, Never>]? = state.withLock { state in
            if state.outcome != nil { return nil }
            state.outcome = outcome
            defer { state.waiters = [] }
            return state.waiters
        }
        guard let waiters else { return false }
        first()
        for waiter in waiters { waiter.resume(returning: outcome) }
        return true
    }

    /// Waits for the result, through the task's cancellation.
    var value: Result<Value, RedisError> {
        get async {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state in
                    if state.outcome == nil { state.waiters.append(continuation) }
                    return state.outcome
                }
                if let known { continuation.resume(returning: known) }
            }
        }
    }
}

/// Commands that leave together and are answered together.
final class RedisRequest: Sendable {
    let bytes: [UInt8]
    let count: Int
    let deadline: ContinuousClock.Instant
    let completion = RedisCompletion<[RedisReply]>()

    init(_ commands: [[String]], deadline: ContinuousClock.Instant) {
        bytes = commands.reduce(into: []) { $0.append(command: $1) }
        count = commands.count
        self.deadline = deadline
    }
}

extension [UInt8] {
    /// Appends a command in the server's protocol: an array of length-prefixed strings.
    mutating func append(command: [String]) {
        append(contentsOf: "*\(command.count)\r\n".utf8)
        for argument in command {
            append(contentsOf: "$\(argument.utf8.count)\r\n".utf8)
            append(contentsOf: argument.utf8)
            append(contentsOf: "\r\n".utf8)
        }
    }
}

/// What callers and the connection's thread share.
final class RedisMailbox: Sendable {
    /// Whether calls are let in.
    enum Connection { case first, up, down, closed }
    private struct State {
        var connection: Connection = .first
        var incoming: [RedisRequest] = []
        var statistics = RedisStatistics()
    }
    let wake = WakeSignal()
    let closed = RedisCompletion<Bool>()
    private let maxOpen: Int
    private let state = Mutex(State())

    init(maxOpen: Int) { self.maxOpen = maxOpen }

    func submit(_ request: RedisRequest) throws(RedisError) {
        let refusal: RedisError? = state.withLock { state in
            switch state.connection {
            case .closed: return .closed
            case .down: return .unavailable
            case .first, .up: break
            }
            if state.statistics.open > 0, state.statistics.open + request.count > maxOpen { return .overloaded }
            state.incoming.append(request)
            state.statistics.open += request.count
            return nil
        }
        if let refusal { throw refusal }
        wake.wake()
    }

    /// Takes what has come; `nil` when the client is closed.
    func take() -> [RedisRequest]? {
        state.withLock { state in
            if state.connection == .closed { return nil }
            defer { state.incoming = [] }
            return state.incoming
        }
    }

    /// Decides a request unless it is decided already, and counts it.
    func finish(_ request: RedisRequest, _ outcome: Result<[RedisReply], RedisError>) {
        request.completion.finish(outcome) {
            state.withLock { state in
                switch outcome {
                case .success: state.statistics.answered += request.count
                case .failure(let error):
                    state.statistics.failed += request.count
                    if error == .timedOut { state.statistics.timedOut += request.count }
                }
            }
        }
    }

    /// The request no longer takes part: answered, given up, or never sent.
    func release(_ request: RedisRequest) { state.withLock { $0.statistics.open -= request.count } }

    func wrote() { state.withLock { $0.statistics.writes += 1 } }

    /// Lets calls in.
    func connected() {
        state.withLock { state in
            if state.connection != .closed { state.connection = .up }
            state.statistics.connections += 1
        }
    }

    /// Turns calls away from now on and returns those that wait.
    func disconnected() -> [RedisRequest] {
        state.withLock { state in
            if state.connection != .closed { state.connection = .down }
            defer { state.incoming = [] }
            return state.incoming
        }
    }

    func close() {
        state.withLock { $0.connection = .closed }
        wake.wake()
    }

    var isClosed: Bool { state.withLock { $0.connection == .closed } }
    var isConnected: Bool { state.withLock { $0.connection == .up } }
    var statistics: RedisStatistics { state.withLock { $0.statistics } }
}
