import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentStripe
import TestKit
import Testing

@Suite("Disputes at Stripe") struct StripeDisputeTests {
    private static let payment: String = PaymentID.made(at: StripeWorld.now).rawValue
    /// When the disputes of these tests were made, and took money.
    private static let began: Int64 = 1_899_999_000

    /// A Dispute's JSON, its PaymentIntent expanded.
    private static func dispute(
        _ status: String, fees: [Int64]? = [1_500], amounts: [Int64] = [-1_999, 1_999], response: String? = nil,
        payment: String? = payment
    ) -> String {
        let movements: [JSONValue] = zip(fees ?? [], amounts).enumerated().map { index, moved in
            let created: Int64 = began + Int64(index) * 60
            return [
                "fee": .number("\(moved.0)"), "amount": .number("\(moved.1)"), "currency": "usd",
                "created": .number("\(created)"),
            ]
        }
        let value: JSONValue = [
            "id": "dp_1", "object": "dispute", "status": .string(status), "reason": "fraudulent", "amount": 1_999,
            "currency": "usd", "charge": "ch_1", "created": .number("\(began)"),
            "evidence_details": ["due_by": 1_900_600_000], "is_charge_refundable": false,
            "balance_transactions": fees == nil ? .null : .array(movements),
            "metadata": .object(
                response.map { [JSONMember(name: "dispute_response_id", value: .string($0))] } ?? []),
            "payment_intent": [
                "id": "pi_1",
                "metadata": .object(payment.map { [JSONMember(name: "payment_id", value: .string($0))] } ?? []),
            ],
        ]
        return value.description
    }

    private static let statuses: [(String, DisputeStatus, Bool)] = [
        ("warning_needs_response", .inquiry, true), ("warning_under_review", .inquiry, false),
        ("warning_closed", .closed, false), ("needs_response", .needsResponse, true),
        ("under_review", .underReview, false), ("appeal_needs_response", .underReview, false),
        ("appeal_under_review", .underReview, false), ("won", .won, false),
        ("lost", .lost, false),
    ]

    @Test("every status of Stripe's has its place", arguments: statuses)
    func stage(_ row: (status: String, stage: DisputeStatus, awaitsEvidence: Bool)) async throws {
        let world = StripeWorld(.answer(200, Self.dispute(row.status)))
        let told: ProviderDispute = try #require(try await world.adapter.readDispute("dp_1"))
        #expect(told.stage == row.stage && (told.evidenceDueBy != nil) == row.awaitsEvidence)
        #expect((told.appealDueBy != nil) == (row.status == "appeal_needs_response"))
        #expect(told.taken == "pi_1" && told.paymentID?.rawValue == Self.payment)
        #expect(told.amount == Money(minor: 1_999, currency: .usd))
        #expect(world.transport.requests[0].url.contains("expand[0]=payment_intent"))
    }

    @Test("the fee is what its movements of the balance say, and unknown before there is one") func fees() async throws
    {
        let cases: [([Int64]?, Int64?)] = [([1_500], 1_500), ([1_500, -1_500], 0), ([], nil), (nil, nil)]
        for (fees, expected) in cases {
            let world = StripeWorld(.answer(200, Self.dispute("won", fees: fees)))
            #expect(try await world.adapter.readDispute("dp_1")?.fee?.minor == expected)
        }
    }

    @Test("a dispute that was prevented is lost where it took money, and closed where it took none, or gave it back")
    func prevented() async throws {
        let cases: [([Int64]?, DisputeStatus)] = [([0], .lost), ([], .closed), (nil, .closed), ([0, 0], .closed)]
        for (fees, expected) in cases {
            let world = StripeWorld(.answer(200, Self.dispute("prevented", fees: fees)))
            let told: ProviderDispute = try #require(try await world.adapter.readDispute("dp_1"))
            #expect(told.stage == expected && told.amount == Money(minor: 1_999, currency: .usd))
        }
        // A reading that was too early for the movement is put right by the next.
        #expect(DisputeStatus.closed.after(.lost, .unknown) == .lost)
    }

    @Test("the fee of the later reading counts, whichever comes first") func feeOfTheLaterReading() async throws {
        let world = StripeWorld(
            .answer(200, Self.dispute("won", fees: [1_500])), .answer(200, Self.dispute("won", fees: [1_500, -1_500])))
        var told: [DisputeStanding] = []
        for _ in 0..<2 {
            let read: ProviderDispute = try #require(try await world.adapter.readDispute("dp_1"))
            told.append(
                DisputeStanding(status: read.stage, amount: read.amount, fee: read.fee, changedAt: read.changedAt))
        }
        #expect(told[0].after(told[1])?.fee?.minor == 0)
        #expect(told[1].after(told[0]) == nil)
        #expect(told[1].after(told[1]) == nil)
    }

