import CPostgres
import Glibc

/// What one round trip brought back.
struct Answer: ~Copyable {
    /// Affected rows of each statement, in order.
    var affected: [Int] = []
    /// The rows of each statement, in order.
    var results: [OpaquePointer] = []

    deinit {
        for result in results { PQclear(result) }
    }
}

extension Connection {
    /// What the server will answer, in order.
    enum Step {
        case prepare(text: String, name: String)
        case execute(Int)
        case sync
    }

    /// Sends every statement with one Sync and reads every answer: one round trip. The caller has checked what is not the
    /// library's own (``ParameterBuffer/check(_:)``).
    /// - Parameters:
    ///   - skipping: How many leading statements are our own and are not reported.
    ///   - look: Goes out with them, under a Sync of its own. Where they succeed, ``finishLook()`` is to read its answer.
    /// - Throws: The first statement's failure; the rest were not run. The session stays usable unless it was lost.
    func exchange(
        _ statements: [SQL], skipping: Int = 0, then look: CommitLook? = nil
    ) throws(PostgresError) -> Answer {
        if pendingLook != nil { finishLook() }
        guard let handle else { throw .lost("the session is closed") }
        var steps: [Step] = []
        steps.reserveCapacity(statements.count + 2)
        for (index, sql) in statements.enumerated() {
            guard send(sql, index, on: handle, &steps) else { throw drop(handle) }
        }
        guard PQpipelineSync(handle) == 1 else { throw drop(handle) }
        steps.append(.sync)
        var lookSteps: [Step] = []
        var isWhole: Bool = true
        if let look { isWhole = send(look, on: handle, &lookSteps) }
        do {
            try flush(handle)
            let answer: Answer = try collect(steps, statements, skipping, on: handle)
            if isWhole { pendingLook = look.map { PendingLook(look: $0, steps: lookSteps) } } else { close() }
            return answer
        } catch {
            discard(look, lookSteps, isWhole: isWhole)
            throw error
        }
    }

    /// Sends one statement and notes what the server will answer to it.
    func send(_ sql: SQL, _ index: Int, on handle: OpaquePointer, _ steps: inout [Step]) -> Bool {
        steps.append(.execute(index))
        guard sql.isPrepared else {
            return parameters.with(sql.values) { count, pointers in
                PQsendQueryParams(handle, sql.text, count, nil, pointers, nil, nil, 0)
            } == 1
        }
        let name: String
        if let known = cache.name(of: sql.text) {
            name = known
        } else {
            name = cache.insert(sql.text)
            guard PQsendPrepare(handle, name, sql.text, 0, nil) == 1 else { return false }
            steps.insert(.prepare(text: sql.text, name: name), at: steps.count - 1)
        }
        return parameters.with(sql.values) { count, pointers in
            PQsendQueryPrepared(handle, name, count, pointers, nil, nil, 0)
        } == 1
    }

    /// Reads the answers to what was sent, up to its Sync.
    func collect(
        _ steps: [Step], _ statements: [SQL], _ skipping: Int, on handle: OpaquePointer
    ) throws(PostgresError) -> Answer {
        var answer = Answer()
        var failure: PostgresError?
        for step in steps {
            let result: OpaquePointer = try nextResult(handle)
            switch step {
            case .sync:
                PQclear(result)
            case .prepare(let text, let name):
                if PQresultStatus(result) != PGRES_COMMAND_OK {
                    cache.forget(text, named: name)
                    try note(result, text, &failure)
                }
                PQclear(result)
                try endOfStep(handle)
            case .execute(let index):
                if try succeeded(result, statements[index].text, &failure), index >= skipping {
                    answer.affected.append(affectedRows(result))
                    answer.results.append(result)
                } else {
                    PQclear(result)
                }
                try endOfStep(handle)
            }
        }
        if let failure { throw failure }
        return answer
    }

    private func succeeded(
        _ result: OpaquePointer, _ text: String, _ failure: inout PostgresError?
    ) throws(PostgresError) -> Bool {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            return true
        case PGRES_PIPELINE_ABORTED:
            return false
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            close()
            throw .misuse("COPY is not supported")
        default:
            try note(result, text, &failure)
            return false
        }
    }

    /// Keeps the first failure; one that ends the session is thrown at once, as no more answers will come.
    private func note(
        _ result: OpaquePointer, _ text: String, _ failure: inout PostgresError?
    ) throws(PostgresError) {
        guard PQresultStatus(result) != PGRES_PIPELINE_ABORTED else { return }
        let error: PostgresError = serverError(result, statement: text)
        if error.endsSession || handle.map({ PQstatus($0) }) != CONNECTION_OK {
            PQclear(result)
            close()
            throw error.endsSession ? error : .lost(error.message)
        }
        if error.kind == .stalePlan { cache.discardAll() }
        if failure == nil { failure = error }
    }

    /// Reads the end of a statement's answer.
    private func endOfStep(_ handle: OpaquePointer) throws(PostgresError) {
        try awaitAnswer(handle)
        while let extra = PQgetResult(handle) {
            PQclear(extra)
            try awaitAnswer(handle)
        }
    }

    private func nextResult(_ handle: OpaquePointer) throws(PostgresError) -> OpaquePointer {
        try awaitAnswer(handle)
        guard let result = PQgetResult(handle) else { throw drop(handle) }
        return result
    }

    func affectedRows(_ result: OpaquePointer) -> Int {
        guard let text = PQcmdTuples(result) else { return 0 }
        return Int(strtol(text, nil, 10))
    }

    /// Closes a session that cannot be trusted any more and says why.
    func drop(_ handle: OpaquePointer) -> PostgresError {
        let message: String = lastMessage(handle)
        close()
        return .lost(message.isEmpty ? "the session broke" : message)
    }
}
