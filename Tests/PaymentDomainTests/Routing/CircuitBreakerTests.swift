import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Circuit breakers") struct CircuitBreakerTests {
    private static let start = Instant(seconds: 1_800_000_000)
    private static let policy = CircuitBreaker.Policy(
        window: .seconds(60), steps: 6, minimumCount: 10, failureShare: 5_000, openFor: .seconds(30), probes: 2,
        probeTimeout: .seconds(20))

    private func at(_ seconds: Int64) -> Instant { Self.start + .seconds(seconds) }

    private func closed(good: Int, bad: Int, at seconds: Int64 = 0) -> CircuitBreaker {
        var breaker = CircuitBreaker(policy: Self.policy)
        for _ in 0..<good { breaker = breaker.after(.answered(probe: false), at: at(seconds)) }
        for _ in 0..<bad { breaker = breaker.after(.failed(probe: false), at: at(seconds)) }
        return breaker
    }

    @Test(
        "it opens at the share, with enough answers",
        arguments: [
            (5, 4, false), (6, 4, false), (5, 5, true), (0, 9, false), (0, 10, true), (6, 5, false), (6, 6, true),
            (100, 99, false), (100, 100, true),
        ])
    func trips(good: Int, bad: Int, isOpen: Bool) {
        let breaker = closed(good: good, bad: bad)
        #expect((breaker.phase == .open(until: at(30))) == isOpen)
        #expect((breaker.admission(at: at(0)) == .allowed) == !isOpen)
    }

    @Test("failures leave the window step by step") func sliding() {
        let old = closed(good: 0, bad: 9, at: 0)
        #expect(old.after(.failed(probe: false), at: at(49)).phase == .open(until: at(79)))
        // 60 seconds later the step of the nine is gone.
        let later = old.after(.failed(probe: false), at: at(60))
        #expect(later.phase == .closed)
        #expect(later.counts.total(at: at(60)) == (0, 1))
        #expect(later.counts.buckets.count == 1)
    }

    @Test("open refuses until its time, then probes; two good ones close it") func closes() {
        let open = closed(good: 0, bad: 10)
        #expect(open.admission(at: at(29)) == .refused(until: at(30)))
        #expect(open.admission(at: at(30)) == .probe)
        #expect(open.after(.probeStarted, at: at(29)) == open)
        let one = open.after(.probeStarted, at: at(30))
        #expect(one.phase == .halfOpen(good: 0, underWay: [at(30)]))
        #expect(one.admission(at: at(31)) == .probe)
        let two = one.after(.probeStarted, at: at(31))
        #expect(two.admission(at: at(31)) == .refused(until: nil))
        let good = two.after(.answered(probe: true), at: at(32))
        #expect(good.admission(at: at(32)) == .refused(until: nil))
        let closed = good.after(.answered(probe: true), at: at(33))
        #expect(closed.phase == .closed)
        #expect(closed.counts.buckets.isEmpty)
        #expect(closed.generation == 3)
    }

    @Test("a bad probe opens it again") func reopens() {
        let probing = closed(good: 0, bad: 10).after(.probeStarted, at: at(30))
        #expect(probing.after(.failed(probe: true), at: at(40)).phase == .open(until: at(70)))
    }

    @Test("a probe that never comes back makes room after its time") func lostProbe() {
        let probing = closed(good: 0, bad: 10).after(.probeStarted, at: at(30)).after(.probeStarted, at: at(30))
        #expect(probing.admission(at: at(49)) == .refused(until: nil))
        #expect(probing.admission(at: at(50)) == .probe)
        #expect(probing.after(.probeStarted, at: at(50)).phase == .halfOpen(good: 0, underWay: [at(50)]))
    }

    @Test("answers to calls from before change nothing while it is open or half open") func late() {
        let open = closed(good: 0, bad: 10)
        let probing = open.after(.probeStarted, at: at(30))
        for breaker in [open, probing] {
            #expect(breaker.after(.answered(probe: false), at: at(31)) == breaker)
            #expect(breaker.after(.failed(probe: false), at: at(31)) == breaker)
        }
        #expect(open.after(.answered(probe: true), at: at(31)) == open)
        let closed = closed(good: 1, bad: 0)
        #expect(closed.after(.failed(probe: true), at: at(1)) == closed)
    }

    @Test("instances add up what each saw: neither alone would open") func merges() {
        let one = closed(good: 3, bad: 3)
        let two = closed(good: 2, bad: 4, at: 5)
        let both = one.merging(two, at: at(5))
        #expect(both.phase == .open(until: at(35)))
        #expect(one.merging(closed(good: 2, bad: 1), at: at(5)).phase == .closed)
    }

    @Test("the later generation wins, of two alike the more careful") func mergesPhases() {
        let calm = closed(good: 1, bad: 0)
        let open = closed(good: 0, bad: 10)
        let probing = open.after(.probeStarted, at: at(30))
        #expect(calm.merging(open, at: at(1)) == open)
        #expect(open.merging(calm, at: at(1)) == open)
        #expect(open.merging(probing, at: at(31)) == probing)
        let again = probing.after(.failed(probe: true), at: at(31))
        let done = probing.after(.answered(probe: true), at: at(32)).after(.answered(probe: true), at: at(33))
        #expect(again.generation == done.generation)
        #expect(again.merging(done, at: at(33)) == again)
        #expect(done.merging(again, at: at(33)) == again)
        let good = probing.after(.answered(probe: true), at: at(32))
        #expect(good.merging(good, at: at(33)).phase == .closed)
    }

    @Test("one that was stored goes on where it was") func stored() {
        let open = closed(good: 0, bad: 10)
        let restored = CircuitBreaker(
            policy: open.policy, phase: open.phase, generation: open.generation, counts: open.counts)
        #expect(restored == open)
        #expect(closed(good: 0, bad: 0) == CircuitBreaker(policy: Self.policy))
    }

    @Test("counts merge in any order and group") func countsMerge() {
        var random = Seeded()
        for _ in 0..<200 {
            let three: [CircuitCounts] = (0..<3).map { _ in
                var counts = CircuitCounts(step: .seconds(10), steps: 6)
                for _ in 0..<20 {
                    counts.add(
                        answered: Int64.random(in: 0...3, using: &random),
                        failed: Int64.random(in: 0...3, using: &random),
                        at: at(Int64.random(in: 0...120, using: &random)))
                }
                return counts
            }
            let (a, b, c) = (three[0], three[1], three[2])
            #expect(a.merging(b) == b.merging(a), "seed \(random.seed)")
            #expect(a.merging(b).merging(c) == a.merging(b.merging(c)), "seed \(random.seed)")
        }
    }

    @Test("counts stop at the largest number, and times before the epoch fall into steps") func edges() {
        var counts = CircuitCounts(step: .seconds(10), steps: 6)
        counts.add(answered: .max, failed: -5, at: at(0))
        counts.add(answered: 1, failed: 0, at: at(0))
        #expect(counts.total(at: at(0)) == (.max, 0))
        #expect(counts.number(of: Instant(microseconds: -1)) == -1)
        #expect(counts.number(of: Instant(microseconds: 9_999_999)) == 0)
        #expect(CircuitCounts(step: .zero, steps: 0).step == .microseconds(1))
    }

    @Test("whatever happens, it is open only after failures, and lets calls through again in time") func walks() {
        var random = Seeded()
        for _ in 0..<200 {
            var breaker = CircuitBreaker(policy: Self.policy)
            var seconds: Int64 = 0
            for _ in 0..<100 {
                seconds += Int64.random(in: 0...8, using: &random)
                let now = at(seconds)
                switch breaker.admission(at: now) {
                case .allowed:
                    let isGood: Bool = Bool.random(using: &random)
                    breaker = breaker.after(isGood ? .answered(probe: false) : .failed(probe: false), at: now)
                    if isGood { #expect(breaker.phase == .closed, "seed \(random.seed)") }
                case .probe:
                    let probing = breaker.after(.probeStarted, at: now)
                    #expect(probing != breaker, "seed \(random.seed)")
                    breaker = probing.after(
                        Bool.random(using: &random) ? .answered(probe: true) : .failed(probe: true), at: now)
                case .refused(let until): #expect(until.map { $0 > now } ?? true, "seed \(random.seed)")
                }
            }
            #expect(breaker.admission(at: at(seconds + 30)) != .refused(until: nil), "seed \(random.seed)")
        }
    }
}