    @Test("a dispute of a charge without our mark is not ours; one unknown there is none") func foreign() async throws {
        let world = StripeWorld(
            .answer(200, Self.dispute("lost", payment: nil)),
            .answer(404, refusal("invalid_request_error", code: "resource_missing")))
        #expect(try await world.adapter.readDispute("dp_1")?.paymentID == nil)
        #expect(try await world.adapter.readDispute("dp_1") == nil)
        #expect(try await world.adapter.readDispute("../dp") == nil)
    }

    private func evidence(_ age: Int64 = 0) -> EvidenceRequest {
        EvidenceRequest(
            idempotencyKey: .made(at: Instant(seconds: StripeWorld.now.seconds - age)), reference: "dp_1",
            evidence: DisputeEvidence([.uncategorizedText: "signed & sealed", .customerName: "Ada"]))
    }

    @Test("evidence goes all at once, under the response's key, with its id in the metadata") func submits()
        async throws
    {
        let asked = evidence()
        let world = StripeWorld(
            .answer(200, Self.dispute("under_review")), .answer(200, Self.dispute("under_review")))
        guard case .standing(let told) = try await world.adapter.submitEvidence(asked) else {
            Issue.record("refused")
            return
        }
        #expect(told.stage == .underReview)
        let sent = world.transport.requests[0]
        #expect(world.paths == ["/v1/disputes/dp_1", "/v1/disputes/dp_1"] && sent.method == "POST")
        #expect(sent.header("Idempotency-Key") == "\(asked.idempotencyKey):evidence")
        #expect(
            sent.text == "evidence[customer_name]=Ada&evidence[uncategorized_text]=signed%20%26%20sealed&submit=true"
                + "&metadata[dispute_response_id]=\(asked.idempotencyKey)")
    }

    @Test("evidence whose answer was lost is looked for first, and not handed in twice") func found() async throws {
        let asked = evidence(90_000)
        let world = StripeWorld(
            .answer(200, Self.dispute("under_review", response: asked.idempotencyKey.rawValue)))
        guard case .standing = try await world.adapter.submitEvidence(asked) else {
            Issue.record("refused")
            return
        }
        #expect(world.methods == ["GET"])
    }

    @Test("a closed dispute refuses evidence; giving in to one that is lost already is done") func closed() async throws
    {
        let refused = refusal("invalid_request_error")
        let world = StripeWorld(
            .answer(400, refused), .answer(200, Self.dispute("lost")), .answer(400, refused),
            .answer(200, Self.dispute("lost")))
        #expect(try await world.adapter.submitEvidence(evidence()) == .refused(code: "invalid_request_error"))
        let acceptance = DisputeAcceptance(idempotencyKey: .made(at: StripeWorld.now), reference: "dp_1")
        guard case .standing(let told) = try await world.adapter.acceptDispute(acceptance) else {
            Issue.record("refused")
            return
        }
        #expect(told.stage == .lost && world.paths[2] == "/v1/disputes/dp_1/close")
    }

    @Test("no answer leaves the outcome open") func lost() async throws {
        let world = StripeWorld(steps: Array(repeating: .fault(.timedOut), count: 4))
        await #expect(throws: ProviderFault.timedOut) { try await world.adapter.submitEvidence(evidence()) }
    }

    /// - Parameter evidence: How much of it each dispute carries.
    private static func events(_ ids: [String], evidence: Int = 0) -> String {
        let data: [JSONValue] = ids.map { id in
            ["id": .string(id), "object": "event", "data": ["object": listed("dp_of_\(id)", evidence: evidence)]]
        }
        let page: JSONValue = ["object": "list", "data": .array(data), "has_more": false]
        return page.description
    }

    private static func disputes(_ ids: [String], evidence: Int = 0) -> String {
        let data: [JSONValue] = ids.map { listed($0, evidence: evidence) }
        let page: JSONValue = ["object": "list", "data": .array(data), "has_more": false]
        return page.description
    }

    private static func listed(_ id: String, evidence: Int) -> JSONValue {
        let log = String(repeating: "x", count: evidence)
        return ["id": .string(id), "object": "dispute", "evidence": ["access_activity_log": .string(log)]]
    }

    @Test("events are read on from the last one seen; where that is gone the newest disputes are named") func changes()
        async throws
    {
        let world = StripeWorld(
            .answer(200, Self.events(["evt_3", "evt_2"])), .answer(200, Self.events([])),
            .answer(400, refusal("invalid_request_error", code: "resource_missing")),
            .answer(200, Self.events(["evt_5"])), .answer(200, Self.newest))
        let some = try await world.adapter.changedDisputes(since: "evt_1")
        #expect(some == ChangedDisputes(references: ["dp_of_evt_3", "dp_of_evt_2"], cursor: "evt_3"))
        #expect(world.transport.requests[0].url.hasSuffix("ending_before=evt_1&limit=100"))
        let none = try await world.adapter.changedDisputes(since: "evt_3")
        #expect(none == ChangedDisputes(references: [], cursor: "evt_3"))
        let again = try await world.adapter.changedDisputes(since: "evt_3")
        #expect(again == ChangedDisputes(references: ["dp_9"], cursor: "evt_5"))
    }

    private static let newest: String = disputes(["dp_9"])

    @Test("lists are read whose disputes carry much evidence") func muchEvidence() async throws {
        let names: [String] = (0..<100).map { "dp_\($0)" }
        let ids: [String] = (0..<100).map { "evt_\(200 - $0)" }
        let world = StripeWorld(
            .answer(200, Self.events([])), .answer(200, Self.disputes(names, evidence: 12_000)),
            .answer(200, Self.events(ids, evidence: 12_000)))
        let start: ChangedDisputes = try await world.adapter.changedDisputes(since: nil)
        #expect(start == ChangedDisputes(references: names, cursor: StripeWorld.now.rfc3339))
        let news: ChangedDisputes = try await world.adapter.changedDisputes(since: "evt_100")
        #expect(news == ChangedDisputes(references: ids.map { "dp_of_\($0)" }, cursor: "evt_200", hasMore: true))
    }

    /// What comes of a list that is longer than an answer may be.
    private static let tooLong: FakeTransport.Step = .fault(.tooLong(ProviderHTTPRequest.longestAnswer))

    @Test("where a page of events would be too long, a quarter of it is asked for, and so on down to one")
    func smallerPages() async throws {
        let world = StripeWorld(
            Self.tooLong, Self.tooLong, .answer(200, Self.events((0..<6).map { "evt_\(20 - $0)" })),
            Self.tooLong, Self.tooLong, Self.tooLong, Self.tooLong)
        let news: ChangedDisputes = try await world.adapter.changedDisputes(since: "evt_1")
        #expect(news.references.count == 6 && news.cursor == "evt_20" && news.hasMore)
        await #expect(throws: ProviderFault.tooLong(ProviderHTTPRequest.longestAnswer)) {
            _ = try await world.adapter.changedDisputes(since: "evt_20")
        }
        let limits: [Substring] = world.transport.requests.compactMap { $0.url.split(separator: "=").last }
        #expect(limits == ["100", "25", "6", "100", "25", "6", "1"])
        #expect(world.waits.list.isEmpty, "the same request would have the same answer")
    }

    @Test("smaller pages of the newest disputes, and of all events, are read on, and nothing is left out")
    func severalPages() async throws {
        let names: [String] = (0..<28).map { "dp_\($0)" }
        let ids: [String] = (0..<28).map { "evt_\(200 - $0)" }
        let world = StripeWorld(
            .answer(200, Self.events([])), Self.tooLong, .answer(200, Self.disputes(Array(names[..<25]))),
            .answer(200, Self.disputes(Array(names[25...]))),
            Self.tooLong, .answer(200, Self.events(Array(ids[..<25]))), .answer(200, Self.events(Array(ids[25...]))))
        let start: ChangedDisputes = try await world.adapter.changedDisputes(since: nil)
        #expect(start.references == names)
        #expect(world.transport.requests[3].url.hasSuffix("starting_after=dp_24&limit=25"))
        let news: ChangedDisputes = try await world.adapter.changedDisputes(since: start.cursor)
        #expect(news.references == ids.map { "dp_of_\($0)" } && news.cursor == "evt_200")
        #expect(world.transport.requests[6].url.hasSuffix("starting_after=evt_176&limit=25"))
    }

    @Test("while there are no events the newest disputes are named once, and then nothing, until there is one")
    func quiet() async throws {
        let first: [String] = (0..<100).map { "evt_\(200 - $0)" }
        let world = StripeWorld(
            .answer(200, Self.events([])), .answer(200, Self.newest), .answer(200, Self.events([])),
            .answer(200, Self.events(first)), .answer(200, Self.events(["evt_100"])))
        let start = try await world.adapter.changedDisputes(since: nil)
        #expect(start.references == ["dp_9"] && start.cursor == StripeWorld.now.rfc3339)
        world.clock.advance(by: .seconds(60))
        let quiet = try await world.adapter.changedDisputes(since: start.cursor)
        #expect(quiet.references.isEmpty && quiet.cursor == (StripeWorld.now + .seconds(60)).rfc3339)
        let news = try await world.adapter.changedDisputes(since: quiet.cursor)
        #expect(news.references == (first + ["evt_100"]).map { "dp_of_\($0)" } && news.cursor == "evt_200")
        #expect(world.paths.filter { $0 == "/v1/disputes" }.count == 1)
        #expect(world.transport.requests[4].url.hasSuffix("starting_after=evt_101&limit=100"))
    }

    @Test("after a look so long ago that events may be gone since, the newest disputes are named", arguments: [29, 40])
    func longAgo(days: Int) async throws {
        let world = StripeWorld(.answer(200, Self.events([])), .answer(200, Self.newest))
        world.clock.advance(by: .seconds(days * 86_400))
        let news = try await world.adapter.changedDisputes(since: StripeWorld.now.rfc3339)
        #expect(news == ChangedDisputes(references: ["dp_9"], cursor: world.clock.now.rfc3339))
    }
}
