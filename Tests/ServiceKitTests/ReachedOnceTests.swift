import ServiceKit
import Testing

@Suite("Readiness for events") struct ReachedOnceTests {
    @Test("is kept once it was reached: a broker that goes away takes no service out") func kept() {
        let begun = ReachedOnce()
        #expect(begun.missing { "the broker is not reachable" } == "the broker is not reachable")
        #expect(begun.missing { "no partitions are assigned yet" } == "no partitions are assigned yet")
        #expect(begun.missing { nil } == nil)
        #expect(begun.missing { "no partitions are assigned yet" } == nil)
    }
}
