import CKafka
import Glibc

/// Starts threads that belong to this target: librdkafka's blocking calls never run on the cooperative pool.
enum OwnedThread {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs a body on a new detached thread.
    /// - Parameters:
    ///   - name: Shown by `top -H`; the system keeps 15 bytes of it.
    ///   - body: Runs once; the thread ends with it.
    /// - Throws: ``KafkaError/Kind/resources`` when the system gives no thread.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(KafkaError) {
        let start = Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                pthread_setname_np(pthread_self(), start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw KafkaError(.resources, message: "no thread: \(String(cString: strerror(status)))")
        }
        pthread_detach(thread)
    }
}

/// Lets one thread sleep until another (or librdkafka, through its descriptor) has something for it.
///
/// Waking before the sleep begins is remembered, so nothing is missed.
final class WakeSignal: Sendable {
    /// Descriptor that librdkafka writes eight bytes to, see `rd_kafka_queue_io_event_enable`.
    let descriptor: Int32

    /// - Throws: ``KafkaError/Kind/resources`` when the process has no descriptor left.
    init() throws(KafkaError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard descriptor >= 0 else {
            throw KafkaError(.resources, message: "no eventfd: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Ends the current or the next sleep; callable from any thread.
    func wake() {
        var one: UInt64 = 1
        // A full counter means that a wake-up is already waiting, which is all that is asked for.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Sleeps until woken or until the time is over.
    func wait(milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return }
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
