import CEpoll

/// A client, the connection to the broker that serves it alone, and what passes between them.
final class Link {
    /// What a length may promise.
    private static let longestFrame: Int = 100 << 20

    /// A request whose answer the front reads.
    private enum Expected {
        case fetch
        case produce([Topic])
        case addresses
    }

    /// What of a fetch is held.
    private enum Held {
        /// It was not asked: it would find nothing.
        case request
        /// It was asked, and found nothing.
        case answer([UInt8])
    }

    /// The fetch that came last, as long as nothing came after it: only then may its answer be late.
    private struct Fetch {
        let correlation: Int32
        let version: Int16
        let topics: [Topic]
        let deadline: UInt64
        let frame: [UInt8]
        /// What had been produced to its topics before it was asked.
        var produced: Int
        /// Where its partitions ended, once its answer has said so.
        var ends: Set<Position> = []
        var held: Held?

        var producedNow: Int { topics.reduce(0) { $0 + $1.produced } }

        /// Whether the next fetch, which reads from there, would find nothing: these are the ends that the answer told of,
        /// and nothing was produced since this one was asked.
        func isFollowedInVain(by positions: [Position]) -> Bool {
            !positions.isEmpty && producedNow == produced && ends.isSuperset(of: positions)
        }
    }

    let client: Peer
    let broker: Peer
    /// It is on the front's list of links to be settled.
    var isTouched = false
    private unowned let front: Front
    private var expected: [(correlation: Int32, answer: Expected)] = []
    private var fetch: Fetch?

    init(client: Peer, broker: Peer, front: Front) {
        self.client = client
        self.broker = broker
        self.front = front
    }

    /// Something can be done with one of its sockets.
    func ready(_ socket: Int32, _ events: UInt32) {
        front.touch(self)
        let (peer, other): (Peer, Peer) = socket == client.socket ? (client, broker) : (broker, client)
        if events & EPOLLOUT.rawValue != 0 { peer.flush() }
        let isBroken: Bool = events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        guard isBroken || events & EPOLLIN.rawValue != 0 else { return }
        guard peer.isReadable(for: other) else {
            if isBroken { peer.fail() }
            return
        }
        guard peer.read() else { return }
        if peer === client { passRequests() } else { passAnswers() }
    }

    /// Either side is gone, and the other has taken what there was for it.
    var isOver: Bool {
        client.hasFailed || broker.hasFailed || (client.hasEnded && broker.output.isEmpty)
            || (broker.hasEnded && client.output.isEmpty)
    }

    // Requests

    private func passRequests() {
        let bytes = UnsafeRawBufferPointer(client.input.bytes)
        var (sent, at) = (0, 0)
        while let size = frameSize(bytes, at, of: client) {
            let frame = UnsafeRawBufferPointer(rebasing: bytes[at..<at + size])
            at += size
            release()  // answers keep the order of requests
            let request = Request(frame)
            let last: Fetch? = fetch
            fetch = nil
            switch request.kind {
            case .fetch(let version, let wait, let names, let positions):
                let topics: [Topic] = names.map { front.topics[$0] }
                var asked = Fetch(
                    correlation: request.correlation, version: version, topics: topics,
                    deadline: front.now + UInt64(wait) * 1_000_000, frame: Array(frame), produced: 0)
                asked.produced = asked.producedNow
                fetch = asked
                if let last, last.isFollowedInVain(by: positions) {
                    broker.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<at - size]))
                    sent = at
                    hold(.request)
                } else {
                    expect(request, .fetch)
                }
            case .produce(let names, let isAnswered):
                let topics: [Topic] = names.map { front.topics[$0] }
                if isAnswered {
                    expect(request, .produce(topics))
                } else {
                    broker.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<at]))
                    sent = at
                    for topic in topics { topic.produce() }
                }
            case .addresses: expect(request, .addresses)
            case .other: break
            }
        }
        broker.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<at]))
        client.consume(at)
    }

    private func expect(_ request: Request, _ answer: Expected) {
        expected.append((request.correlation, answer))
    }

    // Answers

    private func passAnswers() {
        let bytes: UnsafeMutableRawBufferPointer = broker.input.bytes
        var (sent, at) = (0, 0)
        while let size = frameSize(UnsafeRawBufferPointer(bytes), at, of: broker) {
            let frame = UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + size])
            if isToBeHeld(frame) {
                client.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<at]))
                hold(.answer(Array(frame)))
                sent = at + size
            }
            at += size
        }
        client.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<at]))
        broker.consume(at)
    }

    /// Does what an answer tells of, and says whether it is an empty fetch that may wait.
    private func isToBeHeld(_ frame: UnsafeMutableRawBufferPointer) -> Bool {
        let readable = UnsafeRawBufferPointer(frame)
        guard let correlation = Answer.correlation(readable),
            let index = expected.firstIndex(where: { $0.correlation == correlation })
        else { return false }
        let answer: Expected = expected[index].answer
        expected.removeSubrange(...index)  // those before it were never answered
        switch answer {
        case .fetch:
            guard let asked = fetch, asked.correlation == correlation else { return false }
            guard let found = Answer.fetched(readable, version: asked.version) else { return false }
            fetch?.ends = found.ends
            return found.isEmpty && front.now < asked.deadline
        case .produce(let topics):
            for topic in topics { topic.produce() }
        case .addresses:
            Answer.replacePort(front.brokerPort, with: front.port, of: Sockets.host, in: frame)
        }
        return false
    }

    // Holding

    /// When what is held goes on at the latest; `nil` when nothing is held.
    var deadline: UInt64? { fetch?.held == nil ? nil : fetch?.deadline }

    private func hold(_ held: Held) {
        guard let asked = fetch else { return }
        fetch?.held = held
        for topic in asked.topics { topic.wait(self) }
        if asked.producedNow == asked.produced { front.expire(at: asked.deadline) } else { wake() }
    }

    /// Something was produced: the held fetch is asked, or asked again.
    func wake() {
        guard let asked = fetch, asked.held != nil else { return }
        letGo()
        fetch?.produced = asked.producedNow
        fetch?.ends = []
        expected.append((asked.correlation, .fetch))
        asked.frame.withUnsafeBytes { broker.send($0) }
        front.touch(self)
    }

    /// Lets what is held go on: a request to the broker, an answer to the client.
    func release() {
        guard let held = fetch?.held else { return }
        switch held {
        case .request: wake()
        case .answer(let answer):
            letGo()
            answer.withUnsafeBytes { client.send($0) }
            front.touch(self)
        }
    }

    /// Waits for nothing more.
    func letGo() {
        guard let asked = fetch, asked.held != nil else { return }
        fetch?.held = nil
        for topic in asked.topics { topic.forget(self) }
    }

    // Frames

    /// The size, with its length, of the whole frame that begins there; `nil` when more has to come first.
    private func frameSize(_ bytes: UnsafeRawBufferPointer, _ at: Int, of peer: Peer) -> Int? {
        guard bytes.count - at >= 4 else { return nil }
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)))
        guard 0...Self.longestFrame ~= length else {
            peer.fail()
            return nil
        }
        return bytes.count - at >= 4 + length ? 4 + length : nil
    }
}
