import CHiredis
import Glibc
import Threads

/// The connection is of no use any more.
struct RedisConnectionLost: Error {
    let reason: String
}

/// A hiredis context; every call comes from the thread that made it.
final class RedisConnection {
    private let context: UnsafeMutablePointer<redisContext>
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
            if let password = configuration.password {
                try command(["AUTH"] + (configuration.user.map { [$0] } ?? []) + [password])
            }
            if configuration.database != 0 { try command(["SELECT", String(configuration.database)]) }
            // A port that something else listens on, or a server still loading its data, is no connection.
            try command(["PING"])
            let flags = fcntl(context.pointee.fd, F_GETFL)
            _ = fcntl(context.pointee.fd, F_SETFL, flags | O_NONBLOCK)
            context.pointee.flags &= ~REDIS_BLOCK
        } catch {
            redisFree(context)
            throw error
        }
    }

    func close() { redisFree(context) }

    /// Something has not been taken by the socket yet.
    var hasOutput: Bool { !isWritten }

    func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { raw in
            _ = redisAppendFormattedCommand(context, raw.bindMemory(to: CChar.self).baseAddress, raw.count)
        }
        isWritten = false
    }

    /// Writes as much as the socket takes; the rest waits until it takes more.
    func write() throws(RedisConnectionLost) {
        var done: Int32 = 0
        guard redisBufferWrite(context, &done) == REDIS_OK else { throw lost() }
        isWritten = done != 0
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
        guard redisBufferRead(context) == REDIS_OK else { throw lost() }
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

    /// Sends a command and waits for its answer, while the connection is being set up.
    private func command(_ command: [String]) throws(RedisConnectionLost) {
        var bytes: [UInt8] = []
        bytes.append(command: command)
        append(bytes)
        isWritten = true
        var raw: UnsafeMutableRawPointer?
        guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw lost() }
        defer { freeReplyObject(raw) }
        if case .error(let reason) = RedisReply(raw.assumingMemoryBound(to: redisReply.self).pointee) {
            throw RedisConnectionLost(reason: "\(command[0]): \(reason)")
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
