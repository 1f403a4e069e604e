import Telemetry
import Testing

@Suite("Trace context") struct TraceContextTests {
    static let example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("a header is read and written back unchanged") func roundTrip() throws {
        let context = try #require(TraceContext(traceparent: Self.example))
        #expect(context.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(context.span == 0xb7ad_6b71_6920_3331)
        #expect(context.flags == 1)
        #expect(context.traceparent == Self.example)
    }

    @Test("a child keeps the trace and has its own span") func child() throws {
        let parent = TraceContext.new()
        let child = parent.child()
        #expect(child.traceID == parent.traceID)
        #expect(child.span != parent.span)
        #expect(TraceContext(traceparent: child.traceparent) == child)
        #expect(TraceContext.new().traceID != parent.traceID)
    }

    @Test("a later version may append fields") func later() {
        #expect(TraceContext(traceparent: "01" + Self.example.dropFirst(2) + "-more") != nil)
        #expect(TraceContext(traceparent: "01" + Self.example.dropFirst(2) + "more") == nil)
    }

    @Test(
        "malformed headers are refused",
        arguments: [
            "", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01", "00-é",
        ])
    func malformed(_ text: String) {
        #expect(TraceContext(traceparent: text) == nil)
    }

    @Test("the current context follows the task") func current() async {
        let context = TraceContext.new()
        await TraceContext.$current.withValue(context) {
            await Task.yield()
            #expect(TraceContext.current == context)
        }
        #expect(TraceContext.current == nil)
    }
}
