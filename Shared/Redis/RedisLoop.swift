import Logging
import Threads

/// The client's thread: keeps a connection, writes what waits, reads what comes, watches the time.
final class RedisLoop {
    private static let firstBackoff: Duration = .milliseconds(50)
    private let configuration: RedisConfiguration
    private let mailbox: RedisMailbox
    private let logger: Logger
    /// Sent and not fully answered, oldest first; decided ones stay until their answers have passed by.
    private var sent: [Sent] = []
    private var head = 0
    private var nextDeadline: ContinuousClock.Instant?

    private struct Sent {
        let request: RedisRequest
        let at: ContinuousClock.Instant
        var replies: [RedisReply] = []
    }

    init(configuration: RedisConfiguration, mailbox: RedisMailbox, logger: Logger) {
        self.configuration = configuration
        self.mailbox = mailbox
        self.logger = logger
    }

    /// Runs until the client is closed.
    func run() {
        var backoff: Duration = Self.firstBackoff
        while !mailbox.isClosed {
            do throws(RedisConnectionLost) {
                let connection = try RedisConnection(configuration)
                defer { connection.close() }
                backoff = Self.firstBackoff
                mailbox.connected()
                try serve(connection)
            } catch {
                logger.log(
                    level: error.isRefusal ? .error : .debug, "redis connection", metadata: ["error": "\(error)"])
            }
            giveUp(mailbox.disconnected(), mailbox.isClosed ? .closed : .unavailable)
            let retryAt = ContinuousClock.now.advanced(by: backoff)
            while !mailbox.isClosed, ContinuousClock.now < retryAt {
                mailbox.wake.wait(milliseconds: ContinuousClock.now.duration(to: retryAt).wholeMilliseconds)
            }
            backoff = min(backoff * 2, configuration.reconnectBackoffMax)
        }
        giveUp(mailbox.disconnected(), .closed)
        mailbox.closed.finish(.success(true))
    }

    /// Serves one connection until it fails (throws) or the client is closed (returns).
    private func serve(_ connection: RedisConnection) throws(RedisConnectionLost) {
        while let work = mailbox.take() {
            for request in work { send(request, connection) }
            if connection.hasOutput {
                try connection.write()
                mailbox.wrote()
            }
            try watchTime()
            if connection.wait(wake: mailbox.wake, timeout: timeUntilNextDeadline()) { try receive(connection) }
        }
    }

    private func send(_ request: RedisRequest, _ connection: RedisConnection) {
        if request.completion.isFinished {
            // Cancelled before it left.
            mailbox.release(request)
            return
        }
        connection.append(request.bytes)
        sent.append(Sent(request: request, at: .now))
        nextDeadline = nextDeadline.map { min($0, request.deadline) } ?? request.deadline
    }

    private func receive(_ connection: RedisConnection) throws(RedisConnectionLost) {
        try connection.read()
        while let reply = try connection.nextReply() {
            guard head < sent.count else { throw RedisConnectionLost(reason: "an answer to nothing") }
            sent[head].replies.append(reply)
            let entry = sent[head]
            if entry.replies.count == entry.request.count {
                mailbox.release(entry.request)
                mailbox.finish(entry.request, .success(entry.replies))
                head += 1
            }
        }
        if head == sent.count {
            sent.removeAll(keepingCapacity: true)
            head = 0
            nextDeadline = nil
        } else if head >= 1_024 {
            sent.removeFirst(head)
            head = 0
        }
    }

    /// Fails what is overdue; its answer is let pass by later. A connection that answers nothing at all is given up.
    private func watchTime() throws(RedisConnectionLost) {
        let now = ContinuousClock.now
        if head < sent.count, sent[head].at.duration(to: now) > configuration.stallTimeout {
            throw RedisConnectionLost(reason: "no answer within \(configuration.stallTimeout)")
        }
        guard let deadline = nextDeadline, deadline <= now else { return }
        nextDeadline = nil
        for entry in sent[head...] where !entry.request.completion.isFinished {
            if entry.request.deadline <= now {
                mailbox.finish(entry.request, .failure(.timedOut))
            } else {
                nextDeadline = nextDeadline.map { min($0, entry.request.deadline) } ?? entry.request.deadline
            }
        }
    }

    private func timeUntilNextDeadline() -> Duration {
        let now = ContinuousClock.now
        let stall: Duration? =
            head < sent.count ? configuration.stallTimeout - sent[head].at.duration(to: now) + .milliseconds(1) : nil
        let next = nextDeadline.map { now.duration(to: $0) }
        return min(stall ?? .seconds(60), next ?? .seconds(60))
    }

    /// Fails everything that was sent or waits.
    private func giveUp(_ waiting: [RedisRequest], _ error: RedisError) {
        for request in sent[head...].map(\.request) + waiting {
            mailbox.release(request)
            mailbox.finish(request, .failure(error))
        }
        sent.removeAll(keepingCapacity: true)
        head = 0
        nextDeadline = nil
    }
}
