import BillingCore
import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore
import Telemetry

/// Reads what headers and body say, with the problems that go with them.
struct RequestReading: Sendable {
    let configuration: HTTPServerConfiguration

    /// The caller's request id when it is short and plain, a new one otherwise.
    static func requestID(_ headers: RequestHeaders) -> String {
        if let given = headers.requestID, isPlainID(given) { return given }
        return "req_" + String(FastRandom.next(), radix: 36) + String(FastRandom.next(), radix: 36)
    }

    /// A span of the caller's trace, or of a new one.
    static func trace(_ headers: RequestHeaders) -> TraceContext {
        headers.traceparent.flatMap { TraceContext(traceparent: $0) }?.child() ?? TraceContext.new()
    }

    /// 413 for a body that says it is too long, 415 for one that says it is not JSON.
    func checkHead(_ headers: RequestHeaders) throws(Problem) {
        if let length = headers.contentLength {
            guard let bytes = Int(length), bytes <= configuration.maxBodyBytes else {
                throw .bodyTooLarge(configuration.maxBodyBytes)
            }
            if bytes == 0 { return }
        } else if headers.transferEncoding == nil {
            return
        }
        guard let type = headers.contentType, Self.isJSON(type) else {
            throw Problem(
                415, code: "unsupported_media_type", title: "The body is not JSON",
                detail: "Send the body as application/json.", headers: [HeaderField("Accept", "application/json")])
        }
        if let encoding = headers.contentEncoding, encoding.lowercased() != "identity" {
            throw Problem(
                415, code: "unsupported_content_encoding", title: "The body is compressed",
                detail: "Send the body without Content-Encoding.",
                headers: [HeaderField("Accept-Encoding", "identity")])
        }
    }

    /// The whole body.
    /// - Throws: ``Problem`` 413 past the limit; ``BodyInterrupted`` when the connection fails.
    func body(_ request: Request) async throws -> [UInt8] {
        guard let bytes = try await Self.bytes(of: request, atMost: configuration.maxBodyBytes) else {
            throw Problem.bodyTooLarge(configuration.maxBodyBytes)
        }
        return bytes
    }

    /// The request as a delivery; a body that says it is too long is not read at all.
    /// - Throws: ``BodyInterrupted`` when the connection fails.
    func delivery(_ frame: Frame, maxBodyBytes: Int) async throws -> Delivery {
        let headers = frame.request.headers.map { (name: $0.name.rawName, value: $0.value) }
        if let length = frame.headers.contentLength, Int(length).map({ $0 > maxBodyBytes }) ?? true {
            return Delivery(headers: headers, body: nil)
        }
        return Delivery(headers: headers, body: try await Self.bytes(of: frame.request, atMost: maxBodyBytes))
    }

    /// The whole body; `nil` when it is longer.
    private static func bytes(of request: Request, atMost limit: Int) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                if bytes.count + buffer.readableBytes > limit { return nil }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            throw BodyInterrupted(underlying: error)
        }
        return bytes
    }

    /// The body as JSON; an empty one is an empty object.
    func json(_ bytes: [UInt8]) throws(Problem) -> JSONValue {
        if bytes.isEmpty { return .object([]) }
        let limits = JSONLimits(maxBytes: configuration.maxBodyBytes, maxDepth: configuration.maxJSONDepth)
        do {
            return try parseJSON(bytes, limits: limits)
        } catch {
            throw Problem(
                400, code: "invalid_json", title: "The body is not acceptable JSON", detail: "\(error).",
                errors: [Fault(code: error.code.rawValue, message: "\(error)")])
        }
    }

    /// The idempotency key.
    /// - Throws: ``Problem`` 400 when it is needed and missing, or malformed.
    func idempotencyKey(_ headers: RequestHeaders, isNeeded: Bool) throws(Problem) -> IdempotencyKey? {
        guard let text = headers.idempotencyKey else {
            if !isNeeded { return nil }
            throw .badRequest(
                "idempotency_key_required", "Send an Idempotency-Key header, so that repeating the request is safe.",
                param: "Idempotency-Key")
        }
        guard let key = IdempotencyKey(text) else {
            throw .badRequest(
                "idempotency_key_invalid", "An idempotency key has 1 to 255 printable ASCII characters.",
                param: "Idempotency-Key")
        }
        return key
    }

    /// `wait=N` of `Prefer` headers (RFC 7240), at most the longest deadline; what cannot be read is not a preference.
    func preferredWait(_ headers: RequestHeaders) -> Duration? {
        guard let text = headers.prefer else { return nil }
        for preference in text.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let parts = preference.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, trimmed(parts[0]).lowercased() == "wait", let seconds = UInt32(trimmed(parts[1]))
            else {
                continue
            }
            return min(.seconds(Int64(seconds)), configuration.maxRequestTimeout)
        }
        return nil
    }

    /// When the answer is no longer of use: the caller's `X-Request-Timeout` in seconds, or the endpoint's, or the
    /// configured time; never before the time the caller prefers to wait.
    func timeout(_ headers: RequestHeaders, endpoint: Duration?, wait: Duration?) throws(Problem) -> Duration {
        if let text = headers.requestTimeout {
            guard let seconds = UInt32(text), seconds > 0 else {
                throw .badRequest(
                    "invalid_header", "X-Request-Timeout is a whole number of seconds.", param: "X-Request-Timeout")
            }
            return min(.seconds(Int64(seconds)), configuration.maxRequestTimeout)
        }
        let usual = endpoint ?? configuration.requestTimeout
        return wait.map { max(usual, $0 + .seconds(5)) } ?? usual
    }

    /// The caller's address: the last hop that the gateway added, or the socket's.
    static func clientAddress(_ headers: RequestHeaders, _ socket: SocketAddress?) -> String {
        if let forwarded = headers.forwardedFor?.split(separator: ",").last {
            return String(trimmed(forwarded).prefix(45))
        }
        return socket?.ipAddress ?? ""
    }

    private static func isPlainID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                ($0 >= 48 && $0 <= 57) || ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || $0 == 95 || $0 == 45 || $0 == 46
            }
    }

    /// `application/json` with or without parameters; a charset, when given, must be UTF-8.
    private static func isJSON(_ type: String) -> Bool {
        if type == "application/json" { return true }
        let parts = type.lowercased().split(separator: ";")
        guard let media = parts.first, trimmed(media) == "application/json" else { return false }
        return parts.dropFirst().allSatisfy { (parameter: Substring) -> Bool in
            let text = trimmed(parameter)
            return !text.hasPrefix("charset=") || text == "charset=utf-8" || text == "charset=\"utf-8\""
        }
    }
}

/// The connection failed, or spoke no HTTP, in the middle of a body. There is nobody to answer.
struct BodyInterrupted: Error {
    let underlying: any Error
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
}
