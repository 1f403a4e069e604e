import BillingCore
import PaymentContract
import Synchronization
import TestKit

/// How many more steps a daemon has: a request is two, one before it is sent and one after it was carried out. With the
/// last step it is dead: it sends nothing, hears nothing and reaches no database any more.
final class MatrixLife: Sendable {
    private let left: Mutex<Int>

    init(steps: Int) { left = Mutex(steps) }

    var isOver: Bool { left.withLock { $0 <= 0 } }

    func step() -> Bool {
        left.withLock { left in
            left -= 1
            return left > 0
        }
    }

    func end() { left.withLock { $0 = 0 } }
}

/// The way of a daemon to its provider, which ends with the daemon.
struct MortalTransport: ProviderTransport {
    let life: MatrixLife
    let transport: SocketTransport

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        guard life.step() else { throw .timedOut }
        let answer: ProviderHTTPAnswer = try await transport.send(request)
        guard life.step() else { throw .timedOut }
        return answer
    }
}

/// The machine's clock, as wrong as it is set.
struct WrongClock: WallClock {
    let error: Duration
    var now: Instant { SystemClock().now + error }
}

/// How far clocks are apart from the database's, in seconds.
struct MatrixClocks: Sendable {
    /// The provider's. A webhook that is signed more than five minutes from now is not believed.
    let provider: Int
    /// What signs its webhooks; never ahead, so that a stale one stays stale.
    let signatures: Int
    /// The daemons'.
    let daemons: [Int]

    static func draw(_ random: inout Seeded) -> MatrixClocks {
        MatrixClocks(
            provider: Int.random(in: -600...240, using: &random), signatures: Int.random(in: -240...0, using: &random),
            daemons: [Int.random(in: -600 ... -60, using: &random), Int.random(in: 60...600, using: &random)])
    }
}
