import BillingCore
import Dispatch
import Glibc
import Synchronization
import TestKit

/// One HTTP message.
struct HTTPMessage: Sendable {
    /// The request line or the status line.
    let start: String
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    init?(_ bytes: [UInt8]) {
        guard let end = Self.endOfHead(bytes) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first else { return nil }
        start = String(first)
        headers = lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
        body = Array(bytes[(end + 4)...])
    }

    var path: String { String(start.split(separator: " ").dropFirst().first ?? "") }
    var status: Int { Int(start.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }

    static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (0...bytes.count - 4).first { bytes[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }
    }

    /// Whether the bytes hold the head and as much of a body as it announces.
    static func isWhole(_ bytes: [UInt8]) -> Bool {
        guard let end = endOfHead(bytes), let message = HTTPMessage(bytes) else { return false }
        let length = message.headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) }
        return bytes.count >= end + 4 + (length ?? 0)
    }
}

/// Sends one request to a port on loopback and reads the answer until the connection closes.
func exchange(
    _ port: Int, _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = [],
    timeoutSeconds: Int = 15
) async throws -> HTTPMessage {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    head += "Content-Length: \(body.count)\r\n\r\n"
    let request: [UInt8] = Array(head.utf8) + body
    let answer: [UInt8] = await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            continuation.resume(returning: Socket.exchange(port, request, timeoutSeconds: timeoutSeconds))
        }
    }
    guard HTTPMessage.isWhole(answer), let message = HTTPMessage(answer) else { throw NoAnswer(port: port, path: path) }
    return message
}

struct NoAnswer: Error {
    let port: Int
    let path: String
}

/// Listens on loopback and answers each request with what the handler says, status 200.
final class LoopbackServer: Sendable {
    let port: Int
    private let descriptor: Int32

    init(_ handler: @escaping @Sendable (HTTPMessage) -> [UInt8]) throws {
        let port = try ChildProcess.freePort()
        let descriptor = try Socket.listen(port)
        self.port = port
        self.descriptor = descriptor
        DispatchQueue(label: "loopback").async {
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                DispatchQueue.global().async { Socket.serve(client, handler) }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

enum Socket {
    static func listen(_ port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = withAddress(port) { bind(descriptor, $0, $1) }
        guard descriptor >= 0, bound == 0, Glibc.listen(descriptor, 64) == 0 else {
            throw MissingInfrastructure("cannot listen on \(port)")
        }
        return descriptor
    }

    static func exchange(_ port: Int, _ request: [UInt8], timeoutSeconds: Int) -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var time = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(port, { connect(descriptor, $0, $1) }) == 0 else { return [] }
        write(descriptor, request)
        return read(descriptor) { _ in false }
    }

    static func serve(_ client: Int32, _ handler: (HTTPMessage) -> [UInt8]) {
        defer { close(client) }
        guard let request = HTTPMessage(read(client, until: HTTPMessage.isWhole)) else { return }
        let body = handler(request)
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
        write(client, Array(head.utf8) + body)
    }

    private static func read(_ descriptor: Int32, until isDone: ([UInt8]) -> Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while !isDone(bytes) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }

    private static func write(_ descriptor: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Form encoding (WHATWG URL, application/x-www-form-urlencoded).
enum Form {
    static func encode(_ fields: [(String, String)]) -> [UInt8] {
        Array(fields.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&").utf8)
    }

    static func decode(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[plain(parts[0])] = parts.count > 1 ? plain(parts[1]) : ""
        }
        return fields
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            return isPlain ? String(Unicode.Scalar(byte)) : (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
        }.joined()
    }

    private static func plain(_ text: Substring) -> String {
        let bytes: [UInt8] = Array(text.utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                out.append(value)
                index += 3
            } else {
                out.append(bytes[index] == UInt8(ascii: "+") ? 0x20 : bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// A double, started for the length of a test.
final class Peer: Sendable {
    let port: Int
    private let process: ChildProcess

    /// Starts `file` of the folder that `PEERS` names, and waits until it answers.
    init(_ file: String, ready path: String) async throws {
        let folder = try testSetting("PEERS")
        port = try ChildProcess.freePort()
        process = ChildProcess(["python3", "\(folder)/\(file)", "--port", String(port)])
        try process.start()
        let port = port
        try await eventually(within: .seconds(40), "\(file) answers") {
            do {
                return try await exchange(port, "GET", path, timeoutSeconds: 2).status == 200
            } catch {
                return false
            }
        }
    }

    deinit { process.kill() }
}

/// Waits until the certificate that the double of PayPal has made as an expired one has expired: it is valid for the
/// second in which the double started.
func expiredCertificateExpires() async throws {
    let started: Int64 = SystemClock().now.seconds
    try await eventually(within: .seconds(2), "the next second") { SystemClock().now.seconds > started }
}
