import BillingCore
import Crypto
import CryptoExtras
import Foundation
import HTTPKit
import JSON
import JWTKit
import NIOHTTP1
import Synchronization
import Testing

/// The claims of the tests' tokens.
struct Claims: JWTPayload {
    var iss: String? = "https://issuer.test/"
    var sub: String? = "robot"
    var aud: [String]? = ["other", "refrain"]
    var exp: Double?
    var nbf: Double?
    var scope: String?
    var scp: [String]?

    func verify(using algorithm: some JWTAlgorithm) {}
}

/// An issuer with a key of each kind and a key-set file.
struct Issuer {
    let keys = JWTKeyCollection()
    let file = NSTemporaryDirectory() + "jwks-\(UUID().uuidString).json"
    private var published: [JSONValue] = []

    /// The time that the tests' server believes in.
    static let now = 1_790_000_000.0

    mutating func addES256(_ id: String) async throws {
        let key = P256.Signing.PrivateKey()
        await keys.add(ecdsa: try ES256PrivateKey(pem: key.pemRepresentation), kid: JWKIdentifier(string: id))
        let point = [UInt8](key.publicKey.rawRepresentation)
        publish(["kty": "EC", "crv": "P-256", "kid": .string(id), "x": encode(point[..<32]), "y": encode(point[32...])])
    }

    mutating func addEdDSA(_ id: String) async throws {
        let key = Curve25519.Signing.PrivateKey()
        let secret = Data(key.rawRepresentation).base64EncodedString()
        await keys.add(eddsa: try EdDSA.PrivateKey(d: secret, curve: .ed25519), kid: JWKIdentifier(string: id))
        let x = encode([UInt8](key.publicKey.rawRepresentation)[...])
        publish(["kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": .string(id), "x": x])
    }

    mutating func addRS256(_ id: String) async throws {
        let made = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let key = try Insecure.RSA.PrivateKey(pem: made.pemRepresentation)
        await keys.add(rsa: key, digestAlgorithm: .sha256, kid: JWKIdentifier(string: id))
        await keys.add(rsa: key, digestAlgorithm: .sha512, kid: JWKIdentifier(string: id + "-512"))
        let parts = try key.publicKey.getKeyPrimitives()
        publish(
            [
                "kty": "RSA", "alg": "RS256", "kid": .string(id), "n": encode([UInt8](parts.modulus)[...]),
                "e": encode([UInt8](parts.publicExponent)[...]),
            ])
    }

    mutating func publish(_ entry: JSONValue) { published.append(entry) }

    func write() throws {
        let document: JSONValue = ["keys": .array(published)]
        try Data(document.serialized).write(to: URL(fileURLWithPath: file))
    }

    var set: JSONValue { .array(published) }

    func token(_ claims: Claims, _ id: String) async throws -> String {
        try await keys.sign(claims, kid: JWKIdentifier(string: id))
    }

    var configuration: TokenConfiguration {
        TokenConfiguration(
            issuer: "https://issuer.test/", audience: "refrain", keys: .file(file), minimumRefreshInterval: .zero)
    }

    private func encode(_ bytes: ArraySlice<UInt8>) -> JSONValue {
        .string(
            Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: ""))
    }
}

/// What an issuer publishes, with the number of times it was asked for.
final class PublishedKeys: Sendable {
    private let state: Mutex<(keys: JSONValue?, fetches: Int)>

    init(_ keys: JSONValue?) { state = Mutex((keys, 0)) }

    var fetches: Int { state.withLock { $0.fetches } }
    func replace(_ keys: JSONValue?) { state.withLock { $0.keys = keys } }

    func fetch() throws -> JSONValue {
        let keys = state.withLock { (state) -> JSONValue? in
            state.fetches += 1
            return state.keys
        }
        guard let keys else { throw Problem.unavailable() }
        return keys
    }
}

/// A key set as an answer.
struct KeySetAnswer: JSONOutput {
    let keys: JSONValue
    func write(to o: inout ObjectWriter) { o.field("keys", json: keys) }
    static var sample: Self { Self(keys: []) }
}

@Suite("JSON web tokens") struct TokenTests {
    static func good(_ scope: String = "widgets:read") -> Claims { Claims(exp: Issuer.now + 60, scope: scope) }

