import CPostgres
import Glibc

/// One libpq session: opened, used and closed on one thread.
///
/// Between calls it stays in pipeline mode, so that every exchange is one write and one wait.
final class Connection {
    let settings: ConnectionSettings
    private(set) var handle: OpaquePointer?
    var cache: StatementCache
    /// When the caller stops being interested; statements are cancelled then. COMMIT never is.
    var deadline: ContinuousClock.Instant?
    /// Sessions opened since the counter was last taken.
    var opened: Int = 0
    /// The transaction under way.
    var work = TransactionWork()
    /// What went out with the last COMMIT and is not read yet.
    var pendingLook: PendingLook?
    var parameters = ParameterBuffer()

    init(_ settings: ConnectionSettings) {
        self.settings = settings
        cache = StatementCache(limit: settings.preparedStatementLimit)
    }

    var isOpen: Bool { handle != nil }

    var socket: Int32 { handle.map { PQsocket($0) } ?? -1 }

    var status: PGTransactionStatusType { handle.map { PQtransactionStatus($0) } ?? PQTRANS_UNKNOWN }

    /// Opens a new session, closing the old one.
    func open() throws(PostgresError) {
        close()
        guard let handle = startConnecting() else { throw .unreachable("libpq has no memory for a connection") }
        do {
            try finishConnecting(handle, until: .now + settings.connectTimeout)
        } catch {
            PQfinish(handle)
            throw error
        }
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            PQfinish(handle)
            throw .unreachable("libpq refused pipeline mode")
        }
        self.handle = handle
        opened += 1
    }

    func close() {
        guard let handle else { return }
        PQfinish(handle)
        self.handle = nil
        cache.reset()
        if let pending: PendingLook = pendingLook.take() { pending.look.missed() }
    }

    /// Opens a session unless there is one on which the server has not hung up.
    func ensureOpen() throws(PostgresError) {
        if isAlive { return }
        try open()
    }

    /// The number of sessions opened since the last call.
    func takeOpened() -> Int {
        defer { opened = 0 }
        return opened
    }

    /// Whether the session looks usable: asks the socket, not the server.
    var isAlive: Bool {
        guard let handle, PQstatus(handle) == CONNECTION_OK else { return false }
        var request = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, 0) > 0 {
            // Something came unasked: a notice, a notification, or the end.
            if PQconsumeInput(handle) == 0 { return false }
            _ = PQisBusy(handle)
            if PQstatus(handle) != CONNECTION_OK { return false }
        }
        return true
    }

    private func startConnecting() -> OpaquePointer? {
        let names: CStrings = CStrings(settings.keywords.map(\.name))
        let values: CStrings = CStrings(settings.keywords.map(\.value))
        return PQconnectStartParams(names.pointers, values.pointers, 1)
    }

    private func finishConnecting(_ handle: OpaquePointer, until limit: ContinuousClock.Instant) throws(PostgresError) {
        guard PQstatus(handle) != CONNECTION_BAD else { throw .unreachable(lastMessage(handle)) }
        var step: PostgresPollingStatusType = PGRES_POLLING_WRITING
        while step != PGRES_POLLING_OK {
            if step == PGRES_POLLING_FAILED { throw .unreachable(lastMessage(handle)) }
            let remaining: Int64 = (limit - .now).wholeMilliseconds
            guard remaining > 0 else { throw .unreachable("the server did not answer in time") }
            let events = Int16(step == PGRES_POLLING_READING ? POLLIN : POLLOUT)
            var request = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            if poll(&request, 1, Int32(clamping: remaining)) > 0 { step = PQconnectPoll(handle) }
        }
    }

    func lastMessage(_ handle: OpaquePointer) -> String {
        let message: String = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        var end: String.Index = message.endIndex
        while end > message.startIndex, message[message.index(before: end)].isNewline {
            end = message.index(before: end)
        }
        return String(message[..<end])
    }
}

/// A NULL-terminated array of C strings that lives as long as the object.
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: UnsafePointer(strdup(string))) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(UnsafeMutablePointer(mutating: pointers[index])) }
        pointers.deallocate()
    }
}
