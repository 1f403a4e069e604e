import CHiredis
import Glibc
import Telemetry
import Threads

/// The connection is of no use any more.
struct RedisConnectionLost: Error {
    let reason: String
    /// Whether it will not pass by itself: the password is wrong, or the database is not there.
    var isRefusal = false
}

/// A hiredis context; every call comes from the thread that made it. What is encrypted passes hiredis by on its way to
/// and from the socket.
final class RedisConnection {
    private let context: UnsafeMutablePointer<redisContext>
    private var tls: RedisTLS?
    /// What waits to be encrypted.
    private var output: [UInt8] = []
    private var isWritten = true

    /// Connects, logs in and chooses the database, blocking this thread for the connect timeout at most per step.
    init(_ configuration: RedisConfiguration) throws(RedisConnectionLost) {
        let milliseconds = Int(configuration.connectTimeout.wholeMilliseconds)
        let limit = timeval(tv_sec: milliseconds / 1_000, tv_usec: milliseconds % 1_000 * 1_000)
        guard let context = redisConnectWithTimeout(configuration.host, Int32(configuration.port), limit) else {
            throw RedisConnectionLost(reason: "no memory")
        }
        self.context = context
        do throws(RedisConnectionLost) {
            try check()
            redisSetTimeout(context, limit)
            redisEnableKeepAlive(context)
            if configuration.isEncrypted {
                tls = try RedisTLS(
                    descriptor: context.pointee.fd, host: configuration.host, roots: configuration.roots)
            }
            if let password = configuration.password {
                try command(["AUTH"] + (configuration.user.map { [$0] } ?? []) + [password.reveal()])
            }
            if configuration.database != 0 { try command(["SELECT", String(configuration.database)]) }
            // A port that something else listens on, or a server still loading its data, is no connection.
            try command(["PING"])
            let flags = fcntl(context.pointee.fd, F_GETFL)
            _ = fcntl(context.pointee.fd, F_SETFL, flags | O_NONBLOCK)
            context.pointee.flags &= ~REDIS_BLOCK
        } catch {
            close()
            throw error
        }
    }

    func close() {
        tls?.close()
        redisFree(context)
    }

    /// Something has not been taken by the socket yet.
    var hasOutput: Bool { !isWritten }

    func append(_ bytes: [UInt8]) {
        isWritten = false
        if tls != nil { return output.append(contentsOf: bytes) }
        bytes.withUnsafeBytes { raw in
            _ = redisAppendFormattedCommand(context, raw.bindMemory(to: CChar.self).baseAddress, raw.count)
        }
    }

    /// Writes as much as the socket takes; the rest waits until it takes more.
    func write() throws(RedisConnectionLost) {
        if let tls { return try write(tls) }
        var done: Int32 = 0
        guard redisBufferWrite(context, &done) == REDIS_OK else { throw lost() }
        isWritten = done != 0
    }

    private func write(_ tls: RedisTLS) throws(RedisConnectionLost) {
        var taken = 0
        defer { output.removeFirst(taken) }
        while taken < output.count {
            switch output.withUnsafeBytes({ tls.write(UnsafeRawBufferPointer(rebasing: $0[taken...])) }) {
            case .bytes(let count): taken += count
            case .wait: return
            case .lost(let error): throw error
            }
        }
        isWritten = true
    }

    /// Sleeps until there is something to read, room to write when that is wanted, a wake-up, or time is over.
    /// - Returns: Whether there is something to read, be it the end of the connection.
    func wait(wake: WakeSignal, timeout: Duration) -> Bool {
        let wanted = Int16(POLLIN) | (isWritten ? 0 : Int16(POLLOUT))
        var entries = [
            pollfd(fd: context.pointee.fd, events: wanted, revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&entries, 2, timeout.wholeMilliseconds) > 0 else { return false }
        if entries[1].revents != 0 { wake.clear() }
        return entries[0].revents & Int16(POLLIN | POLLERR | POLLHUP | POLLNVAL) != 0
    }

    /// Reads what has arrived.
    func read() throws(RedisConnectionLost) {
        if let tls {
            // To the end: what TLS has taken from the socket does not wake `poll` again.
            while try feed(tls) {}
            return
        }
        guard redisBufferRead(context) == REDIS_OK else { throw lost() }
    }

    /// Reads once what is encrypted.
    /// - Returns: Whether something was there.
    private func feed(_ tls: RedisTLS) throws(RedisConnectionLost) -> Bool {
        let progress: RedisTLS.Progress = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
            let progress: RedisTLS.Progress = tls.read(into: buffer)
            if case .bytes(let count) = progress {
                redisReaderFeed(context.pointee.reader, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), count)
            }
            return progress
        }
        switch progress {
        case .bytes: return true
        case .wait: return false
        case .lost(let error): throw error
        }
    }

    /// The next complete answer among what was read.
    func nextReply() throws(RedisConnectionLost) -> RedisReply? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(context.pointee.reader, &raw) == REDIS_OK else { throw lost() }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return RedisReply(raw.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private func lost() -> RedisConnectionLost {
        let reason = withUnsafeBytes(of: context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RedisConnectionLost(reason: reason)
    }

    private func check() throws(RedisConnectionLost) { if context.pointee.err != 0 { throw lost() } }

    /// Sends a command and waits for its answer, while the connection is being set up and the socket blocks.
    private func command(_ command: [String]) throws(RedisConnectionLost) {
        var bytes: [UInt8] = []
        bytes.append(command: command)
        append(bytes)
        while hasOutput {
            try write()
            if hasOutput, tls != nil { throw RedisConnectionLost(reason: "\(command[0]): not taken in time") }
        }
        while true {
            if let reply: RedisReply = try nextReply() {
                guard case .error(let reason) = reply else { return }
                throw RedisConnectionLost(reason: "\(command[0]): \(reason)", isRefusal: command[0] != "PING")
            }
            guard let tls else {
                try read()
                continue
            }
            guard try feed(tls) else { throw RedisConnectionLost(reason: "\(command[0]): no answer in time") }
        }
    }
}

extension RedisReply {
    /// Copies an answer out of hiredis' memory.
    fileprivate init(_ reply: redisReply) {
        var text: String {
            let count = reply.str == nil ? 0 : Int(reply.len)
            return String(decoding: UnsafeRawBufferPointer(start: reply.str, count: count), as: UTF8.self)
        }
        switch reply.type {
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: self = .string(text)
        case REDIS_REPLY_ERROR: self = .error(text)
        case REDIS_REPLY_ARRAY:
            self = .array((0..<Int(reply.elements)).compactMap { reply.element[$0].map { RedisReply($0.pointee) } })
        default: self = .null
        }
    }
}
