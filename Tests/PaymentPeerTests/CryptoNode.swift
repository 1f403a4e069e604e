import BillingCore
import Glibc
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Telemetry
import TestKit

/// A double of a chain's node, started for a test, spoken to as its payers and miners do.
final class CryptoNode: Sendable {
    let port: Int
    private let process: ChildProcess
    private let credentials: String?

    /// Starts it.
    /// - Parameter script: Below the folder of the doubles.
    /// - Throws: ``MissingInfrastructure``: `PEERS` names that folder, `PEERS_PYTHON` a Python with what they need.
    init(_ script: String, credentials: String?) async throws {
        port = try ChildProcess.freePort()
        self.credentials = credentials
        let path: String = try testSetting("PEERS") + "/crypto/" + script
        process = ChildProcess([try testSetting("PEERS_PYTHON"), path, "--port", "\(port)"])
        try process.start()
        for _ in 0..<1_500 {
            do {
                _ = try await send("web3_clientVersion", [])
                return
            } catch is NoSuchCall {
                return
            } catch {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        throw MissingInfrastructure("the double \(script) does not answer")
    }

    func stop() { process.kill() }

    var url: Secret { Secret("http://127.0.0.1:\(port)") }

    func transport(limitMilliseconds: Int = 5_000) -> NodeTransport {
        transport(through: SocketTransport(port: port, limitMilliseconds: limitMilliseconds))
    }

    /// The way to it that a test has put something into.
    func transport(through transport: any ProviderTransport) -> NodeTransport {
        NodeTransport(url: url, credentials: credentials.map { Secret($0) }, transport: transport)
    }

    /// The node refuses a call.
    struct NoSuchCall: Error { let text: String }

    /// Calls the node as a payer or a miner does.
    @discardableResult
    func send(_ method: String, _ parameters: [JSONValue]) async throws -> JSONValue {
        let question: JSONValue = ["jsonrpc": "2.0", "id": 1, "method": .string(method), "params": .array(parameters)]
        let answer: ChainAnswer = try await transport(limitMilliseconds: 60_000).post(question.serialized)
        let value: JSONValue = try parseJSON(answer.body, limits: JSONRPC.limits)
        if let error = value["error"], !error.isNull { throw NoSuchCall(text: error.serializedText) }
        return value["result"] ?? .null
    }
}

extension JSONValue {
    var serializedText: String { String(decoding: serialized, as: UTF8.self) }
}
