import BillingCore
import BillingEvents
import Messaging
import TestKit
import Testing

@Suite("Splitting a batch into waves") struct WavesTests {
    private func event(_ type: String, _ key: String) -> RawEvent {
        RawEvent(
            id: .new(at: MessagingWorld.start), type: type, source: "", time: MessagingWorld.start, key: key,
            traceparent: nil, topic: "t", body: [])
    }

    @Test("no events, no waves; one type, one wave") func simple() {
        #expect(Waves.split([]).isEmpty)
        let events: [RawEvent] = (0..<9).map { event("a", "k\($0 % 3)") }
        let waves = Waves.split(events)
        #expect(waves.count == 1 && waves[0].count == 1)
        #expect(waves[0][0].events.map(\.id) == events.map(\.id))
    }

    @Test("another type of the same key waits for the next wave; other keys do not") func types() {
        let events: [RawEvent] = [event("a", "x"), event("b", "x"), event("b", "y"), event("a", "y"), event("a", "x")]
        let waves = Waves.split(events).map { $0.map { "\($0.type): \($0.events.map(\.key).joined())" } }
        #expect(waves == [["a: x", "b: y"], ["b: x", "a: y"], ["a: x"]])
    }

    @Test("run in order, the waves hold every event once and each key's events in their order") func property() {
        var random = Seeded()
        for _ in 0..<400 {
            let keys = Int.random(in: 1...6, using: &random)
            let types = Int.random(in: 1...4, using: &random)
            let events: [RawEvent] = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                event("t\(Int.random(in: 0..<types, using: &random))", "k\(Int.random(in: 0..<keys, using: &random))")
            }
            let waves = Waves.split(events)
            var run: [RawEvent] = []
            for wave in waves {
                #expect(!wave.isEmpty && Set(wave.map(\.type)).count == wave.count, "seed \(random.seed)")
                for (type, batch) in wave {
                    #expect(!batch.isEmpty && batch.allSatisfy { $0.type == type }, "seed \(random.seed)")
                    run += batch
                }
            }
            #expect(run.count == events.count, "seed \(random.seed)")
            for key in Set(events.map(\.key)) {
                #expect(
                    run.filter { $0.key == key }.map(\.id) == events.filter { $0.key == key }.map(\.id),
                    "seed \(random.seed)")
            }
        }
    }
}
