import Foundation
import FoundationNetworking
import HTTPKit
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PaymentLinks
import PaymentService
import ServiceKit
import Testing

@Suite("Apple's merchant validation") struct AppleMerchantTests {
    private static func client(
        _ pair: TestPair, trusting roots: TestPair = .gateway, timeout: Duration = .seconds(10)
    ) throws -> AppleMerchantClient {
        try AppleMerchantClient(
            identifier: "merchant.example", certificate: pair.certificate, key: pair.key, roots: roots.certificate,
            timeout: timeout)
    }

    /// What a client is told, its connections closed.
    private static func session(
        of client: AppleMerchantClient, at port: Int
    ) async throws -> Result<JSONValue, any Error> {
        let result: Result<JSONValue, any Error>
        do {
            result = .success(
                try await client.session(
                    at: "https://localhost:\(port)/paymentservices/startSession", domain: "pay.example",
                    displayName: "Nord"))
        } catch { result = .failure(error) }
        try await client.shutdown()
        return result
    }

    @Test("the merchant shows its certificate, says who and where it is, and hands the session on unread")
    func mutual() async throws {
        try await Self.withGateway(status: .ok) { port in
            let session: JSONValue = try await Self.session(of: Self.client(.merchant), at: port).get()
            #expect(session["echo"]?["merchantIdentifier"] == "merchant.example")
            #expect(session["echo"]?["initiative"] == "web")
            #expect(session["echo"]?["initiativeContext"] == "pay.example")
            #expect(session["echo"]?["displayName"] == "Nord")
        }
    }

