import PaymentStripe
import PaymentContract
import Dispatch
import Glibc

/// HTTP/1.1 over one loopback connection per request, for tests against a double.
struct SocketTransport: ProviderTransport {
    let port: Int
    let limitMilliseconds: Int

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let result: Result<ProviderHTTPAnswer, ProviderFault> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                do throws(ProviderFault) {
                    continuation.resume(returning: .success(try exchange(request)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private func exchange(_ request: ProviderHTTPRequest) throws(ProviderFault) -> ProviderHTTPAnswer {
        let descriptor: Int32 = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw .notSent("no socket") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: limitMilliseconds / 1_000, tv_usec: limitMilliseconds % 1_000 * 1_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected: Int32 = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                connect(descriptor, raw, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw .notSent("no connection") }
        let bytes: [UInt8] = head(request) + request.body
        var sent = 0
        while sent < bytes.count {
            let count: Int = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .timedOut }
            sent += count
        }
        return try answer(descriptor)
    }

    private func head(_ request: ProviderHTTPRequest) -> [UInt8] {
        let path: Substring = request.url.dropFirst("http://127.0.0.1:\(port)".count)
        var lines: [String] = ["\(request.method) \(path) HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        lines += request.headers.map { "\($0.name): \($0.value)" }
        lines.append("Content-Length: \(request.body.count)")
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private func answer(_ descriptor: Int32) throws(ProviderFault) -> ProviderHTTPAnswer {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count: Int = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { throw .timedOut }
            if count == 0 { break }
            bytes += buffer.prefix(count)
        }
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw .timedOut }
        let lines: [Substring] = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.split(separator: " ")[1]) else { throw .timedOut }
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            let parts: [Substring] = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.append((String(parts[0]), String(parts[1].drop { $0 == " " })))
        }
        let body: [UInt8] = Array(bytes[end.upperBound...])
        let answer = ProviderHTTPAnswer(status: status, headers: headers, body: body)
        guard answer.header("content-length").flatMap(Int.init) == body.count else { throw .timedOut }
        return answer
    }
}
