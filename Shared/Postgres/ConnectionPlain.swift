import CPostgres

/// What pipeline mode cannot do: scripts of many statements.
extension Connection {
    /// Runs a script through the simple protocol. Without BEGIN of its own it is one implicit transaction.
    func script(_ text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else { throw .misuse("a script cannot contain a NUL character") }
        let handle: OpaquePointer = try leavePipeline()
        guard PQsendQuery(handle, text) == 1 else { throw drop(handle) }
        try flush(handle)
        let failure: PostgresError? = try drain(handle)
        try enterPipeline(handle)
        if let failure { throw failure }
    }

    /// Reads answers to the end; returns the first failure.
    private func drain(_ handle: OpaquePointer) throws(PostgresError) -> PostgresError? {
        var failure: PostgresError?
        while true {
            try awaitAnswer(handle)
            guard let result = PQgetResult(handle) else { return failure }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                break
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                close()
                throw .misuse("COPY is not supported")
            default:
                let error: PostgresError = serverError(result, statement: nil)
                if error.endsSession || PQstatus(handle) != CONNECTION_OK {
                    close()
                    throw error.endsSession ? error : .lost(error.message)
                }
                if failure == nil { failure = error }
            }
        }
    }

    private func leavePipeline() throws(PostgresError) -> OpaquePointer {
        guard let handle else { throw .lost("the session is closed") }
        guard PQexitPipelineMode(handle) == 1 else { throw drop(handle) }
        return handle
    }

    private func enterPipeline(_ handle: OpaquePointer) throws(PostgresError) {
        guard PQenterPipelineMode(handle) == 1 else { throw drop(handle) }
    }
}
