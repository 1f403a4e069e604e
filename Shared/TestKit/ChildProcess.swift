import Glibc
import Synchronization

/// Reads a setting of the test run.
/// - Throws: ``MissingInfrastructure``: a test without its servers fails, it does not skip itself.
public func testSetting(_ name: String) throws -> String {
    guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else {
        throw MissingInfrastructure("\(name) is not set")
    }
    return value
}

/// A server process that a test starts, kills and starts again; nobody else's processes are touched.
public final class ChildProcess: Sendable {
    private let arguments: [String]
    private let pid = Mutex<pid_t?>(nil)

    /// Describes the process.
    /// - Parameter arguments: The program, found through `PATH`, and its arguments.
    public init(_ arguments: [String]) { self.arguments = arguments }

    deinit { kill() }

    /// Starts it in a process group of its own, its output thrown away.
    public func start() throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in [0, 1, 2] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var started: pid_t = 0
        let status = posix_spawnp(&started, arguments[0], &actions, &attributes, &pointers, environ)
        guard status == 0 else { throw MissingInfrastructure("\(arguments[0]): \(String(cString: strerror(status)))") }
        pid.withLock { $0 = started }
    }

    /// Kills it and its own children as `kill -9` does, and waits until it is gone.
    public func kill() {
        guard
            let running = pid.withLock({ pid in
                defer { pid = nil }; return pid
            })
        else { return }
        Glibc.kill(-running, SIGKILL)
        var status: Int32 = 0
        waitpid(running, &status, 0)
    }

    /// Stops it without ending it, as a hanging server would; ``resume()`` lets it go on.
    public func suspend() { if let running = pid.withLock({ $0 }) { Glibc.kill(-running, SIGSTOP) } }

    /// Lets it go on after ``suspend()``.
    public func resume() { if let running = pid.withLock({ $0 }) { Glibc.kill(-running, SIGCONT) } }

    private static let handedOut = Mutex(Set<Int>())

    /// A TCP port on loopback that was free just now. It lies below the range the system takes for outgoing
    /// connections, and no port is given twice in a run, so that tests side by side do not meet on one.
    public static func freePort() throws -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 18_000..<32_000)
            if isFree(port), handedOut.withLock({ $0.insert(port).inserted }) { return port }
        }
        throw MissingInfrastructure("no free port")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

extension ChildProcess {
    /// Removes a server's data directory and everything in it; one that does not exist is fine.
    public static func removeDirectory(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            let child = "\(path)/\(name)"
            if entry.pointee.d_type == UInt8(DT_DIR) { removeDirectory(child) } else { unlink(child) }
        }
        closedir(directory)
        rmdir(path)
    }
}