    static func status(_ world: World, _ token: String) async throws -> Int {
        try await world.send(.GET, "/v1/widgets", headers: [("Authorization", "Bearer \(token)")]).status
    }

    @Test("ES256, RS256 and EdDSA tokens are accepted, with scopes in either claim") func accepted() async throws {
        var issuer = Issuer()
        try await issuer.addES256("es")
        try await issuer.addRS256("rs")
        try await issuer.addEdDSA("ed")
        issuer.publish(["kty": "oct", "kid": "shared", "k": "AAAA"])
        issuer.publish(["kty": "EC", "crv": "P-999", "kid": "odd"])
        try issuer.write()
        let configuration = issuer.configuration
        try await withServer({ $0.tokens = configuration }) { world in
            for id in ["es", "rs", "ed"] {
                #expect(try await Self.status(world, try await issuer.token(Self.good(), id)) == 200, "\(id)")
                let scp = Claims(exp: Issuer.now + 60, scp: ["widgets:write", "widgets:read"])
                #expect(try await Self.status(world, try await issuer.token(scp, id)) == 200, "\(id)")
            }
            let several = try await issuer.token(Self.good("a:b widgets:read"), "es")
            #expect(try await Self.status(world, several) == 200)
            #expect(try await Self.status(world, try await issuer.token(Self.good("widgets:write"), "es")) == 403)
            #expect(try await Self.status(world, try await issuer.token(Claims(exp: Issuer.now + 60), "es")) == 403)
            #expect(try await Self.status(world, world.key) == 200)
        }
    }

    @Test("wrong issuer, audience, times and subjects are refused") func claims() async throws {
        var issuer = Issuer()
        try await issuer.addES256("es")
        try issuer.write()
        let configuration = issuer.configuration
        try await withServer({ $0.tokens = configuration }) { world in
            var table: [(Claims, Int)] = []
            func add(_ status: Int, _ change: (inout Claims) -> Void) {
                var claims = Self.good()
                change(&claims)
                table.append((claims, status))
            }
            add(401) { $0.iss = "https://issuer.test" }
            add(401) { $0.iss = nil }
            add(401) { $0.aud = ["other"] }
            add(401) { $0.aud = nil }
            add(401) { $0.sub = nil }
            add(401) { $0.sub = "" }
            add(401) { $0.exp = nil }
            add(401) { $0.exp = Issuer.now - 31 }
            add(200) { $0.exp = Issuer.now - 29 }
            add(401) { $0.nbf = Issuer.now + 31 }
            add(200) { $0.nbf = Issuer.now + 29 }
            add(200) { $0.exp = Issuer.now + 60.5 }
            for (claims, status) in table {
                let got = try await Self.status(world, try await issuer.token(claims, "es"))
                #expect(got == status, "\(claims)")
            }
        }
    }

    @Test("none, shared secrets, other algorithms, foreign keys and broken signatures are refused") func forged()
        async throws
    {
        var issuer = Issuer()
        try await issuer.addES256("es")
        try await issuer.addRS256("rs")
        try issuer.write()
        var stranger = Issuer()
        try await stranger.addES256("es")
        await issuer.keys.add(hmac: HMACKey(from: "secret"), digestAlgorithm: .sha256, kid: "rs-hmac")
        let configuration = issuer.configuration
        try await withServer({ $0.tokens = configuration }) { world in
            let good = try await issuer.token(Self.good(), "es")
            let parts = good.split(separator: ".").map(String.init)
            func base64(_ text: String) -> String {
                Data(text.utf8).base64EncodedString().replacingOccurrences(of: "=", with: "")
            }
            let foreign = try await stranger.token(Self.good(), "es")
            let sha512 = try await issuer.token(Self.good(), "rs-512")
            let hmac = try await issuer.token(Self.good(), "rs-hmac")
            let signature = String(parts[2].dropLast(2)) + (parts[2].hasSuffix("AA") ? "BB" : "AA")
            let tokens = [
                foreign, sha512, hmac, "\(parts[0]).\(parts[1]).\(signature)", "\(parts[0]).\(parts[1]).", "\(good).x",
                "\(base64(#"{"alg":"none","kid":"es"}"#)).\(parts[1]).",
                "\(base64(#"{"alg":"HS256","kid":"es"}"#)).\(parts[1]).\(parts[2])",
                "\(base64(#"{"alg":"RS256","kid":"es"}"#)).\(parts[1]).\(parts[2])",
                "\(base64(#"{"alg":"ES256","kid":"es","crit":["x"]}"#)).\(parts[1]).\(parts[2])",
                "\(base64(#"{"alg":"ES256","alg":"none","kid":"es"}"#)).\(parts[1]).\(parts[2])", "..", "a.b.c",
                "\(parts[0])..\(parts[2])",
            ]
            for token in tokens {
                #expect(try await Self.status(world, token) == 401, "\(token)")
            }
            #expect(try await Self.status(world, good) == 200)
        }
    }

