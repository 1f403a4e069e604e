import Foundation
import Redis
import TestKit
import Testing

@Suite("Redis over TLS") struct RedisTLSTests {
    /// A certificate that vouches for itself, in a folder that goes with it.
    final class Certificate {
        let folder: URL = FileManager.default.temporaryDirectory.appendingPathComponent("redis-tls-\(UUID())")
        var files: (chain: String, key: String) { (folder.path + "/chain.pem", folder.path + "/key.pem") }

        init(for names: String) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let openssl = Process()
            openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            openssl.arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=cache", "-addext", "subjectAltName=\(names)", "-keyout", files.key, "-out", files.chain,
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
            guard openssl.terminationStatus == 0 else { throw MissingInfrastructure("openssl made no certificate") }
        }

        deinit { try? FileManager.default.removeItem(at: folder) }
    }

    @Test("commands, large values and many callers pass, and a restart is survived") func passes() async throws {
        let certificate = try Certificate(for: "DNS:localhost,IP:127.0.0.1")
        let server = try OwnRedis(password: "correct horse", certificate: certificate.files)
        try await server.start()
        for host in ["127.0.0.1", "localhost"] {
            var configuration: RedisConfiguration = server.configuration
            configuration.host = host
            let redis = RedisClient(configuration)
            // More than a record, a socket's buffer and one read hold.
            let large = String(repeating: "0123456789abcdef", count: 250_000)
            _ = try await redis.send(["SET", "large", large], timeout: .seconds(10))
            #expect(try await redis.send(["GET", "large"], timeout: .seconds(10)).string == large)
            // What joins the queue while a part of it waits for the socket moves that part in memory.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        _ = try await redis.send(["SET", "large \(number)", large], timeout: .seconds(20))
                    }
                }
                try await group.waitForAll()
            }
            try await withThrowingTaskGroup(of: (Int, RedisReply).self) { group in
                for number in 0..<300 {
                    group.addTask { (number, try await redis.send(["ECHO", "\(number)"], timeout: .seconds(5))) }
                }
                for try await (number, reply) in group { #expect(reply.string == "\(number)") }
            }
            await redis.shutdown()
        }
        let redis = RedisClient(server.configuration)
        _ = try await redis.send(["SET", "k", "v"], timeout: .seconds(1))
        server.kill()
        await #expect(throws: RedisError.self) { try await redis.send(["GET", "k"], timeout: .seconds(1)) }
        try await server.start()
        try await eventually(within: .seconds(5), "connected again") { redis.isConnected }
        #expect(try await redis.send(["GET", "k"], timeout: .seconds(1)) == .null)
        await redis.shutdown()
    }

    @Test(
        "a server that is not who was asked for is no server",
        arguments: ["unknown issuer", "another name", "no TLS", "TLS where none is wanted"])
    func refuses(case what: String) async throws {
        let names: String = what == "another name" ? "IP:127.0.0.1" : "DNS:localhost,IP:127.0.0.1"
        let certificate = try Certificate(for: names)
        let server = try OwnRedis(certificate: what == "no TLS" ? nil : certificate.files)
        // Who asks rightly is answered.
        try await server.start()
        var configuration: RedisConfiguration = server.configuration
        switch what {
        case "unknown issuer": configuration.roots = nil
        case "another name": configuration.host = "localhost"
        case "no TLS": configuration.isEncrypted = true
        default: configuration.isEncrypted = false
        }
        let redis = RedisClient(configuration)
        await #expect(throws: RedisError.unavailable) { try await redis.send(["PING"], timeout: .seconds(5)) }
        #expect(!redis.isConnected)
        await redis.shutdown()
    }
}
