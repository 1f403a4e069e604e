import HTTPTypes

/// The headers that matter, found in one pass. One that comes twice counts as one with both values, as RFC 9110 says.
struct RequestHeaders: Sendable {
    private(set) var authorization: String?
    private(set) var contentEncoding: String?
    private(set) var contentLength: String?
    private(set) var contentType: String?
    private(set) var forwardedFor: String?
    private(set) var idempotencyKey: String?
    private(set) var prefer: String?
    private(set) var requestID: String?
    private(set) var requestTimeout: String?
    private(set) var traceparent: String?
    private(set) var transferEncoding: String?
    private(set) var userAgent: String?

    init(_ fields: HTTPFields) {
        for field in fields { take(field.name.canonicalName, field.value) }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "authorization": Self.add(value, to: &authorization)
        case "content-encoding": Self.add(value, to: &contentEncoding)
        case "content-length": Self.add(value, to: &contentLength)
        case "content-type": Self.add(value, to: &contentType)
        case "x-forwarded-for": Self.add(value, to: &forwardedFor)
        case "idempotency-key": Self.add(value, to: &idempotencyKey)
        case "prefer": Self.add(value, to: &prefer)
        case "x-request-id": Self.add(value, to: &requestID)
        case "x-request-timeout": Self.add(value, to: &requestTimeout)
        case "traceparent": Self.add(value, to: &traceparent)
        case "transfer-encoding": Self.add(value, to: &transferEncoding)
        case "user-agent": Self.add(value, to: &userAgent)
        default: break
        }
    }

    private static func add(_ value: String, to slot: inout String?) {
        slot = slot.map { "\($0), \(value)" } ?? value
    }
}
