import BillingCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import Postgres
import Synchronization
import Telemetry

/// What happens to every request, in this order: route, room, body limit, content type, caller, scope, rate,
/// idempotency key, query, body, endpoint; and whatever goes wrong becomes one kind of answer. A delivery skips the checks of
/// what it need not have: content type, key, JSON.
final class RequestPipeline: Sendable {
    private let configuration: HTTPServerConfiguration
    private let router: Router<Target>
    private let reading: RequestReading
    private let authenticator: Authenticator
    private let limiter: RateLimiter?
    private let pool: PostgresPool
    private let clock: any WallClock
    private let realClock: any WallClock
    private let operations: OperationsRoutes
    private let unmatched: RouteMetrics
    private let errors: ErrorMapping
    private let log: AccessLog
    private let date = HTTPDate()
    private let running = Atomic<Int>(0)
    private let refused: Counter

    init(_ parts: PipelineParts) {
        configuration = parts.configuration
        router = Target.router(parts.endpoints, parts.metrics)
        reading = RequestReading(configuration: parts.configuration)
        authenticator = parts.authenticator
        limiter = parts.limiter
        pool = parts.pool
        clock = parts.clock
        realClock = parts.realClock
        operations = parts.operations
        unmatched = RouteMetrics(parts.metrics, method: "other", route: "unmatched")
        errors = ErrorMapping(logger: parts.logger)
        log = AccessLog(isOn: parts.configuration.accessLog, logger: parts.logger)
        refused = parts.metrics.counter(
            "http_requests_refused_total", help: "Requests refused because too many were running.")
    }

    /// How many requests are being answered now.
    var runningRequests: Int { running.load(ordering: .relaxed) }

    /// Answers one request.
    /// - Throws: Only when the connection failed while the body was read; there is nobody to answer then.
    func respond(to request: Request, from socket: SocketAddress?) async throws -> Response {
        let started = ContinuousClock.now
        let headers = RequestHeaders(request.headers)
        let requestID = RequestReading.requestID(headers)
        let trace = RequestReading.trace(headers)
        return try await TraceContext.$current.withValue(trace) {
            let frame = Frame(
                request: request, headers: headers, requestID: requestID, trace: trace, started: started, socket: socket
            )
            running.wrappingAdd(1, ordering: .relaxed)
            defer { running.wrappingSubtract(1, ordering: .relaxed) }
            let (reply, target) = try await answer(frame)
            let time = ContinuousClock.now - started
            (target?.metrics ?? unmatched).record(status: reply.status, time)
            log.write(frame, route: target?.route ?? "unmatched", status: reply.status, time)
            return response(reply, frame)
        }
    }

    /// The answer, with the route that gave it when one was found.
    private func answer(_ frame: Frame) async throws -> (RawReply, Target?) {
        let (path, query) = frame.pathAndQuery
        switch router.match(frame.method, path) {
        case .none:
            return (render(.notFound("route"), frame), nil)
        case .otherMethods(let methods):
            return (render(methodProblem(methods), frame), nil)
        case .found(let target, let values):
            do {
                switch target.kind {
                case .operations(let route):
                    return (await operations.answer(route), target)
                case .endpoint(let endpoint):
                    return (try await run(endpoint, target.parameters(values), path, query, frame), target)
                }
            } catch let interrupted as BodyInterrupted {
                throw interrupted.underlying
            } catch {
                return (render(errors.problem(error, frame: frame, route: target.route), frame), target)
            }
        }
    }

    private func run(
        _ endpoint: Endpoint, _ parameters: [PathParameter], _ path: Substring, _ query: Substring, _ frame: Frame
    ) async throws -> RawReply {
        if running.load(ordering: .relaxed) > configuration.maxConcurrentRequests {
            refused.increment()
            throw Problem.unavailable("Too many requests are running.")
        }
        let headers = frame.headers
        let isDelivery = endpoint.handling.isDelivery
        if !isDelivery { try reading.checkHead(headers) }
        let wait = reading.preferredWait(headers)
        let deadline = frame.started + (try reading.timeout(headers, endpoint: endpoint.timeout, wait: wait))
        let principal = try await caller(endpoint, frame, deadline)
        let left = try await takeToken(principal)
        let key = endpoint.takesKey ? try reading.idempotencyKey(headers, isNeeded: endpoint.needsKey) : nil
        let queryValues = try QueryReading.read(
            query, endpoint.query, ignoringUnknown: endpoint.ignoresUnknownQuery)
        let fullPath = query.isEmpty ? String(path) : "\(path)?\(query)"
        let call = { [clock, realClock] (body: [UInt8]) in
            Call(
                requestID: frame.requestID, principal: principal, trace: frame.trace, deadline: deadline,
                now: clock.now, receivedAt: realClock.now, idempotencyKey: key, preferWait: wait,
                clientAddress: RequestReading.clientAddress(headers, frame.socket),
                userAgent: headers.userAgent ?? "", query: queryValues, method: endpoint.method.rawValue,
                path: String(path), pathParameters: parameters,
                requestHash: key.map { _ in RequestHash(method: endpoint.method.rawValue, path: fullPath, body: body) })
        }
        var reply: RawReply
        switch endpoint.handling {
        case .json(let run):
            let bytes = try await reading.body(frame.request)
            let json = try reading.json(bytes)
            reply = try await declaring(endpoint) { try await run(call(bytes), json, pool) }
        case .delivery(let maxBodyBytes, let run):
            let delivery = try await reading.delivery(frame, maxBodyBytes: maxBodyBytes)
            reply = try await declaring(endpoint) { try await run(call([]), delivery) }
        }
        if let left, let limiter { reply.headers.append(HeaderField("RateLimit", limiter.header(left))) }
        return reply
    }

