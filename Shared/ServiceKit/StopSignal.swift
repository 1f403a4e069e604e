import Glibc
import Synchronization

/// SIGTERM and SIGINT as something to wait for. The handler only writes to a descriptor, which is all a handler may do.
package final class StopSignal: Sendable {
    private static let writer = Atomic<Int32>(-1)
    private let reader: Int32

    /// Takes the signals over for the whole process; there is one of these in a process.
    package init() {
        var ends: [Int32] = [-1, -1]
        let status: Int32 = pipe(&ends)
        precondition(status == 0, "a process may open a pipe")
        reader = ends[0]
        Self.writer.store(ends[1], ordering: .releasing)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in StopSignal.raise() }
        }
    }

    private static func raise() {
        var byte: UInt8 = 1
        _ = write(writer.load(ordering: .relaxed), &byte, 1)
    }

    /// Returns when the process is asked to stop, or when the task is cancelled.
    package func wait() async {
        await withTaskCancellationHandler {
            await waitForByte()
        } onCancel: {
            Self.raise()
        }
    }

    private func waitForByte() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            var thread = pthread_t()
            let box = SignalWait(reader, continuation)
            let failure: Int32 = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<SignalWait>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, Unmanaged.passRetained(box).toOpaque())
            precondition(failure == 0, "the process may start one thread more")
            pthread_detach(thread)
        }
    }

    private final class SignalWait {
        private let continuation: CheckedContinuation<Void, Never>

        private let reader: Int32

        init(_ reader: Int32, _ continuation: CheckedContinuation<Void, Never>) {
            self.reader = reader
            self.continuation = continuation
        }

        func run() {
            var byte: UInt8 = 0
            while read(reader, &byte, 1) < 0, errno == EINTR {}
            continuation.resume()
        }
    }
}
