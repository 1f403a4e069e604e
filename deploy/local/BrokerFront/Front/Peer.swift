import CEpoll
import Glibc

/// One end of a link: a socket that is never waited for, what came from it, and what it has not taken yet.
final class Peer {
    /// Who has so much to take yet is not given more to: its counterpart is not read.
    static let untaken: Int = 1 << 20
    private static let leastRoom: Int = 1 << 16

    let socket: Int32
    private(set) var input = ByteQueue()
    private(set) var output = ByteQueue()
    /// It sends no more.
    private(set) var hasEnded = false
    /// It can neither be read nor written.
    private(set) var hasFailed = false
    /// The events that are watched for.
    private var watched: UInt32 = 0

    init(socket: Int32) { self.socket = socket }

    deinit { close(socket) }

    /// Reads what is there, up to the room; whether anything came.
    func read() -> Bool {
        let room: UnsafeMutableRawBufferPointer = input.room(for: Self.leastRoom)
        let count: Int = recv(socket, room.baseAddress, room.count, Int32(MSG_DONTWAIT))
        if count > 0 { input.grow(count) }
        if count == 0 { hasEnded = true }
        if count < 0, !Sockets.isPassing(errno) { hasFailed = true }
        return count > 0
    }

    /// These bytes of the input are dealt with.
    func consume(_ count: Int) { input.removeFirst(count) }

    /// Sends, or keeps what the system does not take.
    func send(_ bytes: UnsafeRawBufferPointer) {
        let sent: Int = output.isEmpty ? write(bytes) : 0
        if sent < bytes.count, !hasFailed { output.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
    }

    /// Sends what was kept.
    func flush() { output.removeFirst(write(UnsafeRawBufferPointer(output.bytes))) }

    func fail() { hasFailed = true }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard !bytes.isEmpty, !hasFailed else { return 0 }
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        let count: Int = Glibc.send(socket, bytes.baseAddress, bytes.count, flags)
        if count < 0, !Sockets.isPassing(errno) { hasFailed = true }
        return max(count, 0)
    }

    /// Whether it is to be read now, given who takes what it sends.
    func isReadable(for other: Peer) -> Bool { !hasEnded && other.output.count < Self.untaken }

    /// Watches for what can be done with it, if that has changed.
    func watch(with poll: borrowing Poll, for other: Peer) {
        let wanted: UInt32 =
            (isReadable(for: other) ? EPOLLIN.rawValue : 0) | (output.isEmpty ? 0 : EPOLLOUT.rawValue)
        guard wanted != watched else { return }
        poll.change(socket, to: wanted)
        watched = wanted
    }
}