    /// What an endpoint answers. Where the configuration says so, a problem that its operation does not tell of is a fault of
    /// ours.
    private func declaring(_ endpoint: Endpoint, _ answer: () async throws -> RawReply) async throws -> RawReply {
        guard configuration.refusesUndeclaredProblems, !endpoint.isInternal else { return try await answer() }
        do {
            return try await answer()
        } catch let error as any ProblemConvertible {
            let problem = error.problem
            guard OpenAPIParts.declares(endpoint, problem) else {
                throw UndeclaredProblem(problem: "\(problem.status) \(problem.code)")
            }
            throw problem
        }
    }

    private func caller(
        _ endpoint: Endpoint, _ frame: Frame, _ deadline: ContinuousClock.Instant
    ) async throws -> Principal {
        guard let scope = endpoint.scope else { return .anonymous }
        let principal = try await authenticator.principal(
            frame.headers.authorization, from: RequestReading.clientAddress(frame.headers, frame.socket),
            deadline: deadline)
        guard principal.scopes.allows(scope) else { throw authenticator.forbidden(scope) }
        return principal
    }

    /// Takes one of the caller's tokens; `nil` when there is no limit for it.
    private func takeToken(_ principal: Principal) async throws -> Int? {
        guard let limiter, principal != .anonymous else { return nil }
        switch await limiter.take(principal.id) {
        case .allowed(let remaining): return remaining
        case .refused(let wait): throw limiter.problem(retryMilliseconds: wait)
        }
    }

    private func methodProblem(_ methods: [String]) -> Problem {
        let allowed = methods.joined(separator: ", ")
        return Problem(
            405, code: "method_not_allowed", title: "The route has no such method", detail: "It has \(allowed).",
            headers: [HeaderField("Allow", allowed)])
    }

    private func render(_ problem: Problem, _ frame: Frame) -> RawReply {
        RawReply(
            status: problem.status, body: problem.body(requestID: frame.requestID), headers: problem.headers,
            contentType: "application/problem+json")
    }

    private func response(_ reply: RawReply, _ frame: Frame) -> Response {
        var headers = HTTPFields()
        headers.reserveCapacity(reply.headers.count + 6)
        if !reply.body.isEmpty { headers.append(HTTPField(name: .contentType, value: reply.contentType)) }
        headers.append(HTTPField(name: .contentLength, value: String(reply.body.count)))
        headers.append(HTTPField(name: .cacheControl, value: reply.cacheControl))
        headers.append(HTTPField(name: .date, value: date.text))
        headers.append(HTTPField(name: .requestID, value: frame.requestID))
        if reply.isReplay { headers.append(HTTPField(name: .idempotencyReplayed, value: "true")) }
        for header in reply.headers {
            guard let name = HTTPField.Name(header.name) else { continue }
            headers.append(HTTPField(name: name, value: header.value))
        }
        let isHead = frame.request.method == .head
        let body = isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body))
        return Response(status: HTTPResponse.Status(code: reply.status), headers: headers, body: body)
    }
}

/// A problem that the document of its route does not tell of.
private struct UndeclaredProblem: Error {
    let problem: String
}

/// What a pipeline is made of.
struct PipelineParts {
    let endpoints: [Endpoint]
    let configuration: HTTPServerConfiguration
    let authenticator: Authenticator
    let limiter: RateLimiter?
    let pool: PostgresPool
    let clock: any WallClock
    let realClock: any WallClock
    let operations: OperationsRoutes
    let metrics: Metrics
    let logger: Logger
}

/// One request with what belongs to it from the start.
struct Frame: Sendable {
    let request: Request
    let headers: RequestHeaders
    let requestID: String
    let trace: TraceContext
    let started: ContinuousClock.Instant
    let socket: SocketAddress?

    /// The method as it came.
    var method: String { request.method.rawValue }

    /// The path as it came, and the query without its question mark.
    var pathAndQuery: (Substring, Substring) {
        let text = request.head.path ?? "/"
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (text[...], "") }
        return (text[..<mark], text[text.utf8.index(after: mark)...])
    }
}

/// What a route leads to, with what is measured under it.
struct Target: Sendable {
    enum Kind: Sendable {
        case endpoint(Endpoint)
        case operations(OperationsRoutes.Route)
    }

    let kind: Kind
    let route: String
    let metrics: RouteMetrics
    let names: [String]

    func parameters(_ values: [String]) -> [PathParameter] {
        if values.isEmpty { return [] }
        return zip(names, values).map { PathParameter(name: $0, value: $1) }
    }

    /// The router of endpoints and of the routes every service has.
    static func router(_ endpoints: [Endpoint], _ metrics: Metrics) -> Router<Target> {
        var router = Router<Target>()
        for route in OperationsRoutes.Route.allCases {
            let measured = RouteMetrics(metrics, method: "GET", route: route.rawValue)
            router.add(
                "GET", route.rawValue,
                Target(kind: .operations(route), route: route.rawValue, metrics: measured, names: []))
        }
        for endpoint in endpoints {
            let measured = RouteMetrics(metrics, method: endpoint.method.rawValue, route: endpoint.path)
            router.add(
                endpoint.method.rawValue, endpoint.path,
                Target(
                    kind: .endpoint(endpoint), route: endpoint.path, metrics: measured,
                    names: endpoint.parameterNames))
        }
        return router
    }
}
