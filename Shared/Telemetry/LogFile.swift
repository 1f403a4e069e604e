import Glibc
import Synchronization

extension LogSink {
    /// A file that is written to directly, one `write(2)` per line at its end, and put aside as `PATH.1` when it has reached
    /// its limit; the one before is dropped. Should it not open, lines go to standard error.
    ///
    /// A process that is read through a pipe stands still when its reader does; one that writes to a file does not.
    /// - Parameters:
    ///   - path: Of the file; its directory must be there.
    ///   - limit: Bytes.
    public static func file(_ path: String, limit: Int = 20_000_000) -> LogSink {
        let file = LogFile(path, limit: limit)
        return LogSink { (line: UnsafeRawBufferPointer) in file.write(line) }
    }
}

private final class LogFile: Sendable {
    private struct State {
        var descriptor: Int32 = -1
        var size = 0
    }
    private let path: String
    private let limit: Int
    private let state = Mutex(State())

    init(_ path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    func write(_ line: UnsafeRawBufferPointer) {
        state.withLock { state in
            if state.descriptor >= 0, state.size >= limit {
                close(state.descriptor)
                state.descriptor = -1
                rename(path, "\(path).1")
            }
            if state.descriptor < 0 { open(&state) }
            LogSink.write(line, to: state.descriptor < 0 ? STDERR_FILENO : state.descriptor)
            state.size += line.count
        }
    }

    private func open(_ state: inout State) {
        state.descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard state.descriptor >= 0 else { return }
        state.size = Int(lseek(state.descriptor, 0, SEEK_END))
    }
}
