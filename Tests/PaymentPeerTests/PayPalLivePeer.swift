import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import Telemetry
import TestKit

/// The double of PayPal as a process of its own, and the way to it: one connection per request.
final class LivePeer: Sendable {
    private let process: ChildProcess
    let base: String
    private let port: Int

    init() async throws {
        let folder: String = try testSetting("PEERS")
        port = try ChildProcess.freePort()
        base = "http://127.0.0.1:\(port)"
        let program: String = folder + "/paypal-mock/paypal_mock.py"
        process = ChildProcess(["python3", program, "--port", String(port), "--strict"])
        try process.start()
        try await eventually(within: .seconds(60), "the double answers") {
            (try? await self.control("requests")) != nil
        }
    }

    func stop() { process.kill() }

    /// Reads or, with a body, sets something under `/_mock/`.
    @discardableResult
    func control(_ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let request = ProviderHTTPRequest(
            method: body == nil ? "GET" : "POST", url: base + "/_mock/" + path, headers: [],
            body: body?.serialized ?? [])
        let transport = SocketTransport(port: port, limitMilliseconds: 20_000)
        let answer: ProviderHTTPAnswer = try await transport.send(request)
        guard answer.status == 200 else { throw MissingInfrastructure("_mock/\(path): \(answer.status)") }
        return try parseJSON(
            answer.body, limits: JSONLimits(maxBytes: 1 << 28, maxMembers: 1 << 20, maxValues: 1 << 26))
    }

    /// A connector to the double whose repeats wait for nothing.
    func adapter(limitMilliseconds: Int = 250) -> PayPalAdapter {
        var retry = ProviderRetryPolicy.payPal
        retry.sleep = { _ in await Task.yield() }
        let configuration = PayPalConfiguration(
            baseURL: base, clientID: "mock-client-id", clientSecret: Secret("mock-client-secret"),
            returnURL: "https://pay.test/back/", retry: retry)
        let surroundings = PayPalSurroundings(
            transport: SocketTransport(port: port, limitMilliseconds: limitMilliseconds), clock: SystemClock())
        return PayPalAdapter(configuration: configuration, surroundings: surroundings)
    }
}

func money(_ minor: Int64, _ code: String = "USD") -> Money {
    guard let currency = Currency(code) else { preconditionFailure("no currency \(code)") }
    return Money(minor: minor, currency: currency)
}
