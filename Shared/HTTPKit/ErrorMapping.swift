import Logging
import Postgres

/// Turns whatever an endpoint threw into the problem the caller is told.
struct ErrorMapping: Sendable {
    let logger: Logger

    /// Problems go out as they are; a database that cannot answer now is 503; anything else is 500 without internals,
    /// and is logged.
    func problem(_ error: any Error, frame: Frame, route: String) -> Problem {
        if let problem = (error as? any ProblemConvertible)?.problem { return problem }
        if let error = error as? PostgresError, let problem = unavailable(error) {
            logger.warning(
                "request could not be carried out",
                metadata: ["request_id": "\(frame.requestID)", "route": "\(route)", "reason": "\(error.label)"])
            return problem
        }
        if error is CancellationError { return .unavailable("The request was interrupted.") }
        logger.error(
            "request failed",
            metadata: [
                "request_id": "\(frame.requestID)", "route": "\(route)", "error_type": "\(type(of: error))",
                "error": "\(error)",
            ])
        return .internalError
    }

    /// 503 for what may pass by itself.
    private func unavailable(_ error: PostgresError) -> Problem? {
        switch error.kind {
        case .queueFull, .queueTimeout:
            .unavailable("The service is busy.")
        case .deadlineExceeded, .statementTimeout:
            .unavailable("The request could not be carried out in time.")
        case .commitUnknown:
            .unavailable("The outcome is not known. Repeat the request under the same idempotency key.")
        case .connectionFailed, .connectionLost, .shutdown:
            .unavailable(retryAfterSeconds: 2)
        default:
            error.isRetryable ? .unavailable() : nil
        }
    }
}
