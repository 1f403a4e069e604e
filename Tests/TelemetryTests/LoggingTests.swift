import Foundation
import Logging
import Synchronization
import Telemetry
import Testing

/// Keeps what a logger writes.
final class CapturedLines: Sendable {
    private let lines = Mutex<[String]>([])

    func logger(level: Logger.Level = .trace) -> Logger {
        let sink = LogSink { [self] (bytes: UnsafeRawBufferPointer) in
            let line = String(decoding: bytes, as: UTF8.self)
            lines.withLock { $0.append(line) }
        }
        return Logger(label: "test") { label in
            JSONLogHandler(service: "payment", label: label, level: level, sink: sink)
        }
    }

    var all: [String] { lines.withLock { $0 } }

    func object(_ index: Int = 0) throws -> [String: Any] {
        let line = try #require(all.dropFirst(index).first)
        return try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
}

@Suite("JSON log lines") struct LoggingTests {
    @Test("a record is one line of valid JSON with the fixed members first") func shape() throws {
        let lines = CapturedLines()
        lines.logger().info("paid \"in full\"\n\u{1}é😀", metadata: ["payment_id": "pay_1", "count": "\(3)"])
        let line = try #require(lines.all.first)
        #expect(lines.all.count == 1)
        #expect(line.hasSuffix("}\n"))
        #expect(line.dropLast().contains("\n") == false)
        #expect(line.hasPrefix("{\"time\":\"20"))
        let object = try lines.object()
        #expect(object["level"] as? String == "info")
        #expect(object["service"] as? String == "payment")
        #expect(object["logger"] as? String == "test")
        #expect(object["message"] as? String == "paid \"in full\"\n\u{1}é😀")
        #expect(object["payment_id"] as? String == "pay_1")
        let time = try #require(object["time"] as? String)
        #expect(time.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#) != nil)
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        #expect(abs(try format.parse(time).timeIntervalSinceNow) < 60)
    }

    @Test("records below the level are not written") func level() {
        let lines = CapturedLines()
        lines.logger(level: .warning).info("no")
        #expect(lines.all.isEmpty)
    }

    @Test("a file takes whole lines of many threads, is put aside at its limit, and goes on after a restart")
    func file() async throws {
        let directory: URL = FileManager.default.temporaryDirectory.appending(path: "refrain-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path: String = directory.appending(path: "payment.log").path
        let line = "0123456789abcdef\n"
        @Sendable func write(_ sink: LogSink, _ count: Int) {
            for _ in 0..<count { Array(line.utf8).withUnsafeBytes { sink.write($0) } }
        }
        let lines: (String) throws -> [Substring] = { name in
            try String(contentsOf: directory.appending(path: name), encoding: .utf8).split(separator: "\n")
        }
        let first = LogSink.file(path, limit: line.utf8.count * 100)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { write(first, 20) } }
        }
        #expect(try lines("payment.log") == Array(repeating: "0123456789abcdef", count: 80))
        // Another process appends to what is there.
        let second = LogSink.file(path, limit: line.utf8.count * 100)
        write(second, 30)
        #expect(try lines("payment.log.1").count == 100)
        #expect(try lines("payment.log").count == 10)
        let nowhere = LogSink.file(directory.appending(path: "missing/payment.log").path)
        write(nowhere, 1)
        #expect(!FileManager.default.fileExists(atPath: directory.appending(path: "missing").path))
    }

    @Test("the running trace is named in the line") func trace() throws {
        let lines = CapturedLines()
        let trace = TraceContext.new()
        TraceContext.$current.withValue(trace) { lines.logger().info("x", metadata: ["trace_id": "mine"]) }
        let object = try lines.object()
        #expect(object["trace_id"] as? String == trace.traceID)
        #expect(object["_trace_id"] as? String == "mine")
    }

    @Test("nested metadata stays nested and hidden fields are hidden at every depth") func nested() throws {
        let lines = CapturedLines()
        lines.logger().info(
            "x",
            metadata: [
                "request": ["path": "/v1", "authorization": "Basic abc", "deep": ["cvc": "123"]],
                "list": ["a", "4242 4242 4242 4242"], "card": ["number": "1"], "level": "clash",
            ])
        let object = try lines.object()
        let request = try #require(object["request"] as? [String: Any])
        #expect(request["path"] as? String == "/v1")
        #expect(request["authorization"] as? String == "<redacted>")
        #expect((request["deep"] as? [String: String]) == ["cvc": "<redacted>"])
        #expect(object["list"] as? [String] == ["a", "<redacted>"])
        #expect(object["card"] as? String == "<redacted>")
        #expect(object["_level"] as? String == "clash")
    }

    @Test("long texts are cut at whole characters, after redaction") func long() throws {
        let lines = CapturedLines()
        lines.logger().info("\(String(repeating: "é", count: 6_000))")
        lines.logger().info("\(String(repeating: "x", count: 8_180)) 4242424242424242")
        let message = try #require(try lines.object()["message"] as? String)
        #expect(message == String(repeating: "é", count: 4_096) + "…")
        #expect(lines.all[1].contains("4242") == false)
    }

    @Test("a secret prints nothing of itself") func secret() throws {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect("\(secret)" == "<redacted>")
        #expect(String(reflecting: secret) == "<redacted>")
        #expect(dumped.contains("hunter2") == false)
        #expect(secret.reveal() == "hunter2")
        let lines = CapturedLines()
        lines.logger().info("\(secret)", metadata: ["value": "\(secret)", "other": .stringConvertible(secret)])
        #expect(lines.all.joined().contains("hunter2") == false)
    }
}

@Suite("Redaction") struct RedactionTests {
    @Test(
        "fields that hold secrets are hidden by name",
        arguments: [
            "number", "cvc", "card", "secret", "password", "authorization", "token", "key", "Authorization",
            "client_secret", "card_number", "cardNumber", "api_key", "access_token", "private-key", "Set-Cookie",
        ])
    func hidden(_ name: String) {
        #expect(Redaction.hides(field: name))
    }

    @Test(
        "fields that only sound like secrets are shown",
        arguments: [
            "invoice_number", "key_id", "idempotency_key", "card_brand", "partition_key", "tokens", "count", "",
        ])
    func shown(_ name: String) {
        #expect(Redaction.hides(field: name) == false)
    }

    @Test(
        "values that look like cards, keys and tokens are removed",
        arguments: [
            ("4242424242424242", "<redacted>"),
            ("card 4242 4242 4242 4242.", "card <redacted>."),
            ("5555-5555-5555-4444", "<redacted>"),
            ("attempt 2 4242424242424242 failed", "attempt 2 <redacted> failed"),
            ("amex 378282246310005", "amex <redacted>"),
            ("x4242424242424242x", "x<redacted>x"),
            ("key sk_live_0123456789abcdef", "key <redacted>"),
            ("key sk_sandbox_abc-DEF_0123456789!", "key <redacted>!"),
            ("whsec_0123456789ab", "<redacted>"),
            ("Bearer abcdefghijk", "<redacted>"),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "<redacted>"),
        ])
    func cleaned(_ text: String, _ expected: String) {
        #expect(Redaction.clean(text) == expected)
    }

    @Test(
        "other values stay as they are",
        arguments: [
            "4242424242424241", "1753900000000000", "2027-01-31T00:00:00Z", "pay_01j9z3k5t7x9v1b3d5f7h9k1m3", "sk_",
            "task_force_of_twelve", "00000000000000000000000000000000", "héllo", "424242424242424242424242424242",
        ])
    func kept(_ text: String) {
        #expect(Redaction.clean(text) == text)
    }
}
