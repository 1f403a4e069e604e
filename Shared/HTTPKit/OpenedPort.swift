import Synchronization

/// The port of a server that is about to listen: settled once, awaited by any number of tasks.
final class OpenedPort: Sendable {
    private typealias Waiter = CheckedContinuation<Int, any Error>

    private struct State {
        var result: Result<Int, any Error>?
        var waiting: [Int: Waiter] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())

    /// The server listens.
    func open(_ port: Int) { settle(.success(port)) }

    /// The server will never listen.
    func fail(_ error: any Error) { settle(.failure(error)) }

    /// - Throws: What the server failed with, or `CancellationError`.
    func value() async throws -> Int {
        let id = state.withLock { (state: inout State) -> Int in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Int, any Error>) in
                let known = state.withLock { (state: inout State) -> Result<Int, any Error>? in
                    if let result = state.result { return result }
                    // Cancelled before this: nobody would come for the waiter any more.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiting[id] = waiter
                    return nil
                }
                if let known { waiter.resume(with: known) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiting.removeValue(forKey: id) }
            waiter?.resume(throwing: CancellationError())
        }
    }

    private func settle(_ result: Result<Int, any Error>) {
        let waiting = state.withLock { (state: inout State) -> [Int: Waiter] in
            guard state.result == nil else { return [:] }
            state.result = result
            defer { state.waiting = [:] }
            return state.waiting
        }
        for waiter in waiting.values { waiter.resume(with: result) }
    }
}
