import AsyncHTTPClient
import FoundationEssentials
import JSON
import JWTKit
import Logging
import NIOCore
import NIOHTTP1

/// An issuer's public keys, kept for a while and fetched again when they are old or a token names an unknown one.
actor TokenKeySet {
    private struct Slot: Hashable {
        let keyID: String
        let algorithm: String
    }

    private let configuration: TokenConfiguration
    private let logger: Logger
    private var keys: [Slot: any JWTAlgorithm] = [:]
    private var attemptedAt: ContinuousClock.Instant?
    private var running: Task<Void, Never>?

    init(_ configuration: TokenConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// The key that a token names.
    /// - Parameter keyID: `nil` finds the only key of the algorithm, when there is just one.
    func key(_ keyID: String?, algorithm: String) async -> (any JWTAlgorithm)? {
        if isOld { await refresh() }
        if let key = find(keyID, algorithm) { return key }
        guard mayAskAgain else { return nil }
        await refresh()
        return find(keyID, algorithm)
    }

    private func find(_ keyID: String?, _ algorithm: String) -> (any JWTAlgorithm)? {
        if let keyID { return keys[Slot(keyID: keyID, algorithm: algorithm)] }
        let candidates = keys.filter { $0.key.algorithm == algorithm }
        return candidates.count == 1 ? candidates.first?.value : nil
    }

    private var isOld: Bool {
        guard let attemptedAt else { return true }
        let age = ContinuousClock.now - attemptedAt
        return age >= (keys.isEmpty ? configuration.minimumRefreshInterval : configuration.refreshInterval)
    }

    private var mayAskAgain: Bool {
        guard let attemptedAt else { return true }
        return ContinuousClock.now - attemptedAt >= configuration.minimumRefreshInterval
    }

    /// Fetches the keys once, however many requests wait for them. A failure keeps the old ones.
    private func refresh() async {
        if let running { return await running.value }
        let task = Task { await load() }
        running = task
        await task.value
        running = nil
    }

    private func load() async {
        attemptedAt = ContinuousClock.now
        do {
            let document = try parseJSON(try await fetch(), limits: JSONLimits(maxBytes: Self.maximumBytes))
            var loaded: [Slot: any JWTAlgorithm] = [:]
            for entry in document["keys"]?.arrayValue ?? [] {
                guard let (slot, key) = await Self.key(entry) else {
                    logger.debug("ignored a key of the token issuer's key set")
                    continue
                }
                loaded[slot] = key
            }
            keys = loaded
        } catch {
            logger.warning(
                "the token issuer's keys cannot be had; using those known before", metadata: ["error": "\(error)"])
        }
    }

    /// An issuer's address that leads elsewhere is not followed: whoever answers there would say which tokens are good, over
    /// plain HTTP even.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton, configuration: HTTPClient.Configuration(redirectConfiguration: .disallow))

    private func fetch() async throws -> [UInt8] {
        switch configuration.keys {
        case .file(let path):
            return Array(try Data(contentsOf: URL(filePath: path)))
        case .url(let url):
            let answer = try await Self.client.exchange(
                HTTPClientRequest(url: url), upTo: Self.maximumBytes, within: .seconds(5))
            guard answer.head.status == .ok else { throw FetchFailure.status(Int(answer.head.status.code)) }
            return Array(buffer: answer.body)
        }
    }

    private enum FetchFailure: Error {
        case status(Int)
    }

    private static let maximumBytes = 1 << 20

    /// One entry of a key set; `nil` for kinds, curves and uses that are not for us.
    private static func key(_ entry: JSONValue) async -> (Slot, any JWTAlgorithm)? {
        let algorithm: TokenAlgorithm
        let wire: JWK.Algorithm
        switch (entry["kty"]?.stringValue, entry["crv"]?.stringValue) {
        case ("RSA", _): (algorithm, wire) = (.rs256, .rs256)
        case ("EC", "P-256"): (algorithm, wire) = (.es256, .es256)
        case ("OKP", "Ed25519"): (algorithm, wire) = (.eddsa, .eddsa)
        default: return nil
        }
        guard entry["alg"] == nil || entry["alg"]?.stringValue == algorithm.rawValue,
            entry["use"] == nil || entry["use"]?.stringValue == "sig"
        else { return nil }
        do {
            var jwk = try JWK(json: entry.description)
            let keyID = jwk.keyIdentifier ?? JWKIdentifier(string: "")
            jwk.keyIdentifier = keyID
            jwk.algorithm = wire
            let collection = JWTKeyCollection()
            try await collection.add(jwk: jwk)
            let key = try await collection.getKey(for: keyID, alg: algorithm.rawValue)
            return (Slot(keyID: keyID.string, algorithm: algorithm.rawValue), key)
        } catch {
            // A key that cannot be read is as good as absent; the caller notes it.
            return nil
        }
    }
}
