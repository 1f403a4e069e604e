import AsyncHTTPClient
import HTTPKit
import NIOCore
import NIOHTTP1
import NIOPosix
package import PaymentContract

/// The way out to providers: TLS with the system's roots, one pool of connections, a time limit, no redirects.
package struct ProviderHTTP: ProviderTransport {
    /// One for the process.
    package static let shared = ProviderHTTP(timeout: .seconds(30))

    /// One for the process; its connections end with it.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
    private let timeout: Duration

    /// A way out over the connections that all share.
    /// - Parameter timeout: How long a request and its whole answer may take; one that has a limit of its own, not longer
    ///   than that.
    package init(timeout: Duration) { self.timeout = timeout }

    package func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        var sent = HTTPClientRequest(url: request.url)
        sent.method = HTTPMethod(rawValue: request.method)
        for header in request.headers { sent.headers.add(name: header.name, value: header.value) }
        if !request.body.isEmpty { sent.body = .bytes(ByteBuffer(bytes: request.body)) }
        do {
            let (head, body): (HTTPClientResponse, ByteBuffer) = try await Self.client.exchange(
                sent, upTo: request.maxAnswerBytes, within: min(timeout, request.limit ?? timeout))
            return ProviderHTTPAnswer(
                status: Int(head.status.code), headers: head.headers.map { (name: $0.name, value: $0.value) },
                body: Array(body.readableBytesView))
        } catch is NIOConnectionError {
            throw .notSent("no connection")
        } catch let error as HTTPClientError where error == .connectTimeout || error == .invalidURL {
            throw .notSent("\(error)")
        } catch is NIOTooManyBytesError {
            throw .tooLong(request.maxAnswerBytes)
        } catch {
            throw .timedOut
        }
    }
}

/// The way out of a connector whose client repeats what has no answer: each try is given up early enough for the next one to
/// fall into the same call, see ``ProviderRetryPolicy``. What a connector sends is a read, goes under a key, or is the same
/// when it happens twice.
package struct RepeatedTries: ProviderTransport {
    private let transport: any ProviderTransport
    private let limit: Duration

    /// - Parameter limit: How long a try and its whole answer may take.
    package init(over transport: any ProviderTransport, limit: Duration) {
        self.transport = transport
        self.limit = limit
    }

    /// A try ends with half of the time of a whole call, and not before five seconds: a bank may take long, and while the
    /// provider is still about the first try it refuses the next.
    package init(over transport: any ProviderTransport, callLimit: Duration) {
        self.init(over: transport, limit: max(callLimit / 2, .seconds(5)))
    }

    package func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        var tried: ProviderHTTPRequest = request
        tried.limit = limit
        return try await transport.send(tried)
    }
}
