import JSON
import PaymentDisputes
import PaymentDomain
import PaymentLinks
import PaymentService
import Testing

@Suite("Words that the document lists") struct ToldWordsTests {
    /// The words that one field of an answer may have, as its schema lists them; empty where it is any text.
    private func words<T: JSONOutput>(_ type: T.Type, _ path: String...) -> [String] {
        var found: JSONValue? = outputSchema(of: type)
        for name in path { found = found?["properties"]?[name] }
        return found?["enum"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }

    @Test("of a failed payment four classes are listed, and those are all that there are") func classes() {
        #expect(words(PaymentResource.self, "failure", "decline_class") == ["hard", "soft", "fraud", "action"])
        let reached: [Decline.Class] = Decline.Class.allCases.map(\.forDunning)
        #expect(Set(reached) == Set(Decline.Class.told))
        #expect(
            words(LinkStatusResource.self, "payment", "failure", "decline_class") == ["hard", "soft", "action"],
            "a page is told of no suspicion")
    }

    @Test("what a customer has to do, what Fraud decided and where an agreement stands are listed") func others() {
        let actions = ["redirect", "three_d_secure", "transfer"]
        #expect(words(PaymentResource.self, "next_action", "type") == actions)
        #expect(words(LinkStatusResource.self, "payment", "next_action", "type") == actions)
        #expect(words(PaymentResource.self, "risk", "decision") == ["approve", "review", "block"])
        #expect(words(PaymentMethodResource.self, "mandate", "status") == ["active", "ended"])
    }

    @Test("refunds and answers to disputes list what becomes of them") func followUps() {
        let states = ["processing", "succeeded", "failed"]
        #expect(words(RefundResource.self, "status") == states)
        #expect(words(DisputeResource.self, "response", "status") == states)
    }
}
