import BillingCore
import Synchronization
import TestKit
import Testing

@Suite("Typed ids", .serialized) struct IDTests {
    private let now = Instant(seconds: 1_800_000_000)

    @Test("a new id has its prefix and 26 digits, and parses") func shape() throws {
        func check<ID: TypedID>(_ type: ID.Type, _ prefix: String) {
            let id = ID.new(at: now)
            #expect(ID.prefix == prefix && id.rawValue.hasPrefix(prefix + "_"))
            #expect(id.rawValue.utf8.count == prefix.utf8.count + 27)
            #expect(ID(id.description) == id)
        }
        check(CustomerID.self, "cus")
        check(PlanID.self, "plan")
        check(SubscriptionID.self, "sub")
        check(BillingID.self, "bil")
        check(InvoiceID.self, "inv")
        check(PaymentID.self, "pay")
        check(PaymentMethodID.self, "pm")
        check(RefundID.self, "re")
        check(AssessmentID.self, "fra")
        check(EventID.self, "evt")
        check(JournalEntryID.self, "je")
        check(APIKeyID.self, "key")
        check(AttemptID.self, "att")
    }

    @Test(
        "text that is no id of the type is refused",
        arguments: [
            "", "inv", "inv_", "pay_01jd9y4w3hf3zt0v8c2m5k7q9r", "inv_01jd9y4w3hf3zt0v8c2m5k7q9",
            "inv-01jd9y4w3hf3zt0v8c2m5k7q9r",
            "inv_01jd9y4w3hf3zt0v8c2m5k7q9rr", "inv_81jd9y4w3hf3zt0v8c2m5k7q9r", "inv_01JD9Y4W3HF3ZT0V8C2M5K7Q9R",
            "inv_01jd9y4w3hf3zt0v8c2m5k7q9i", "inv_01jd9y4w3hf3zt0v8c2m5k7q9l", "inv_01jd9y4w3hf3zt0v8c2m5k7q9o",
            "inv_01jd9y4w3hf3zt0v8c2m5k7q9u", "inv_01jd9y4w3hf3zt0v8c2m5k7q9\u{0}", "INV_01jd9y4w3hf3zt0v8c2m5k7q9r",
            "inv_01jd9y4w3hf3zt0v8c2m5k7qé",
        ])
    func refused(text: String) {
        #expect(InvoiceID(text) == nil)
    }

    @Test("callers may choose the ids of customers and plans") func foreign() {
        let longest = String(repeating: "x", count: 64)
        for text in ["premium_monthly", "A-1", "0", "_", longest, "pay_01jd9y4w3hf3zt0v8c2m5k7q9r"] {
            #expect(CustomerID(text)?.rawValue == text && PlanID(text)?.rawValue == text)
        }
        for text in ["", longest + "x", "a b", "a.b", "a/b", "é", "a\n", "\u{212A}"] {
            #expect(CustomerID(text) == nil && PlanID(text) == nil)
        }
        #expect(SubscriptionID("premium_monthly") == nil)
    }

    @Test("the first id of an instant comes before all that are made then, and after all that were made before")
    func first() {
        var random = Seeded()
        for _ in 0..<1_000 {
            let at = Instant(microseconds: Int64.random(in: 1...4_000_000_000_000, using: &random) * 1_000)
            let first = PaymentID.first(at: at)
            #expect(PaymentID(first.description) == first && first.madeAt == at)
            #expect(first <= PaymentID.made(at: at))
            #expect(PaymentID.made(at: at - .milliseconds(1)) < first)
        }
        #expect(PaymentID.first(at: Instant(seconds: -1)) == PaymentID.first(at: Instant(seconds: 0)))
    }

    @Test("ids rise even when the clock stands still or goes back") func monotonic() {
        var random = Seeded()
        var last = EventID.new(at: now)
        for round in 0..<200_000 {
            let shift = round.isMultiple(of: 3) ? 0 : Int64.random(in: -5_000_000...1_000, using: &random)
            let id = EventID.new(at: now.adding(.microseconds(shift)))
            if id <= last { Issue.record("\(id) after \(last), seed \(random.seed)") }
            last = id
        }
    }

    @Test("a later instant gives a later id, before and after the epoch alike") func ordered() {
        let far = now.adding(.seconds(86_400 * 3_650))
        let first = InvoiceID.new(at: far)
        let second = InvoiceID.new(at: far.adding(.milliseconds(1_000)))
        #expect(first < second)
        #expect(InvoiceID.new(at: Instant(seconds: -5)) > second)
    }

    @Test("ids made on many threads at once are all different") func concurrent() async {
        let made = await withTaskGroup(of: [PaymentID].self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<5_000).map { _ in PaymentID.new(at: Instant(seconds: 1_700_000_000)) } }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(made).count == 40_000)
    }
}
