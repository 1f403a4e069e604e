import CEpoll
import Glibc

/// The system's list of sockets that something can be done with.
struct Poll: ~Copyable {
    private static let most = 64

    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event> = .allocate(capacity: most)

    /// A process that may open no descriptor more ends: whoever supervises it starts it again.
    init() {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(descriptor >= 0, "the system refused a descriptor (errno \(errno))")
    }

    deinit {
        events.deallocate()
        close(descriptor)
    }

    /// Watches a socket for nothing but its failure; it leaves when it is closed.
    func add(_ socket: Int32) { control(EPOLL_CTL_ADD, socket, 0) }

    /// What a socket is watched for from now on.
    func change(_ socket: Int32, to events: UInt32) { control(EPOLL_CTL_MOD, socket, events) }

    private func control(_ operation: Int32, _ socket: Int32, _ events: UInt32) {
        var event = epoll_event()
        event.events = events
        event.data.fd = socket
        let status: Int32 = epoll_ctl(descriptor, operation, socket, &event)
        precondition(status == 0, "the system watches no socket more (errno \(errno))")
    }

    /// Waits for events, no longer than given (-1: without end), and handles them.
    func wait(milliseconds: Int32, _ body: (_ socket: Int32, _ events: UInt32) -> Void) {
        let count: Int32 = epoll_wait(descriptor, events, Int32(Self.most), milliseconds)
        for index in 0..<Int(max(count, 0)) { body(events[index].data.fd, events[index].events) }
    }
}
