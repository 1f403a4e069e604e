import AsyncHTTPClient
import HTTPKit
import JSON
import NIOCore
import NIOHTTP1

/// Talks to the other services' internal routes. Only the sandbox's test clock does; no money path uses it.
public struct PeerClient: Sendable {
    /// A peer did not answer, or not with success.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Base URL by service name.
    let urls: [String: String]
    private let client: HTTPClient

    /// Makes a client on the process's shared connections.
    public init(urls: [String: String]) {
        self.urls = urls
        client = .shared
    }

    /// GETs JSON.
    func get(_ service: String, _ path: String) async throws -> JSONValue {
        try await send(HTTPClientRequest(url: try url(service, path)))
    }

    /// PUTs JSON.
    func put(_ service: String, _ path: String, _ body: String) async throws -> JSONValue {
        var request = HTTPClientRequest(url: try url(service, path))
        request.method = .PUT
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body))
        return try await send(request)
    }

    private func url(_ service: String, _ path: String) throws -> String {
        guard let base: String = urls[service] else { throw Failure(description: "no URL for \(service)") }
        return base + path
    }

    private func send(_ request: HTTPClientRequest) async throws -> JSONValue {
        let answer = try await client.exchange(request, upTo: 4 << 20, within: .seconds(10))
        guard (200..<300).contains(answer.head.status.code) else {
            throw Failure(description: "\(request.url) answered \(answer.head.status.code)")
        }
        return try parseJSON(Array(answer.body.readableBytesView))
    }
}