    @Test("another certificate, a gateway that is not Apple's, and a refusal give no session but a 502")
    func refused() async throws {
        func code(_ result: Result<JSONValue, any Error>) -> String? {
            guard case .failure(let error) = result else { return nil }
            return (error as? Problem).map { "\($0.status) \($0.code)" }
        }
        try await Self.withGateway(status: .ok) { port in
            let stranger = try await Self.session(of: Self.client(.gateway), at: port)
            #expect(code(stranger) == "502 apple_pay_unavailable")
            // It goes on trying for as long as it may; who took the gateway for Apple's would have a session long before.
            let wary = try Self.client(.merchant, trusting: .merchant, timeout: .seconds(1))
            let deceived = try await Self.session(of: wary, at: port)
            #expect(code(deceived) == "502 apple_pay_unavailable")
        }
        try await Self.withGateway(status: .unauthorized) { port in
            let refused = try await Self.session(of: Self.client(.merchant), at: port)
            #expect(code(refused) == "502 apple_pay_unavailable")
        }
        #expect(throws: (any Error).self) {
            try AppleMerchantClient(identifier: "m", certificate: "nothing", key: TestPair.merchant.key)
        }
    }

    @Test("a gateway that begins to answer and falls silent is given up", .timeLimit(.minutes(1))) func silent()
        async throws
    {
        try await Self.withGateway(status: .ok, isSilent: true) { port in
            let given = try await Self.session(of: Self.client(.merchant, timeout: .seconds(1)), at: port)
            #expect(throws: Problem.self) { try given.get() }
        }
    }

    /// A folder with files of these texts; the environment names them.
    private static func withFiles(
        _ texts: [String: String], _ more: [String: String] = [:], _ body: ([String: String]) throws -> Void
    ) throws {
        let folder: URL = FileManager.default.temporaryDirectory.appendingPathComponent("apple-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var environment: [String: String] = more
        for (name, text) in texts {
            let file: URL = folder.appendingPathComponent(name)
            try Data(text.utf8).write(to: file)
            environment[name] = file.path
        }
        try body(environment)
    }

    private static func faults(_ environment: [String: String]) -> [String] {
        do {
            _ = try AppleSettings(environment)
            return []
        } catch { return error.faults }
    }

    private static let certificate = "APPLE_PAY_IDENTITY_CERTIFICATE_PATH"
    private static let key = "APPLE_PAY_IDENTITY_KEY_PATH"
    private static let association = "APPLE_PAY_DOMAIN_ASSOCIATION_PATH"
    private static let whole: [String: String] = [
        certificate: TestPair.merchant.certificate, key: TestPair.merchant.key, association: "7B227073704964",
    ]
    private static let named: [String: String] = [
        "APPLE_PAY_MERCHANT_ID": "merchant.example", "APPLE_PAY_KEYS_PATH": "/keys.pem",
    ]

    @Test("Apple Pay is on pages with its certificate, key, keys and name, and off without any of them") func settings()
        async throws
    {
        let nothing = try AppleSettings([:])
        #expect(nothing.merchant == nil && nothing.association == nil)
        var merchant: AppleMerchantClient?
        try Self.withFiles(Self.whole, Self.named) { environment in
            let all = try AppleSettings(environment)
            merchant = all.merchant
            #expect(all.association == Array("7B227073704964".utf8))
        }
        #expect(merchant != nil)
        try await merchant?.shutdown()
        try Self.withFiles([Self.association: "x"]) { environment in
            let proof = try AppleSettings(environment)
            #expect(proof.merchant == nil && proof.association == [120], "a domain may be proved before")
        }
    }

    @Test("each setting of Apple Pay that is missing, malformed or another's is named") func malformed() throws {
        let pair = "\(Self.certificate) and \(Self.key) must name a certificate and its key in PEM"
        for missing in [Self.certificate, Self.key] {
            try Self.withFiles(Self.whole.filter { $0.key != missing }, Self.named) { environment in
                #expect(Self.faults(environment) == ["Apple Pay on payment pages needs \(missing)"])
            }
        }
        try Self.withFiles(Self.whole) { environment in
            #expect(
                Self.faults(environment) == [
                    "Apple Pay on payment pages needs APPLE_PAY_MERCHANT_ID",
                    "Apple Pay on payment pages needs APPLE_PAY_KEYS_PATH",
                ])
        }
        let wrong: [[String: String]] = [
            [Self.certificate: "nothing"], [Self.key: "nothing"], [Self.key: TestPair.gateway.key],
            [Self.certificate: TestPair.gateway.certificate],
        ]
        for texts in wrong {
            try Self.withFiles(Self.whole.merging(texts) { $1 }, Self.named) { environment in
                #expect(Self.faults(environment) == [pair], "\(texts.keys)")
            }
        }
        for name in ["merchant example", "m\u{E9}", String(repeating: "m", count: 256)] {
            try Self.withFiles(Self.whole, Self.named.merging(["APPLE_PAY_MERCHANT_ID": name]) { $1 }) { environment in
                #expect(
                    Self.faults(environment)
                        == ["APPLE_PAY_MERCHANT_ID must be 1 to 255 visible characters, such as merchant.com.example"])
            }
        }
        for text in ["", String(repeating: "7", count: 65_537)] {
            try Self.withFiles(Self.whole.merging([Self.association: text]) { $1 }, Self.named) { environment in
                #expect(Self.faults(environment) == ["\(Self.association) must name a file of 1 to 65536 bytes"])
            }
        }
        let lost: [String: String] = [Self.certificate: "/no/c", Self.key: "/no/k", Self.association: "/no/a"]
        #expect(
            Self.faults(lost.merging(Self.named) { $1 })
                == [Self.certificate, Self.key, Self.association].map { "\($0) names a file that cannot be read" })
    }

    @Test("the domain's proof is served where Apple looks, and not without being configured") func association()
        async throws
    {
        let path = "/.well-known/apple-developer-merchantid-domain-association"
        try await withPayments { world in
            try await world.serving(association: Array("7B22".utf8)) { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(answer.status == 200 && answer.text == "7B22")
                #expect(answer.headers.value(forHTTPHeaderField: "Content-Type") == "text/plain")
            }
            try await world.serving { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(answer.status == 404)
            }
        }
    }

    /// A gateway that talks to the merchant's certificate only, and answers with what it was told.
    /// - Parameter isSilent: Whether nothing follows on the answer's head.
    private static func withGateway(
        status: HTTPResponseStatus, isSilent: Bool = false, _ body: (Int) async throws -> Void
    ) async throws {
        var tls: TLSConfiguration = .makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(TestPair.gateway.certificate.utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(TestPair.gateway.key.utf8), format: .pem)))
        tls.certificateVerification = .noHostnameVerification
        tls.trustRoots = .certificates(
            try NIOSSLCertificate.fromPEMBytes(Array(TestPair.merchant.certificate.utf8)))
        let context = try NIOSSLContext(configuration: tls)
        let server: any Channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    // Without help for pipelining, which reads nothing while an answer is open: not even a TLS goodbye.
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
                    try channel.pipeline.syncOperations.addHandler(Echo(status: status, isSilent: isSilent))
                }
            }.bind(host: "localhost", port: 0).get()
        let result: Result<Void, any Error>
        do { result = .success(try await body(server.localAddress?.port ?? 0)) } catch { result = .failure(error) }
        try await server.close()
        try result.get()
    }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let status: HTTPResponseStatus
        private let isSilent: Bool
        private var body = ByteBuffer()

        init(status: HTTPResponseStatus, isSilent: Bool) {
            self.status = status
            self.isSilent = isSilent
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head: body.clear()
            case .body(var part): body.writeBuffer(&part)
            case .end:
                let answer = ByteBuffer(string: "{\"echo\":\(String(buffer: body))}")
                let head = HTTPResponseHead(
                    version: .http1_1, status: status, headers: ["Content-Length": "\(answer.readableBytes)"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                guard !isSilent else { return context.flush() }
                context.write(wrapOutboundOut(.body(.byteBuffer(answer))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}

/// A self-signed certificate with its key, made for these tests and used nowhere else.
private struct TestPair: Sendable {
    let certificate: String
    let key: String

    /// Of `localhost`.
    static let gateway = TestPair(
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBljCCATugAwIBAgIUM1dHCuE4ENtaNBmn6JMWf+ZNS8YwCgYIKoZIzj0EAwIw
            FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjIwMTcwMFoYDzIxMjYxMTAy
            MjAxNzAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
            PQMBBwNCAATGKm83xebgdAEZ7saekMZTm7kPD4Se6xu2KmXXIsqNs3fKmFgHolV2
            ZrZzvFvWTcFG8sLQbbEDBvL2mCHqz16wo2kwZzAdBgNVHQ4EFgQUxIpnBySoms2R
            KovR8rSFAFy4w7swHwYDVR0jBBgwFoAUxIpnBySoms2RKovR8rSFAFy4w7swDwYD
            VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
            SQAwRgIhAJEprJBWNrIK0BPK8+ynknUBHCxXQgCDx0JFaMZTfnF1AiEA3JGblB4H
            dIE2gFBLyk1AM9QJlkSpL/+TACLPrIjzFrw=
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN EC PRIVATE KEY-----
            MHcCAQEEIAON7JbbshnoGcN3B8Sk1OXyl1M7AKU7URz0aBd/ktXfoAoGCCqGSM49
            AwEHoUQDQgAExipvN8Xm4HQBGe7GnpDGU5u5Dw+Enusbtipl1yLKjbN3yphYB6JV
            dma2c7xb1k3BRvLC0G2xAwby9pgh6s9esA==
            -----END EC PRIVATE KEY-----
            """)

    /// Of a merchant.
    static let merchant = TestPair(
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBjTCCATOgAwIBAgIUcFbFCJE+2wXcT+x61QgELaMzwD0wCgYIKoZIzj0EAwIw
            GzEZMBcGA1UEAwwQbWVyY2hhbnQuZXhhbXBsZTAgFw0yNjExMjYyMDE3MDBaGA8y
            MTI2MTEwMjIwMTcwMFowGzEZMBcGA1UEAwwQbWVyY2hhbnQuZXhhbXBsZTBZMBMG
            ByqGSM49AgEGCCqGSM49AwEHA0IABPW5yjgkjDUxKjZzoiU1jAlVJw8foKWjS88V
            CwKG7BDXuXTBJp0AfRSZLqvApX9SPXGdA8u2Xy4bcvmNWI6tZvOjUzBRMB0GA1Ud
            DgQWBBTiuPkPrMTjtIXXCG2foh8QKmzUTjAfBgNVHSMEGDAWgBTiuPkPrMTjtIXX
            CG2foh8QKmzUTjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDZ
            c8OzterGgm9AShYLzFjowxjl/tr50+VFLiM3a16y7gIgFw+ArXVH3o0Vr3KYbvgk
            bKJIWIaE7CC/t7h2OyvFUCA=
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN EC PRIVATE KEY-----
            MHcCAQEEIEGggJ5PFSXaf3RBSynqXnyutuQmBZUcTQ6L+7rqM9FBoAoGCCqGSM49
            AwEHoUQDQgAE9bnKOCSMNTEqNnOiJTWMCVUnDx+gpaNLzxULAobsENe5dMEmnQB9
            FJkuq8Clf1I9cZ0Dy7ZfLhty+Y1Yjq1m8w==
            -----END EC PRIVATE KEY-----
            """)
}
