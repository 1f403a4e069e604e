import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Synchronization
import Telemetry
import TestKit

/// A transport that answers from a script and keeps what it was sent. Tokens are handed out beside the script.
final class FakePayPal: ProviderTransport {
    /// What happens to one request.
    enum Step: Sendable {
        case answer(Int, JSONValue)
        case text(Int, String, [(name: String, value: String)])
        case fault(ProviderFault)

        static func text(_ status: Int, _ text: String = "") -> Step { .text(status, text, []) }
        static func refusal(_ status: Int, _ issue: String?, name: String = "UNPROCESSABLE_ENTITY") -> Step {
            let details: JSONValue = issue.map { [["issue": .string($0)]] } ?? []
            return .answer(status, ["name": .string(name), "message": "m", "debug_id": "d", "details": details])
        }
    }

    /// One request as it arrived.
    struct Sent: Sendable {
        let method: String
        let path: String
        let headers: [String: String]
        let body: [UInt8]

        /// `POST /v2/checkout/orders`.
        var line: String { "\(method) \(path)" }
        var json: JSONValue? { try? parseJSON(body) }
    }

    private struct State {
        var script: [Step]
        var tokens: [Step]
        var sent: [Sent] = []
        var tokenCount = 0
        var overrun = false
        var deadToken: String?
    }

    static let base = "http://paypal.test"
    private let state: Mutex<State>

    /// - Parameter tokens: What the first requests for a token get; later ones get a good token.
    init(_ script: [Step], tokens: [Step] = []) { state = Mutex(State(script: script, tokens: tokens)) }

    /// Lets PayPal forget a token: who still comes with it gets a 401 beside the script.
    func kill(token: String) { state.withLock { $0.deadToken = "Bearer " + token } }

    /// The requests other than those for tokens.
    var sent: [Sent] { state.withLock { $0.sent.filter { $0.path != "/v1/oauth2/token" } } }
    var tokenRequests: [Sent] { state.withLock { $0.sent.filter { $0.path == "/v1/oauth2/token" } } }
    var lines: [String] { sent.map(\.line) }
    /// Whether every step was used, and none was missing.
    var isOver: Bool { state.withLock { $0.script.isEmpty && !$0.overrun } }

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        // Others get their turn here, as they do on a network.
        await Task.yield()
        let path = String(request.url.dropFirst(Self.base.count))
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $0 + "," + $1 })
        let step: Step = state.withLock { state in
            state.sent.append(Sent(method: request.method, path: path, headers: headers, body: request.body))
            if path == "/v1/oauth2/token" { return Self.tokenStep(&state) }
            if let dead = state.deadToken, headers["Authorization"] == dead {
                return .answer(401, ["error": "invalid_token"])
            }
            guard !state.script.isEmpty else {
                state.overrun = true
                return .fault(.unusable("the script is over"))
            }
            return state.script.removeFirst()
        }
        switch step {
        case .answer(let status, let json):
            return ProviderHTTPAnswer(status: status, headers: [], body: json.serialized)
        case .text(let status, let text, let headers):
            return ProviderHTTPAnswer(status: status, headers: headers, body: Array(text.utf8))
        case .fault(let fault): throw fault
        }
    }

    private static func tokenStep(_ state: inout State) -> Step {
        state.tokenCount += 1
        return state.tokens.isEmpty ? token("T\(state.tokenCount)") : state.tokens.removeFirst()
    }

    static func token(_ text: String, life: Int64 = 32_400) -> Step {
        let life = JSONValue.number(String(life))
        return .answer(200, ["access_token": .string(text), "token_type": "Bearer", "expires_in": life])
    }
}

/// A connector with everything around it under the test's hand.
struct FakeWorld {
    let fake: FakePayPal
    let clock = ManualClock(Instant(seconds: 1_800_000_000))
    let waits = Waits()
    let adapter: PayPalAdapter

    /// The waits between repeats.
    final class Waits: Sendable {
        private let list = Mutex<[Duration]>([])
        var all: [Duration] { list.withLock { $0 } }
        func add(_ wait: Duration) { list.withLock { $0.append(wait) } }
    }

    init(
        _ script: [FakePayPal.Step], tokens: [FakePayPal.Step] = [], wallets: Set<Wallet> = [],
        retry: ProviderRetryPolicy = .payPal
    ) {
        fake = FakePayPal(script, tokens: tokens)
        var retry = retry
        retry.sleep = { [waits] in waits.add($0) }
        retry.draw = { $0.upperBound }
        let configuration = PayPalConfiguration(
            baseURL: FakePayPal.base, clientID: "client", clientSecret: Secret("s3cret"),
            returnURL: "https://pay.test/back/", wallets: wallets, retry: retry)
        let surroundings = PayPalSurroundings(transport: fake, clock: clock)
        adapter = PayPalAdapter(configuration: configuration, surroundings: surroundings)
    }
}

/// An id made at a chosen time; the shared generator only counts on.
func id<ID: TypedID>(_ type: ID.Type = ID.self, at instant: Instant = Instant(seconds: 1_800_000_000)) -> ID {
    let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
    var milliseconds = instant.microseconds / 1_000
    var digits: [Character] = []
    for _ in 0..<10 {
        digits.insert(alphabet[Int(milliseconds & 31)], at: 0)
        milliseconds >>= 5
    }
    return ID(unchecked: "\(ID.prefix)_" + String(digits) + "0000000000000007")
}
