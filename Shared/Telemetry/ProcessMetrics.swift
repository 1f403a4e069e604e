import Glibc

extension Metrics {
    /// Shows memory, processor time, open files and start time of this process under the usual `process_…` names.
    public func registerProcess() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let started = Double(now.tv_sec)
        gauge("process_start_time_seconds", help: "When the process started, seconds since 1970.") { started }
        gauge("process_resident_memory_bytes", help: "Memory held in RAM.") { ProcessUse.residentBytes }
        counter("process_cpu_seconds_total", help: "Processor time used, user and system.") {
            ProcessUse.processorSeconds
        }
        gauge("process_open_fds", help: "Open file descriptors.") { openFiles() }
    }
}

/// What this process uses of the machine.
package enum ProcessUse {
    /// Memory held in RAM; not a number where the system does not say.
    package static var residentBytes: Double {
        guard let file = fopen("/proc/self/statm", "r") else { return .nan }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return .nan }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let pages = text.split(separator: " ").dropFirst().first.flatMap({ Double($0) }) else { return .nan }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Processor time since the start, user and system.
    package static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

private func openFiles() -> Double {
    guard let directory = opendir("/proc/self/fd") else { return .nan }
    defer { closedir(directory) }
    var count = 0.0
    while readdir(directory) != nil { count += 1 }
    // Neither `.` and `..` nor the descriptor of this reading count.
    return count - 3
}
