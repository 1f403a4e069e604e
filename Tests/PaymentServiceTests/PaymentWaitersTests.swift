import BillingCore
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import Synchronization
import TestKit
import Testing

/// Real time that stands still until it is turned.
private final class HandTimer: Sendable {
    private struct State {
        var now: ContinuousClock.Instant = .now
        var asleep: [(until: ContinuousClock.Instant, waiting: CheckedContinuation<Void, Never>)] = []
        var set = 0
    }

    private let state = Mutex(State())

    /// How many timers have been set, and how many of them sleep.
    var set: Int { state.withLock { $0.set } }
    var asleep: Int { state.withLock { $0.asleep.count } }

    var timer: PaymentWaiters.Timer {
        PaymentWaiters.Timer(now: { self.state.withLock { $0.now } }) { until in
            await withCheckedContinuation { waiting in
                let isOver: Bool = self.state.withLock { state in
                    state.set += 1
                    guard until > state.now else { return true }
                    state.asleep.append((until, waiting))
                    return false
                }
                if isOver { waiting.resume() }
            }
        }
    }

    func turn(_ seconds: Int) { turn(by: .seconds(seconds)) }

    func turn(by duration: Duration) {
        let over: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.now += duration
            let now: ContinuousClock.Instant = state.now
            let over = state.asleep.filter { $0.until <= now }.map(\.waiting)
            state.asleep.removeAll { $0.until <= now }
            return over
        }
        for waiting in over { waiting.resume() }
    }
}

/// Callers, and what became of their waits: the payment, or nothing in time.
private final class Callers: Sendable {
    let waiters: PaymentWaiters
    private let ended = Mutex<[PaymentID: PaymentID?]>([:])

    init(_ timer: HandTimer, look: PaymentWaiters.Look? = nil) {
        waiters = PaymentWaiters(timer: timer.timer, look: look)
    }

    /// One more caller, announced.
    func expected() -> PaymentID {
        let id = PaymentID.new(at: PaymentWorld.start)
        _ = waiters.expect(id, claim: nil)
        return id
    }

    func wait(_ id: PaymentID, seconds: Int) -> Task<Void, Never> {
        Task {
            let settled: PaymentRecord? = await waiters.wait(id, atMost: .seconds(seconds))
            ended.withLock { $0[id] = .some(settled?.id) }
        }
    }

    /// The waits that have ended.
    var over: [PaymentID: PaymentID?] { ended.withLock { $0 } }
}

/// What is asked of the database, and what is said.
private final class Looks: Sendable {
    private let seen = Mutex<[Set<PaymentID>]>([])
    private let settled = Mutex<[PaymentID]>([])

    /// What each look was about.
    var asked: [Set<PaymentID>] { seen.withLock { $0 } }

    /// Another process settles a payment.
    func settle(_ id: PaymentID) { settled.withLock { $0.append(id) } }

    func look(_ payments: [PaymentID]) -> [PaymentID] {
        seen.withLock { $0.append(Set(payments)) }
        return settled.withLock { $0.filter(payments.contains) }
    }
}

extension PaymentRecord {
    fileprivate static func settled(_ id: PaymentID, attempts: Int = 1) -> PaymentRecord {
        PaymentRecord(
            id: id, customerID: .sample, paymentMethodID: .sample, provider: "sandbox",
            amount: Money(minor: 999, currency: .usd), amountCaptured: 999, amountRefunded: 0, status: .succeeded,
            invoiceID: nil, subscriptionID: nil, description: nil, metadata: "{}", offSession: false,
            authenticated: false, attempts: attempts, attemptID: .sample, declineCode: nil, riskScore: nil,
            riskDecision: nil,
            riskReasons: [], createdAt: .sample)
    }
}