    @Test("an address of keys that leads to another one gives none") func redirected() async throws {
        var issuer = Issuer()
        try await issuer.addES256("one")
        let published = PublishedKeys(issuer.set)
        let keySet = Endpoint.task(
            .get, "/jwks", scope: nil, summary: "Keys", body: NoInput.self, answers: KeySetAnswer.self, isInternal: true
        ) { _, _ in
            .ok(KeySetAnswer(keys: try published.fetch()))
        }
        let moved: Endpoint = .asset("/moved", summary: "Where the keys were") { _ in .seeOther("/jwks") }
        try await withServer(endpoints: [keySet, moved]) { keyServer in
            for (path, status) in [("/moved", 401), ("/jwks", 200)] {
                let configuration = TokenConfiguration(
                    issuer: "https://issuer.test/", audience: "refrain",
                    keys: .url("http://127.0.0.1:\(keyServer.port)\(path)"))
                let token: String = try await issuer.token(Self.good(), "one")
                try await withServer({ $0.tokens = configuration }) { world in
                    let seen: Int = try await Self.status(world, token)
                    #expect(seen == status)
                }
            }
            #expect(published.fetches == 1)
        }
    }

    @Test("keys are fetched from a URL, again for an unknown key id, and the old ones stay when that fails")
    func refresh() async throws {
        var issuer = Issuer()
        try await issuer.addES256("one")
        let published = PublishedKeys(issuer.set)
        let keySet = Endpoint.task(
            .get, "/jwks", scope: nil, summary: "Keys", body: NoInput.self, answers: KeySetAnswer.self, isInternal: true
        ) { _, _ in
            .ok(KeySetAnswer(keys: try published.fetch()))
        }
        try await withServer(endpoints: [keySet]) { keyServer in
            var configuration = TokenConfiguration(
                issuer: "https://issuer.test/", audience: "refrain",
                keys: .url("http://127.0.0.1:\(keyServer.port)/jwks"),
                minimumRefreshInterval: .seconds(600))
            let patient = configuration
            configuration.minimumRefreshInterval = .zero
            let eager = configuration
            let first = try await issuer.token(Self.good(), "one")
            try await withServer({ $0.tokens = patient }) { world in
                #expect(try await Self.status(world, first) == 200)
                let early = try await issuer.token(Self.good("x:y widgets:read"), "one")
                #expect(try await Self.status(world, early) == 200)
                #expect(published.fetches == 1)
                try await issuer.addES256("two")
                published.replace(issuer.set)
                // Too soon after the last fetch to believe that a new key has come.
                #expect(try await Self.status(world, try await issuer.token(Self.good(), "two")) == 401)
                #expect(published.fetches == 1)
            }
            try await withServer({ $0.tokens = eager }) { world in
                #expect(try await Self.status(world, first) == 200)
                let fetches = published.fetches
                try await issuer.addES256("three")
                published.replace(issuer.set)
                #expect(try await Self.status(world, try await issuer.token(Self.good(), "three")) == 200)
                #expect(published.fetches == fetches + 1)
                published.replace(nil)
                var stranger = Issuer()
                try await stranger.addES256("four")
                #expect(try await Self.status(world, try await stranger.token(Self.good(), "four")) == 401)
                #expect(published.fetches == fetches + 2)
                let old = try await issuer.token(Self.good("widgets:read a:b"), "one")
                #expect(try await Self.status(world, old) == 200)
            }
        }
    }
}
