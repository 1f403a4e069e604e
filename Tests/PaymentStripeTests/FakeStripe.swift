import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import Synchronization
import Telemetry
import TestKit

/// A transport that plays a script and keeps what was asked.
final class FakeTransport: ProviderTransport {
    enum Step: Sendable {
        case answer(Int, String, [String: String] = [:])
        case fault(ProviderFault)
    }

    private struct State {
        var steps: [Step]
        var requests: [ProviderHTTPRequest] = []
    }

    private let state: Mutex<State>

    init(_ steps: [Step]) { state = Mutex(State(steps: steps)) }

    var requests: [ProviderHTTPRequest] { state.withLock { $0.requests } }
    var left: Int { state.withLock { $0.steps.count } }

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let step: Step? = state.withLock { state in
            state.requests.append(request)
            return state.steps.isEmpty ? nil : state.steps.removeFirst()
        }
        switch step {
        case .answer(let status, let body, let headers):
            return ProviderHTTPAnswer(
                status: status, headers: headers.map { ($0.key, $0.value) }, body: Array(body.utf8))
        case .fault(let fault): throw fault
        case nil: throw .unusable("the script is over")
        }
    }
}

extension ProviderHTTPRequest {
    var text: String { String(decoding: body, as: UTF8.self) }
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// A connector over a script, with a clock that stands still and waits that are only noted.
struct StripeWorld {
    static let now = Instant(seconds: 1_900_000_000)
    let transport: FakeTransport
    let clock = ManualClock(StripeWorld.now)
    let waits = Waits()
    let adapter: StripeAdapter

    final class Waits: Sendable {
        private let all = Mutex<[Duration]>([])
        var list: [Duration] { all.withLock { $0 } }
        func add(_ wait: Duration) { all.withLock { $0.append(wait) } }
    }

    init(_ steps: FakeTransport.Step..., multipleCapture: Bool = false) {
        self.init(steps: steps, multipleCapture: multipleCapture)
    }

    init(steps: [FakeTransport.Step], multipleCapture: Bool = false) {
        transport = FakeTransport(steps)
        let waits: Waits = waits
        var retries = ProviderRetryPolicy()
        retries.sleep = { waits.add($0) }
        retries.draw = { $0.upperBound }
        let configuration = StripeConfiguration(
            baseURL: "https://api.test", secretKey: Secret("sk_test_\(String(repeating: "x", count: 12))"),
            returnURL: "https://pay.test/back/", multipleCapture: multipleCapture, retries: retries,
            clock: clock)
        adapter = StripeAdapter(configuration: configuration, transport: transport)
    }

    var methods: [String] { transport.requests.map(\.method) }
    var paths: [String] {
        transport.requests.map { request in
            let path: Substring = request.url.dropFirst("https://api.test".count)
            return String(path.split(separator: "?")[0])
        }
    }
}

func request(
    _ attempt: AttemptID = .made(at: StripeWorld.now), minor: Int64 = 1_999, currency: Currency = .usd,
    token: String = "pm_card_visa", capture: Bool = true, initiation: ChargeRequest.Initiation = .customer
) -> ChargeRequest {
    ChargeRequest(
        idempotencyKey: attempt, paymentID: .made(at: StripeWorld.now),
        source: .stored(token: token, providerCustomer: "cus_1"), amount: Money(minor: minor, currency: currency),
        capture: capture, initiation: initiation)
}

/// A PaymentIntent's JSON.
func intent(
    _ status: String, for request: ChargeRequest, id: String = "pi_1", amount: Int64 = 1_999, received: Int64? = nil,
    capturable: Int64? = nil, currency: String = "usd", attempt: String? = nil, capture: String? = nil,
    more: [(String, JSONValue)] = []
) -> JSONValue {
    var metadata = [
        JSONMember(name: "attempt_id", value: .string(attempt ?? request.idempotencyKey.rawValue))
    ]
    if let capture { metadata.append(JSONMember(name: "capture_id", value: .string(capture))) }
    let members: [(String, JSONValue)] = [
        ("id", .string(id)), ("object", "payment_intent"), ("status", .string(status)),
        ("amount", .number("\(amount)")), ("currency", .string(currency)),
        ("amount_received", .number("\(received ?? (status == "succeeded" ? amount : 0))")),
        ("amount_capturable", .number("\(capturable ?? (status == "requires_capture" ? amount : 0))")),
        ("metadata", .object(metadata)),
    ]
    return .object((members + more).map { JSONMember(name: $0.0, value: $0.1) })
}

/// Stripe's error object.
func refusal(
    _ type: String, code: String? = nil, decline: String? = nil, intent: JSONValue? = nil, more: [JSONMember] = []
) -> String {
    var members: [JSONMember] = [JSONMember(name: "type", value: .string(type))]
    if let code { members.append(JSONMember(name: "code", value: .string(code))) }
    if let decline { members.append(JSONMember(name: "decline_code", value: .string(decline))) }
    if let intent { members.append(JSONMember(name: "payment_intent", value: intent)) }
    return JSONValue.object([JSONMember(name: "error", value: .object(members + more))]).description
}

/// A page of a search.
func searchResult(_ intents: JSONValue...) -> String {
    JSONValue.object([
        JSONMember(name: "object", value: "search_result"), JSONMember(name: "data", value: .array(intents)),
        JSONMember(name: "has_more", value: false),
    ]).description
}