@Suite("Callers that wait for their payments") struct PaymentWaitersTests {
    @Test("who waits for a further attempt is not told the end of the one before, early or late")
    func furtherAttempt() async throws {
        let waiters = PaymentWaiters()
        let id = PaymentID.new(at: PaymentWorld.start)
        #expect(waiters.expect(id, claim: nil))
        #expect(!waiters.expect(id, claim: nil), "one caller is told; others look for themselves")
        waiters.settled([.settled(id)])
        let wait = Task { await waiters.wait(id, atMost: .seconds(60), from: 2) }
        try await eventually(within: .seconds(10), "the caller waits") { waiters.waiting == 1 }
        waiters.settled([.settled(id)])
        #expect(waiters.waiting == 1)
        waiters.settled([.settled(id, attempts: 2)])
        #expect(await wait.value?.attempts == 2)
    }

    @Test("of two the one with less patience ends first, though it came second; the other waits on and is answered")
    func patience() async throws {
        let timer = HandTimer()
        let callers = Callers(timer)
        let (patient, hasty) = (callers.expected(), callers.expected())
        let first = callers.wait(patient, seconds: 10)
        try await eventually(within: .seconds(10), "the first waits") { timer.asleep == 1 }
        let second = callers.wait(hasty, seconds: 2)
        try await eventually(within: .seconds(10), "the second waits") { timer.asleep == 2 }
        timer.turn(1)
        #expect(callers.over.isEmpty)
        timer.turn(1)
        await second.value
        #expect(callers.over == [hasty: nil])
        timer.turn(7)
        callers.waiters.settled([.settled(patient)])
        await first.value
        #expect(callers.over == [hasty: nil, patient: patient])
        #expect(timer.set == 2, "the timer that was overtaken serves again")
    }

    @Test("one whose patience ends after another's is served by the same timer, and ends in its own time")
    func sameTimer() async throws {
        let timer = HandTimer()
        let callers = Callers(timer)
        let (early, late) = (callers.expected(), callers.expected())
        let first = callers.wait(early, seconds: 2)
        try await eventually(within: .seconds(10), "the first waits") { timer.asleep == 1 }
        timer.turn(1)
        let second = callers.wait(late, seconds: 2)
        try await eventually(within: .seconds(10), "the second waits") { callers.waiters.waiting == 2 }
        timer.turn(1)
        await first.value
        try await eventually(within: .seconds(10), "the next time is set") { timer.set == 2 }
        #expect(callers.over == [early: nil])
        timer.turn(1)
        await second.value
        #expect(callers.over == [early: nil, late: nil] && timer.asleep == 0)
    }

    @Test("a payment that settles before or during the wait ends it at once, and time then ends nothing more")
    func settled() async throws {
        let timer = HandTimer()
        let callers = Callers(timer)
        let (before, during) = (callers.expected(), callers.expected())
        callers.waiters.settled([.settled(before)])
        await callers.wait(before, seconds: 10).value
        #expect(timer.set == 0)
        let waiting = callers.wait(during, seconds: 10)
        try await eventually(within: .seconds(10), "it waits") { timer.asleep == 1 }
        callers.waiters.settled([.settled(during)])
        await waiting.value
        #expect(callers.over == [before: before, during: during])
        timer.turn(10)
        callers.waiters.settled([.settled(during)])
        #expect(callers.over == [before: before, during: during])
    }

    @Test("a caller that goes away, or is forgotten, ends at once and leaves the others waiting") func gone()
        async throws
    {
        let timer = HandTimer()
        let callers = Callers(timer)
        let (canceled, forgotten, other) = (callers.expected(), callers.expected(), callers.expected())
        let tasks = [canceled, forgotten, other].map { callers.wait($0, seconds: 5) }
        try await eventually(within: .seconds(10), "they wait") { callers.waiters.waiting == 3 }
        tasks[0].cancel()
        await tasks[0].value
        callers.waiters.forget(forgotten)
        await tasks[1].value
        #expect(callers.over.values.allSatisfy { $0 == nil } && callers.over[other] == nil)
        await callers.wait(PaymentID.new(at: PaymentWorld.start), seconds: 5).value
        callers.waiters.settled([.settled(other)])
        await tasks[2].value
        #expect(callers.over[other] == .some(other))
    }

