import JSON
import Testing
struct Body: JSONInput, JSONOutput {
    var id, customer, sub, currency, status, at, key: String
    var amount, fee: Int64
    var flag: Bool
    var note: String?
    var meta: [String: String]
    init(_ f: inout InputFields) {
        id = f.string("id"); customer = f.string("customer_id"); sub = f.string("subscription_id")
        currency = f.string("currency"); status = f.string("status"); at = f.string("created_at"); key = f.string("key")
        amount = f.int("amount"); fee = f.int("fee_amount"); flag = f.bool("is_test"); note = f.optionalString("note")
        meta = f.stringMap("metadata")
    }
    func write(to o: inout ObjectWriter) {
        o.field("id", id); o.field("customer_id", customer); o.field("subscription_id", sub)
        o.field("currency", currency); o.field("status", status); o.field("created_at", at); o.field("key", key)
        o.field("amount", amount); o.field("fee_amount", fee); o.field("is_test", flag); o.field("note", note)
        o.field("metadata", meta)
    }
    static let sample: Body = { do { return try decode(Body.self, from: parseJSON("{\"id\":\"pay_01jd9y4w3hf3zt0v8c2m5k7q9r\",\"customer_id\":\"cus_01jd9y4w3hf3zt0v8c2m5k7q9r\",\"subscription_id\":\"sub_01jd9y4w3hf3zt0v8c2m5k7q9r\",\"currency\":\"USD\",\"status\":\"succeeded\",\"created_at\":\"2027-01-31T00:00:00Z\",\"key\":\"k\",\"amount\":1299,\"fee_amount\":67,\"is_test\":true,\"note\":null,\"metadata\":{}}")) } catch { fatalError() } }()
}
@Test func zbench() throws {
    let clock = ContinuousClock(); let v = Body.sample; var n = 0
    let bytes = encode(v)
    for _ in 0..<3 {
        let e = clock.measure { for _ in 0..<200_000 { n += encode(v).count } }
        let p = try clock.measure { for _ in 0..<100_000 { if try parseJSON(bytes).isNull { n += 1 } } }
        let j = try parseJSON(bytes)
        let d = try clock.measure { for _ in 0..<100_000 { n += try decode(Body.self, from: j).id.count } }
        print("BENCH encode", e / 200_000, "parse", p / 100_000, "decode", d / 100_000, n, bytes.count)
    }
}
