package import AsyncHTTPClient
package import NIOCore

extension HTTPClient {
    /// Sends a request and reads its whole answer within one time limit. (That of `execute` ends with the answer's
    /// head: a peer that falls silent in the body would hold the caller for ever.)
    /// - Parameters:
    ///   - maximumBytes: The longest body that is read.
    ///   - limit: How long the request and its whole answer may take.
    /// - Throws: `HTTPClientError.deadlineExceeded` when the time is over, `NIOTooManyBytesError` for a longer body,
    ///   and what `execute` throws.
    package func exchange(
        _ request: HTTPClientRequest, upTo maximumBytes: Int, within limit: Duration
    ) async throws -> (head: HTTPClientResponse, body: ByteBuffer) {
        try await withThrowingTaskGroup(of: (head: HTTPClientResponse, body: ByteBuffer).self) { group in
            group.addTask {
                let head: HTTPClientResponse = try await self.execute(request, timeout: TimeAmount(limit))
                let body: ByteBuffer = try await head.body.collect(upTo: maximumBytes)
                // A body that was cut off by the cancellation is not a whole one.
                try _Concurrency.Task.checkCancellation()
                return (head: head, body: body)
            }
            group.addTask {
                try await _Concurrency.Task.sleep(for: limit)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw CancellationError() }
            return answer
        }
    }
}