    @Test("payments that others settle are looked for, those of all callers in one look, ever more rarely") func looks()
        async throws
    {
        let (timer, looks) = (HandTimer(), Looks())
        let callers = Callers(timer) { looks.look($0) }
        let (here, elsewhere, nowhere) = (callers.expected(), callers.expected(), callers.expected())
        let tasks = [here, elsewhere, nowhere].map { callers.wait($0, seconds: 1) }
        try await eventually(within: .seconds(10), "they wait") {
            callers.waiters.waiting == 3 && timer.asleep == 2
        }
        timer.turn(by: .milliseconds(20))
        callers.waiters.settled([.settled(here)])
        await tasks[0].value
        #expect(looks.asked.isEmpty, "nothing is asked for while this process has its time")
        looks.settle(elsewhere)
        var sleeps: Int = timer.set
        for waited in stride(from: 50, to: 1_000, by: 50) {
            timer.turn(by: .milliseconds(waited == 50 ? 30 : 50))
            sleeps += 1
            try await eventually(within: .seconds(10), "the next look is set") { timer.set == sleeps }
        }
        await tasks[1].value
        let later: [Set<PaymentID>] = Array(repeating: [nowhere], count: 4)
        #expect(looks.asked == [[elsewhere, nowhere]] + later, "after 50, 150, 350, 600 and 850 ms")
        timer.turn(by: .milliseconds(50))
        await tasks[2].value
        try await eventually(within: .seconds(10), "nobody is looked for any more") {
            timer.turn(by: .milliseconds(50))
            return timer.asleep == 0
        }
        #expect(callers.over == [here: here, elsewhere: nil, nowhere: nil] && looks.asked.count == 5)
    }

    @Test("when the process is about to end all waits end, and none begins; what has settled is still handed over")
    func stopping() async throws {
        let timer = HandTimer()
        let callers = Callers(timer)
        let (waiting, late, settled) = (callers.expected(), callers.expected(), callers.expected())
        let task = callers.wait(waiting, seconds: 100)
        try await eventually(within: .seconds(10), "one waits") { callers.waiters.waiting == 1 }
        #expect(!callers.waiters.isStopping)
        callers.waiters.settled([.settled(settled)])
        callers.waiters.stop()
        await task.value
        await callers.wait(late, seconds: 100).value
        await callers.wait(settled, seconds: 100).value
        #expect(callers.waiters.isStopping && callers.waiters.waiting == 0)
        #expect(callers.over == [waiting: nil, late: nil, settled: settled])
    }

    @Test("many at once end each in its own time or with its payment, whatever their order") func many() async throws {
        var random = Seeded()
        let timer = HandTimer()
        let callers = Callers(timer)
        var waiting: [(id: PaymentID, seconds: Int, task: Task<Void, Never>)] = []
        for _ in 0..<300 {
            let (id, seconds) = (callers.expected(), Int.random(in: 1...20, using: &random))
            waiting.append((id, seconds, callers.wait(id, seconds: seconds)))
        }
        try await eventually(within: .seconds(10), "all of them wait") { callers.waiters.waiting == 300 }
        for second in 1...20 {
            let paid = waiting.filter { $0.seconds >= second }.randomElement(using: &random)
            if let paid { callers.waiters.settled([.settled(paid.id)]) }
            timer.turn(1)
            for caller in waiting where caller.seconds == second || caller.id == paid?.id { await caller.task.value }
            let over: [PaymentID: PaymentID?] = callers.over
            for caller in waiting where caller.seconds <= second {
                #expect(over.keys.contains(caller.id), "seed \(random.seed)")
            }
            for caller in waiting where caller.seconds > second {
                #expect(over[caller.id] == nil || over[caller.id] == .some(caller.id), "seed \(random.seed)")
            }
            try await eventually(within: .seconds(10), "the next timer is set") {
                callers.waiters.waiting == 0 || timer.asleep > 0
            }
        }
        #expect(callers.over.count == 300 && timer.asleep == 0)
        #expect(timer.set <= 60, "timers are shared: \(timer.set)")
    }
}
