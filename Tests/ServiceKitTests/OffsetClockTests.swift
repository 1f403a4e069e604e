import BillingCore
import ServiceKit
import TestKit
import Testing

@Suite("The sandbox's clock") struct OffsetClockTests {
    private static let start = Instant(seconds: 1_800_000_000)
    private let ticker = ManualClock(start)
    private var clock: OffsetClock { OffsetClock(system: ticker) }

    /// How long something really took.
    private func took(_ work: () async -> Void) async -> Duration {
        let began: ContinuousClock.Instant = .now
        await work()
        return began.duration(to: .now)
    }

    @Test("it is ahead of the system by its offset") func ahead() {
        let clock: OffsetClock = clock
        #expect(clock.now == Self.start)
        clock.setOffset(.seconds(86_400))
        #expect(clock.now == Self.start.adding(.seconds(86_400)))
        let target: Instant = Self.start.adding(.seconds(400 * 86_400))
        clock.setOffset(clock.offset(reaching: target))
        #expect(clock.now == target)
    }

    @Test("a time that has come is not slept for") func past() async {
        let clock: OffsetClock = clock
        #expect(await took { await clock.sleep(until: Self.start, atMost: .seconds(60)) } < .seconds(1))
        let before: Instant = Self.start.adding(.seconds(-5))
        #expect(await took { await clock.sleep(until: before, atMost: .seconds(60)) } < .seconds(1))
        #expect(await took { await clock.sleep(until: Self.start.adding(.seconds(60)), atMost: .zero) } < .seconds(1))
    }

    @Test("a sleeper does not sleep longer than it may, however far its time is") func atMost() async {
        let clock: OffsetClock = clock
        let far: Instant = Self.start.adding(.seconds(86_400))
        let slept: Duration = await took { await clock.sleep(until: far, atMost: .milliseconds(60)) }
        #expect(slept >= .milliseconds(50) && slept < .seconds(5))
    }

    @Test("a jump wakes every sleeper, and so does a poke") func woken() async {
        for wake: @Sendable (OffsetClock) -> Void in [{ $0.setOffset(.seconds(10)) }, { $0.poke() }] {
            let clock: OffsetClock = clock
            let far: Instant = Self.start.adding(.seconds(86_400))
            let slept: Duration = await took {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<20 { group.addTask { await clock.sleep(until: far, atMost: .seconds(60)) } }
                    group.addTask {
                        // Whoever has not lain down yet when it comes is woken by the next one.
                        while !Task.isCancelled {
                            wake(clock)
                            clock.poke()
                            await Task.yield()
                        }
                    }
                    for _ in 0..<20 { await group.next() }
                    group.cancelAll()
                }
            }
            #expect(slept < .seconds(10))
        }
    }

    @Test("a jump is not missed by a sleeper that is just lying down") func noLostJump() async {
        for round in 0..<2_000 {
            let clock: OffsetClock = clock
            let due: Instant = Self.start.adding(.seconds(5))
            async let jump: Void = clock.setOffset(.seconds(10))
            let slept: Duration = await took { await clock.sleep(until: due, atMost: .seconds(20)) }
            await jump
            #expect(slept < .seconds(4), "round \(round)")
            if slept >= .seconds(4) { return }
        }
    }

    @Test("the same offset again wakes nobody") func sameOffset() async {
        let clock: OffsetClock = clock
        clock.setOffset(.seconds(10))
        let far: Instant = clock.now.adding(.seconds(86_400))
        async let again: Void = { for _ in 0..<50 { clock.setOffset(.seconds(10)) } }()
        let slept: Duration = await took { await clock.sleep(until: far, atMost: .milliseconds(80)) }
        await again
        #expect(slept >= .milliseconds(70))
    }

    @Test("a cancelled sleeper returns at once, before or while it sleeps") func cancelled() async {
        let clock: OffsetClock = clock
        let far: Instant = Self.start.adding(.seconds(86_400))
        for yields in 0..<200 {
            let sleeper = Task { await clock.sleep(until: far, atMost: .seconds(60)) }
            for _ in 0..<yields { await Task.yield() }
            sleeper.cancel()
            #expect(await took { await sleeper.value } < .seconds(5), "after \(yields) yields")
        }
        // Nobody is left on the list: a poke afterwards resumes nothing twice.
        clock.poke()
    }
}
