import BillingEvents
import Foundation
import Testing

@Suite("The AsyncAPI document") struct AsyncAPITests {
    @Test("docs/asyncapi.yaml says exactly what the code does") func committed() throws {
        let rendered: String = AsyncAPIDocument.render()
        if Repository.isUpdating { try Repository.write(Array(rendered.utf8), to: "docs/asyncapi.yaml") }
        let committed: [UInt8] = try #require(try Repository.bytes("docs/asyncapi.yaml"))
        let isCurrent: Bool = committed == Array(rendered.utf8)
        #expect(
            isCurrent,
            "run REFRAIN_UPDATE_DOCS=1 make test ONLY=BillingEventsTests and review the difference")
    }

    @Test("every topic and every event is in it, each event with a line that says what it means") func complete() {
        let rendered: String = AsyncAPIDocument.render()
        for topic in Topic.allCases {
            #expect(rendered.contains("address: \(topic.rawValue)\n"))
            #expect(rendered.contains("address: \(topic.parked)\n"))
        }
        for event in EventCatalog.all {
            #expect(rendered.contains("name: \(event.type)\n"))
            #expect(!AsyncAPIDocument.summary(of: event.type).isEmpty, "\(event.type) has no summary")
        }
    }

    @Test("event types are unique, versioned, and each is published on one topic") func types() {
        let types: [String] = EventCatalog.all.map { $0.type }
        #expect(Set(types).count == types.count)
        for type in types {
            #expect(type.range(of: #"^[a-z_]+\.[a-z_]+\.v[1-9][0-9]*$"#, options: .regularExpression) != nil, "\(type)")
        }
    }
}
