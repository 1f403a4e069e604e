package import HTTPKit
import Synchronization

/// How much one address may do on pages in a minute, counted by this instance: guessing codes and trying cards stay slow.
package final class VisitLimits: Sendable {
    private struct Window {
        let began: ContinuousClock.Instant
        var count: Int
    }

    private enum Kind: String { case miss, action }

    /// Codes that lead nowhere.
    let missesPerMinute: Int
    /// Cards, payments and confirmations.
    let actionsPerMinute: Int
    private static let minute: Duration = .seconds(60)
    /// Addresses that are remembered; past that the oldest minute is forgotten.
    private static let maxWindows = 20_000
    private let windows = Mutex<[String: Window]>([:])

    package init(missesPerMinute: Int = 20, actionsPerMinute: Int = 60) {
        self.missesPerMinute = missesPerMinute
        self.actionsPerMinute = actionsPerMinute
    }

    /// The code in a request's path.
    /// - Throws: ``Problem`` 429 for an address that has guessed too much, 404 for what cannot be a code.
    package func code(_ call: Call) throws -> LinkCode {
        guard count(.miss, call, adding: 0) < missesPerMinute else { throw Self.tooMany }
        guard let code = LinkCode(call.parameter("code")) else { throw missed(call) }
        return code
    }

    /// Takes note of a code that leads nowhere.
    package func missed(_ call: Call) -> Problem {
        _ = count(.miss, call, adding: 1)
        return .notFound("payment link")
    }

    /// Takes note of an action.
    /// - Throws: ``Problem`` 429 when there were too many.
    package func act(_ call: Call) throws {
        guard count(.action, call, adding: 1) <= actionsPerMinute else { throw Self.tooMany }
    }

    /// 429: wait a minute.
    package static let tooMany = Problem(
        429, code: "rate_limited", title: "Too many requests", detail: "Wait a minute and try again.",
        headers: [HeaderField("Retry-After", "60")])

    private func count(_ kind: Kind, _ call: Call, adding: Int) -> Int {
        let now: ContinuousClock.Instant = .now
        let key = "\(kind.rawValue) \(call.clientAddress)"
        return windows.withLock { windows in
            if windows.count > Self.maxWindows {
                windows = windows.filter { now - $0.value.began < Self.minute }
                if windows.count > Self.maxWindows { windows.removeAll() }
            }
            var window: Window = windows[key] ?? Window(began: now, count: 0)
            if now - window.began >= Self.minute { window = Window(began: now, count: 0) }
            window.count += adding
            if window.count > 0 { windows[key] = window }
            return window.count
        }
    }
}
