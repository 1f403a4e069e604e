import CEpoll
import Glibc

/// Stands in front of the development broker and gives it long polling: a fetch that finds nothing, or that is known to
/// find nothing, is held until something is produced to its topics or its time is over. The broker itself answers at once,
/// so that every idle consumer would ask it thousands of times per second. See
/// docs/decisions/0010-development-broker-front.md.
///
/// One thread does everything, and waits for nothing but the next event.
package final class Front {
    /// Where clients connect.
    package let port: Int
    let brokerPort: Int
    var topics = Topics()
    /// Nanoseconds of the monotonic clock when the event at hand was taken.
    private(set) var now: UInt64 = 0

    private let poll = Poll()
    private let listener: Int32
    /// By the number of either socket, which the system keeps small.
    private var links: [Link?] = []
    private var touched: [Link] = []
    /// Nothing is due before.
    private var earliest: UInt64 = .max
    private var isAccepting = false

    /// Listens on loopback.
    /// - Parameters:
    ///   - port: Where; a free one for 0.
    ///   - brokerPort: Where the broker listens, or will.
    package init(port: Int, brokerPort: Int) throws(SocketFailure) {
        listener = try Sockets.listening(on: port)
        self.port = Sockets.port(of: listener)
        self.brokerPort = brokerPort
        poll.add(listener)
        accept(true)
    }

    deinit { close(listener) }

    /// Waits until there is something to do, and does it.
    package func turn() {
        poll.wait(milliseconds: patience) { socket, events in
            readClock()
            if socket == listener { acceptClient() } else { links[Int(socket)]?.ready(socket, events) }
        }
        readClock()
        if now >= earliest { releaseDue() }
        settle()
    }

    private func readClock() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // Links

    /// A client is accepted with a connection to the broker of its own. When the system has no descriptor left, the next
    /// ones wait a second at most.
    private func acceptClient() {
        do {
            guard let socket = try Sockets.accepted(by: listener) else { return }
            let client = Peer(socket: socket)
            let broker = Peer(socket: try Sockets.connecting(to: brokerPort))
            let link = Link(client: client, broker: broker, front: self)
            for peer in [client, broker] {
                while links.count <= Int(peer.socket) { links.append(nil) }
                links[Int(peer.socket)] = link
                poll.add(peer.socket)
            }
            touch(link)
        } catch {
            accept(false)
            expire(at: now + 1_000_000_000)
        }
    }

    private func accept(_ accepts: Bool) {
        guard accepts != isAccepting else { return }
        isAccepting = accepts
        poll.change(listener, to: accepts ? EPOLLIN.rawValue : 0)
    }

    /// The link has changed: it is settled when the events at hand are dealt with.
    func touch(_ link: Link) {
        guard !link.isTouched else { return }
        link.isTouched = true
        touched.append(link)
    }

    /// Watches for what each changed link waits for now, and ends those that are over: none of the events at hand can meet
    /// a socket whose number was given out anew.
    private func settle() {
        for link in touched {
            link.isTouched = false
            if link.isOver {
                link.letGo()
                links[Int(link.client.socket)] = nil
                links[Int(link.broker.socket)] = nil
            } else {
                link.client.watch(with: poll, for: link.broker)
                link.broker.watch(with: poll, for: link.client)
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    // Time

    /// Something is due then.
    func expire(at deadline: UInt64) { earliest = min(earliest, deadline) }

    /// How long to wait for events, in milliseconds, rounded up; without end while nothing is due.
    private var patience: Int32 {
        guard earliest != .max else { return -1 }
        guard earliest > now else { return 0 }
        return Int32(clamping: (earliest - now + 999_999) / 1_000_000)
    }

    private func releaseDue() {
        earliest = .max
        accept(true)
        for case .some(let link) in links {
            guard let deadline = link.deadline else { continue }
            if deadline <= now { link.release() } else { expire(at: deadline) }
        }
    }
}
