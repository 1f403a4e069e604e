import Glibc

/// Threads outside the cooperative pool, for calls that block.
package enum OwnedThread {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a detached thread.
    ///
    /// A system that has no thread left ends the process: whoever supervises it starts it again.
    /// - Parameter name: Shown by the system's tools; cut to 15 bytes.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let start: Unmanaged<Start> = .passRetained(Start(name, body))
        var thread = pthread_t()
        let status: Int32 = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start: Start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                OwnedThread.nameThread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the system refused a thread (errno \(status))")
        pthread_detach(thread)
    }

    /// Names the calling thread. It only helps people who look, so a system without `/proc` goes without.
    fileprivate static func nameThread(_ name: String) {
        guard let file = fopen("/proc/thread-self/comm", "we") else { return }
        fputs(String(name.prefix(15)), file)
        fclose(file)
    }

    /// Runs a blocking call on a thread of its own and returns its result; it is not interrupted by cancellation.
    package static func run<R: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            start(name) { continuation.resume(with: Result { try body() }) }
        }
    }
}
