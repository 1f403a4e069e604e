import BillingCore
import PaymentContract
import PaymentDomain
import PaymentSandbox
import Postgres
import Synchronization

/// The sandbox provider with faults of a real one: it may book and not answer, not hear, or be away.
final class ScriptedProvider: PaymentProvider {
    /// What goes wrong with the calls from now on.
    enum Mood: Sendable {
        case well
        /// Books a charge or refund; the answer is lost, and nothing can be read back.
        case booksAndVanishes
        /// Hears nothing.
        case away
        /// Lets whoever asks wait.
        case silent
        /// No connection comes about: nothing is sent.
        case unreachable
        /// Does what it is asked to, and reads nothing back.
        case forgetful
    }

    /// What it says no to for good.
    enum Refusal: Sendable { case captures, releases, refunds }

    let name = "sandbox"
    var capabilities: ProviderCapabilities { sandbox.capabilities }
    let sandbox: SandboxProvider
    private let mood = Mutex<Mood>(.well)
    private let requests = Mutex<[ChargeRequest]>([])
    private let refusal = Mutex<ProviderDecline?>(nil)
    private let refusals = Mutex<Set<Refusal>>([])
    private let whileReleasing = Mutex<(@Sendable () async -> Void)?>(nil)
    private let elsewhere = Mutex<[String]>([])
    private let lost = Atomic<Int>(0)
    private let hung = Atomic<Int>(0)

    init(_ pool: PostgresPool, _ clock: any WallClock) { sandbox = SandboxProvider(pool: pool, clock: clock) }

    /// The charges that were asked for, or asked about.
    var asked: [ChargeRequest] { requests.withLock { $0 } }
    /// How many charges were asked for.
    var charges: Int { charged.load(ordering: .relaxed) }
    private let charged = Atomic<Int>(0)

    /// How many answers did not arrive.
    var lostAnswers: Int { lost.load(ordering: .relaxed) }

    /// How many charges could not be read back. A charge under way asks nothing after that: whoever waits for it may turn
    /// the mood.
    var readInVain: Int { unread.load(ordering: .relaxed) }
    private let unread = Atomic<Int>(0)

    /// How many calls have had to wait without an answer.
    var waiting: Int { hung.load(ordering: .relaxed) }

    func turn(_ new: Mood) { mood.withLock { $0 = new } }

    /// What it says to charges from now on; without it the sandbox answers.
    func refuse(with new: ProviderDecline?) { refusal.withLock { $0 = new } }
    /// What it says no to from now on.
    func refuse(_ calls: Set<Refusal>) { refusals.withLock { $0 = calls } }
    private func refuses(_ call: Refusal) -> Bool { refusals.withLock { $0.contains(call) } }
    private var now: Mood { mood.withLock { $0 } }

    /// What happens elsewhere before the answer to the next release is heard.
    func whileReleasing(_ work: @escaping @Sendable () async -> Void) { whileReleasing.withLock { $0 = work } }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        charged.add(1, ordering: .relaxed)
        requests.withLock { $0.append(request) }
        if let refusal: ProviderDecline = refusal.withLock({ $0 }) { return .declined(refusal) }
        return try await moody { () throws(ProviderFault) in try await sandbox.charge(request) }
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        requests.withLock { $0.append(request) }
        if now == .silent { await hang() }
        if now != .well {
            unread.add(1, ordering: .relaxed)
            throw .timedOut
        }
        // Who asks first, the call itself or a sweeper, is told the same.
        if let refusal: ProviderDecline = refusal.withLock({ $0 }) { return .declined(refusal) }
        return try await sandbox.outcome(of: request)
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        if refuses(.captures) { return .refused(code: "not_capturable") }
        return try await moody { () throws(ProviderFault) in try await sandbox.capture(request) }
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        if refuses(.releases) { return .refused(code: "not_releasable") }
        let answer: ReleaseAnswer = try await moody { () throws(ProviderFault) in try await sandbox.release(request) }
        let meanwhile: (@Sendable () async -> Void)? = whileReleasing.withLock { work in
            defer { work = nil }
            return work
        }
        await meanwhile?()
        return answer
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        if refuses(.refunds) { return .refused(code: "insufficient_funds") }
        return try await moody { () throws(ProviderFault) in try await sandbox.refund(request) }
    }

    func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        if now != .well { throw .timedOut }
        return try await sandbox.refund(named: reference)
    }

    func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        if now != .well { throw .timedOut }
        return try await sandbox.lookUp(request)
    }

    func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        if now != .well { throw .timedOut }
        return try await sandbox.holds(reference)
    }

    func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        if now != .well { throw .timedOut }
        return try await sandbox.takings(of: reference)
    }

    /// The sandbox has no list of them: those that a test has told of.
    func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund] {
        if now != .well { throw .timedOut }
        var all: [ProviderRefund] = []
        for name in elsewhere.withLock({ $0 }) {
            if let refund = try await sandbox.refund(named: name), refund.taken == reference { all.append(refund) }
        }
        return all
    }

    /// The names of refunds that were made at its own pages.
    func refundedElsewhere(_ names: [String]) { elsewhere.withLock { $0 = names } }

    /// Returns when whoever waits has had enough.
    private func hang() async {
        hung.add(1, ordering: .relaxed)
        try? await Task.sleep(for: .seconds(3_600))
    }

    func moody<Answer>(
        _ ask: () async throws(ProviderFault) -> Answer
    ) async throws(ProviderFault) -> Answer {
        if now == .silent { await hang() }
        if now == .unreachable { throw .notSent("no connection") }
        if now == .away || now == .silent { throw .timedOut }
        let answer: Answer = try await ask()
        if now == .booksAndVanishes {
            lost.add(1, ordering: .relaxed)
            throw .timedOut
        }
        return answer
    }
}
