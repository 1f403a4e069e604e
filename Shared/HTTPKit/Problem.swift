public import JSON

/// An error answer as `application/problem+json` (RFC 9457): what a caller gets instead of the result.
///
/// Throwing one from an endpoint rolls the transaction back and answers with it. It never carries SQL, traces or
/// secrets.
public struct Problem: Error, Sendable, Equatable {
    /// The HTTP status.
    public var status: Int
    /// The fixed word for programs; `type` is `https://refrain.dev/problems/<code>`.
    public var code: String
    /// What kind of problem it is, the same for every occurrence.
    public var title: String
    /// What went wrong this time, as a sentence for people.
    public var detail: String?
    /// The one field or parameter at fault, when there is one.
    public var param: String?
    /// Every fault of the input.
    public var errors: [Fault]
    /// Headers of the answer besides the usual ones.
    public var headers: [HeaderField]

    /// Makes a problem of any kind; see the helpers for the usual ones.
    public init(
        _ status: Int, code: String, title: String, detail: String? = nil, param: String? = nil, errors: [Fault] = [],
        headers: [HeaderField] = []
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.param = param
        self.errors = errors
        self.headers = headers
    }

    /// Where every `type` starts.
    public static let typePrefix = "https://refrain.dev/problems/"
}

/// A failure of a use case that says which problem it is to a caller.
public protocol ProblemConvertible: Error {
    /// The answer for this failure.
    var problem: Problem { get }
}

extension Problem: ProblemConvertible {
    /// Itself.
    public var problem: Problem { self }
}

extension Problem {
    /// 422: the input is well-formed but has faults, all of which are listed.
    public static func invalid(_ faults: [Fault]) -> Problem {
        let only = faults.count == 1 ? faults.first : nil
        let detail = faults.count == 1 ? "One field is at fault." : "\(faults.count) fields are at fault."
        return Problem(
            422, code: "invalid_request", title: "The request is not valid", detail: detail, param: only?.param,
            errors: faults)
    }

    /// 422: one field or parameter is at fault.
    public static func invalid(_ param: String, code: String, _ message: String) -> Problem {
        invalid([Fault(param: param, code: code, message: message)])
    }

    /// 404: there is no such resource.
    /// - Parameters:
    ///   - what: The kind of resource, such as `customer`.
    ///   - id: Its id, when known.
    public static func notFound(_ what: String, _ id: String? = nil) -> Problem {
        let detail = id.map { "There is no \(what) with the id \($0)." } ?? "There is no such \(what)."
        return Problem(404, code: "not_found", title: "No such resource", detail: detail)
    }

    /// 409: the state of things does not allow this.
    public static func conflict(_ code: String, _ detail: String) -> Problem {
        Problem(409, code: code, title: "The state of the resource does not allow this", detail: detail)
    }

    /// 422: the business refuses a valid request.
    public static func refused(_ code: String, _ detail: String, param: String? = nil) -> Problem {
        Problem(422, code: code, title: "The request cannot be carried out", detail: detail, param: param)
    }

    /// 400: a header or parameter cannot be read.
    public static func badRequest(_ code: String, _ detail: String, param: String? = nil) -> Problem {
        Problem(400, code: code, title: "The request cannot be read", detail: detail, param: param)
    }

    /// 503: try again later; nothing has happened.
    public static func unavailable(retryAfterSeconds: Int = 1, _ detail: String? = nil) -> Problem {
        Problem(
            503, code: "unavailable", title: "The service cannot answer now", detail: detail,
            headers: [HeaderField("Retry-After", String(retryAfterSeconds))])
    }

    /// 500: a fault of ours, told without any internals.
    static let internalError = Problem(
        500, code: "internal_error", title: "Something went wrong on our side",
        detail: "The error has been recorded under the request id.")
}

extension Problem {
    /// The answer's body.
    func body(requestID: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("type")
        writer.string(Self.typePrefix + code)
        writer.key("title")
        writer.string(title)
        writer.key("status")
        writer.int(status)
        if let detail {
            writer.key("detail")
            writer.string(detail)
        }
        writer.key("code")
        writer.string(code)
        if let param {
            writer.key("param")
            writer.string(param)
        }
        writer.key("request_id")
        writer.string(requestID)
        if !errors.isEmpty { write(errors, to: &writer) }
        writer.endObject()
        return writer.bytes
    }

    private func write(_ faults: [Fault], to writer: inout JSONWriter) {
        writer.key("errors")
        writer.beginArray()
        for fault in faults {
            writer.beginObject()
            writer.key("param")
            writer.string(fault.param)
            writer.key("code")
            writer.string(fault.code)
            writer.key("message")
            writer.string(fault.message)
            writer.endObject()
        }
        writer.endArray()
    }
}
