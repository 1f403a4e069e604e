import Glibc
public import Logging
import Synchronization

/// Where finished log lines go: one call per line, the newline included.
public struct LogSink: Sendable {
    /// Receives the bytes of one line; valid during the call only.
    public let write: @Sendable (UnsafeRawBufferPointer) -> Void

    /// Makes a sink of a closure, which must be quick and may be called from any thread.
    public init(_ write: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.write = write
    }

    /// Standard error, one `write(2)` per line so that lines of many threads never mix.
    public static let standardError = LogSink { (line: UnsafeRawBufferPointer) in write(line, to: STDERR_FILENO) }

    static func write(_ line: UnsafeRawBufferPointer, to descriptor: Int32) {
        var rest = line
        while let base = rest.baseAddress, !rest.isEmpty {
            let written = Glibc.write(descriptor, base, rest.count)
            if written > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno != EINTR {
                // Nobody is left to tell that the log itself cannot be written.
                return
            }
        }
    }
}

/// Writes log records as JSON lines: `time level service message`, then `trace_id`, then metadata as members.
///
/// Secrets are removed on the way (see ``Redaction``). Metadata never overwrites the fixed members: a clash is
/// written with a leading underscore.
public struct JSONLogHandler: LogHandler {
    /// Members that every line of this logger carries.
    public var metadata: Logger.Metadata = [:]
    /// The lowest level that is written.
    public var logLevel: Logger.Level
    /// Adds members taken from the surroundings of the call.
    public var metadataProvider: Logger.MetadataProvider?
    private let service: String
    private let label: String
    private let sink: LogSink

    /// Creates a handler for one logger label.
    public init(service: String, label: String, level: Logger.Level = .info, sink: LogSink = .standardError) {
        self.service = service
        self.label = label
        self.logLevel = level
        self.sink = sink
    }

    /// One member of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line.
    public func log(event: LogEvent) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var line = LogLine()
        line.plainField("time") { appendTime(seconds: now.tv_sec, milliseconds: now.tv_nsec / 1_000_000, to: &$0) }
        line.plainField("level", event.level.rawValue)
        line.plainField("service", service)
        if label != service { line.textField("logger", label) }
        line.textField("message", event.message.description)
        if let trace = TraceContext.current {
            line.plainField("trace_id") { (bytes: inout [UInt8]) in
                appendHex(trace.traceHigh, to: &bytes)
                appendHex(trace.traceLow, to: &bytes)
            }
        }
        if let error = event.error { line.textField("error", "\(error)") }
        append(merged(event.metadata), hasError: event.error != nil, to: &line)
        line.finish()
        line.bytes.withUnsafeBytes { sink.write($0) }
    }

    private static let fixed: Set<String> = ["time", "level", "service", "logger", "message"]

    private func merged(_ explicit: Logger.Metadata?) -> Logger.Metadata {
        var all = metadata
        if let provided = metadataProvider?.get(), !provided.isEmpty {
            all.merge(provided) { _, new in new }
        }
        guard let explicit, !explicit.isEmpty else { return all }
        return all.isEmpty ? explicit : all.merging(explicit) { _, new in new }
    }

    private func append(_ metadata: Logger.Metadata, hasError: Bool, to line: inout LogLine) {
        for (name, value) in metadata {
            let clashes: Bool =
                switch name {
                case "trace_id": TraceContext.current != nil
                case "error": hasError
                default: Self.fixed.contains(name)
                }
            line.key(clashes ? "_\(name)" : name)
            if Redaction.hides(field: name) { line.string(Redaction.mark) } else { append(value, to: &line) }
        }
    }

    private func append(_ value: Logger.MetadataValue, to line: inout LogLine) {
        switch value {
        case .string(let text):
            line.string(text)
        case .stringConvertible(let convertible):
            line.string(convertible.description)
        case .dictionary(let members):
            line.beginObject()
            for (name, value) in members {
                line.key(name)
                if Redaction.hides(field: name) { line.string(Redaction.mark) } else { append(value, to: &line) }
            }
            line.endObject()
        case .array(let items):
            line.beginArray()
            for (index, item) in items.enumerated() {
                if index > 0 { line.separator() }
                append(item, to: &line)
            }
            line.endArray()
        @unknown default:
            line.string("\(value)")
        }
    }
}

private let bootstrapped = Mutex(false)

/// Sends all logging of the process somewhere as JSON lines. Only the first call has an effect.
/// - Parameters:
///   - service: The name in every line's `service` member.
///   - level: The lowest level that is written.
///   - sink: Where lines go.
public func bootstrapLogging(service: String, level: Logger.Level = .info, sink: LogSink = .standardError) {
    let isFirst = bootstrapped.withLock { (done: inout Bool) -> Bool in
        defer { done = true }
        return !done
    }
    guard isFirst else { return }
    LoggingSystem.bootstrap { label in JSONLogHandler(service: service, label: label, level: level, sink: sink) }
}
