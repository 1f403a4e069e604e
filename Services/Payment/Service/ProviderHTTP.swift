import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
package import PaymentContract
import PaymentCrypto

/// The way out to providers: TLS with the system's roots, one pool of connections, a time limit, no redirects.
package struct ProviderHTTP: LongAnswerTransport {
    /// The longest answer that is read where nothing else is said.
    static let maxAnswerBytes = 4 << 20
    static let timeoutSeconds: Int64 = 30
    /// One for the process; its connections end with it.
    package static let shared = ProviderHTTP()

    private let client: HTTPClient

    private init() {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        try await send(request, upTo: Self.maxAnswerBytes)
    }

    package func send(
        _ request: ProviderHTTPRequest, upTo maxAnswerBytes: Int
    ) async throws(ProviderFault) -> ProviderHTTPAnswer {
        var sent = HTTPClientRequest(url: request.url)
        sent.method = HTTPMethod(rawValue: request.method)
        for header in request.headers { sent.headers.add(name: header.name, value: header.value) }
        if !request.body.isEmpty { sent.body = .bytes(ByteBuffer(bytes: request.body)) }
        do {
            let answer: HTTPClientResponse = try await client.execute(sent, timeout: .seconds(Self.timeoutSeconds))
            let body: ByteBuffer = try await answer.body.collect(upTo: maxAnswerBytes)
            return ProviderHTTPAnswer(
                status: Int(answer.status.code), headers: answer.headers.map { (name: $0.name, value: $0.value) },
                body: Array(body.readableBytesView))
        } catch is NIOConnectionError {
            throw .notSent("no connection")
        } catch let error as HTTPClientError where error == .connectTimeout || error == .invalidURL {
            throw .notSent("\(error)")
        } catch is NIOTooManyBytesError {
            throw .unusable("an answer of more than \(maxAnswerBytes) bytes")
        } catch {
            throw .timedOut
        }
    }
}
