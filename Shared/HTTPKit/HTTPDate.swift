import Glibc
import Synchronization

/// The `Date` header, made anew once a second.
final class HTTPDate: Sendable {
    private struct State {
        var second: Int = .min
        var text = ""
    }

    private let state = Mutex(State())

    /// The time now as RFC 9110 writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
    var text: String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        return state.withLock { (state: inout State) -> String in
            if state.second != now.tv_sec {
                state.second = now.tv_sec
                state.text = Self.format(now.tv_sec)
            }
            return state.text
        }
    }

    private static func format(_ second: Int) -> String {
        var time = second
        var parts = tm()
        gmtime_r(&time, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let date =
            "\(days[Int(parts.tm_wday)]), \(pad(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1_900)"
        return "\(date) \(pad(parts.tm_hour)):\(pad(parts.tm_min)):\(pad(parts.tm_sec)) GMT"
    }

    private static func pad(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
