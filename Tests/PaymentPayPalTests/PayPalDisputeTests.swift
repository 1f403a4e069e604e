import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentPayPal
import Testing

@Suite("Disputes at PayPal") struct PayPalDisputeTests {
    /// A dispute's JSON (the `dispute` schema of Customer Disputes v1).
    private static func dispute(
        _ status: String, stage: String = "CHARGEBACK", outcome: String? = nil, refunded: String? = nil,
        movements: [JSONValue]? = nil, note: String? = nil
    ) -> JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "dispute_id", value: "PP-D-1"), JSONMember(name: "status", value: .string(status)),
            JSONMember(name: "dispute_life_cycle_stage", value: .string(stage)),
            JSONMember(name: "reason", value: "UNAUTHORISED"),
            JSONMember(name: "dispute_amount", value: Say.amount("12.34")),
            JSONMember(name: "create_time", value: "2027-01-01T00:00:00.000Z"),
            JSONMember(name: "update_time", value: "2027-01-02T00:00:00.000Z"),
            JSONMember(name: "seller_response_due_date", value: "2027-01-11T00:00:00.000Z"),
            JSONMember(
                name: "disputed_transactions",
                value: [["seller_transaction_id": "CAP1", "custom": .string(Say.payment)]]),
        ]
        if let outcome {
            var decided: [JSONMember] = [JSONMember(name: "outcome_code", value: .string(outcome))]
            if let refunded { decided.append(JSONMember(name: "amount_refunded", value: Say.amount(refunded))) }
            members.append(JSONMember(name: "dispute_outcome", value: .object(decided)))
        }
        if let movements { members.append(JSONMember(name: "money_movements", value: .array(movements))) }
        if let note { members.append(JSONMember(name: "evidences", value: [["notes": .string(note)]])) }
        return .object(members)
    }

    private static let stages: [(String, String, String?, DisputeStatus)] = [
        ("OPEN", "INQUIRY", nil, .inquiry), ("WAITING_FOR_SELLER_RESPONSE", "INQUIRY", nil, .inquiry),
        ("RESOLVED", "INQUIRY", "CANCELED_BY_BUYER", .closed), ("RESOLVED", "INQUIRY", "ACCEPTED", .closed),
        ("RESOLVED", "INQUIRY", "RESOLVED_BUYER_FAVOUR", .closed), ("RESOLVED", "INQUIRY", "NONE", .closed),
        ("WAITING_FOR_SELLER_RESPONSE", "CHARGEBACK", nil, .needsResponse),
        ("WAITING_FOR_BUYER_RESPONSE", "CHARGEBACK", nil, .underReview),
        ("UNDER_REVIEW", "CHARGEBACK", nil, .underReview),
        ("OPEN", "PRE_ARBITRATION", nil, .underReview), ("OTHER", "ARBITRATION", nil, .underReview),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_BUYER_FAVOUR", .lost), ("RESOLVED", "CHARGEBACK", "ACCEPTED", .lost),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_SELLER_FAVOUR", .won),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_WITH_PAYOUT", .won), ("RESOLVED", "CHARGEBACK", "CANCELED_BY_BUYER", .won),
        ("RESOLVED", "CHARGEBACK", "DENIED", .won), ("RESOLVED", "CHARGEBACK", "NONE", .won),
    ]

    @Test("every status and outcome has its place", arguments: stages)
    func stage(_ row: (status: String, stage: String, outcome: String?, expected: DisputeStatus)) async throws {
        let world = FakeWorld([.answer(200, Self.dispute(row.status, stage: row.stage, outcome: row.outcome))])
        let told = try #require(try await world.adapter.readDispute("PP-D-1"))
        #expect(told.stage == row.expected && told.taken == "CAP1" && told.reason == "fraudulent")
        #expect(told.paymentID?.rawValue == Say.payment && told.amount == money(12_34))
        #expect((told.evidenceDueBy != nil) == (row.status == "WAITING_FOR_SELLER_RESPONSE"))
        #expect(told.changedAt == Instant(rfc3339: "2027-01-02T00:00:00Z") && told.fee == nil)
        #expect(world.fake.lines == ["GET /v1/customer/disputes/PP-D-1"])
    }

    @Test("a dispute lost in part is over what went back; its fee is told by the report, and not twice") func parts()
        async throws
    {
        let movements: [JSONValue] = [
            [
                "affected_party": "SELLER", "type": "DEBIT", "reason": "DISPUTE_SETTLEMENT",
                "amount": Say.amount("5.00"),
            ],
            ["affected_party": "SELLER", "type": "DEBIT", "reason": "DISPUTE_FEE", "amount": Say.amount("15.00")],
            ["affected_party": "SELLER", "type": "CREDIT", "reason": "CHARGEBACK_FEE", "amount": Say.amount("3.00")],
            ["affected_party": "BUYER", "type": "DEBIT", "reason": "DISPUTE_FEE", "amount": Say.amount("9.00")],
        ]
        let world = FakeWorld([
            .answer(
                200,
                Self.dispute("RESOLVED", outcome: "RESOLVED_BUYER_FAVOUR", refunded: "5.00", movements: movements))
        ])
        let told = try #require(try await world.adapter.readDispute("PP-D-1"))
        #expect(told.amount == money(5_00) && told.fee == nil)
    }

    @Test(
        "what makes no sense is not believed",
        arguments: [
            dispute("RESOLVED"), dispute("UNDER_REVIEW", outcome: "ACCEPTED"), dispute("RESOLVED", outcome: "PERHAPS"),
            dispute("SOMETHING"), ["dispute_id": "PP-D-2"], [:],
        ] as [JSONValue])
    func hostile(_ answer: JSONValue) async throws {
        let world = FakeWorld([.answer(200, answer)])
        await #expect(throws: ProviderFault.self) { try await world.adapter.readDispute("PP-D-1") }
    }

    private func evidence(_ texts: [EvidenceField: String]) -> EvidenceRequest {
        EvidenceRequest(idempotencyKey: id(), reference: "PP-D-1", evidence: DisputeEvidence(texts))
    }

    @Test("evidence goes as a form, its note ends in the response's id, a tracking number is proof of shipment")
    func submits() async throws {
        let key: DisputeResponseID = id()
        let open = Self.dispute("WAITING_FOR_SELLER_RESPONSE")
        let after = Self.dispute("UNDER_REVIEW", note: "customer_name: Ada\n\(key)")
        let world = FakeWorld([.answer(200, open), .answer(200, ["links": []]), .answer(200, after)])
        let asked = evidence([.customerName: "Ada", .shippingTrackingNumber: "1Z9", .shippingCarrier: "Post"])
        guard case .standing(let told) = try await world.adapter.submitEvidence(asked) else {
            Issue.record("refused")
            return
        }
        #expect(told.stage == .underReview)
        let sent = world.fake.sent[1]
        #expect(sent.line == "POST /v1/customer/disputes/PP-D-1/provide-evidence")
        #expect(sent.headers["Content-Type"]?.hasPrefix("multipart/form-data; boundary=") == true)
        let text = String(decoding: sent.body, as: UTF8.self)
        #expect(text.contains("name=\"input\"\r\nContent-Type: application/json\r\n\r\n{"))
        #expect(text.contains("PROOF_OF_FULFILLMENT") && text.contains("1Z9") && text.contains(#"\n\#(key)""#))
    }

    @Test("long evidence goes in pieces that PayPal takes, all of it and in order, each ending in the response's id")
    func pieces() async throws {
        let key: DisputeResponseID = id()
        let open = Self.dispute("WAITING_FOR_SELLER_RESPONSE")
        let after = Self.dispute("UNDER_REVIEW", note: "a letter\n\(key)")
        // One that a person sees is four to a computer, or more.
        let letter = String(repeating: "a👩‍👧é", count: 1_500)
        for number: String? in [nil, "1Z9"] {
            let world = FakeWorld([.answer(200, open), .answer(200, ["links": []]), .answer(200, after)])
            var texts: [EvidenceField: String] = [.uncategorizedText: letter]
            texts[.shippingTrackingNumber] = number
            guard case .standing = try await world.adapter.submitEvidence(evidence(texts)) else {
                Issue.record("refused")
                return
            }
            let form = String(decoding: world.fake.sent[1].body, as: UTF8.self)
            let json: Substring = try #require(form.split(separator: "\r\n").first { $0.hasPrefix("{") })
            let sent: [JSONValue] = try parseJSON(Array(json.utf8))["evidences"]?.arrayValue ?? []
            let notes: [String] = sent.compactMap { $0["notes"]?.stringValue }
            #expect(notes.count > 1 && notes.count == sent.count)
            #expect(notes.allSatisfy { $0.utf16.count <= 2_000 && $0.hasSuffix("\n\(key)") })
            let whole: String = notes.map { String($0.dropLast(key.rawValue.count + 1)) }.joined()
            #expect(whole.hasSuffix(letter) || whole.contains(letter + "\n"))
            #expect(
                sent.map { $0["evidence_type"]?.stringValue }
                    == [number == nil ? "OTHER" : "PROOF_OF_FULFILLMENT"]
                    + Array(repeating: "OTHER", count: sent.count - 1))
        }
        // Nothing is left out unsaid.
        let world = FakeWorld([])
        let long = evidence([.uncategorizedText: String(repeating: "x", count: 99_000)])
        #expect(try await world.adapter.submitEvidence(long) == .refused(code: "evidence_too_long"))
        #expect(world.fake.sent.isEmpty)
    }

    @Test("evidence whose answer was lost is not handed in twice") func found() async throws {
        let key: DisputeResponseID = id()
        let world = FakeWorld([.answer(200, Self.dispute("UNDER_REVIEW", note: "a letter\n\(key)"))])
        guard case .standing = try await world.adapter.submitEvidence(evidence([.uncategorizedText: "a letter"])) else {
            Issue.record("refused")
            return
        }
        #expect(world.fake.lines.count == 1)
    }

    @Test("a refusal is told in PayPal's words; giving in closes in the buyer's favor") func accepts() async throws {
        let open = Self.dispute("WAITING_FOR_SELLER_RESPONSE")
        let world = FakeWorld([
            .answer(200, open), .refusal(422, "INVALID_DISPUTE_STATE"), .answer(200, open), .answer(200, open),
            .answer(200, ["links": []]), .answer(200, Self.dispute("RESOLVED", outcome: "ACCEPTED")),
        ])
        let refused = try await world.adapter.submitEvidence(evidence([.customerName: "Ada"]))
        #expect(refused == .refused(code: "INVALID_DISPUTE_STATE"))
        let acceptance = DisputeAcceptance(idempotencyKey: id(), reference: "PP-D-1")
        guard case .standing(let told) = try await world.adapter.acceptDispute(acceptance) else {
            Issue.record("refused")
            return
        }
        #expect(told.stage == .lost && world.fake.sent[4].json?["accept_claim_type"]?.stringValue == "REFUND")
    }

    @Test(
        "a response that PayPal rejects is refused, unless the dispute shows that it was taken",
        arguments: [(400, "INVALID_REQUEST"), (403, "NOT_AUTHORIZED")])
    func rejected(status: Int, name: String) async throws {
        let key: DisputeResponseID = id()
        let asked = evidence([.customerName: "Ada"])
        let open = Self.dispute("WAITING_FOR_SELLER_RESPONSE")
        let rejection = FakePayPal.Step.refusal(status, nil, name: name)
        let world = FakeWorld([.answer(200, open), rejection, .answer(200, open)])
        #expect(try await world.adapter.submitEvidence(asked) == .refused(code: name))
        let after = Self.dispute("UNDER_REVIEW", note: "customer_name: Ada\n\(key)")
        let taken = FakeWorld([.answer(200, open), rejection, .answer(200, after)])
        guard case .standing = try await taken.adapter.submitEvidence(asked) else {
            Issue.record("refused")
            return
        }
        // The evidence may have been taken before, and the dispute may not show it yet.
        let doubtful = FakeWorld([.answer(200, open), .fault(.timedOut), rejection, .answer(200, open)])
        await #expect(throws: ProviderFault.timedOut) { try await doubtful.adapter.submitEvidence(asked) }
    }

    @Test("a shipment that PayPal's form has no room for stands in the notes")
    func longShipment() async throws {
        let key: DisputeResponseID = id()
        let open = Self.dispute("WAITING_FOR_SELLER_RESPONSE")
        let after = Self.dispute("UNDER_REVIEW", note: "a letter\n\(key)")
        func sent(number: String, carrier: String) async throws -> [JSONValue] {
            let world = FakeWorld([.answer(200, open), .answer(200, ["links": []]), .answer(200, after)])
            _ = try await world.adapter.submitEvidence(
                evidence([.shippingTrackingNumber: number, .shippingCarrier: carrier]))
            let form = String(decoding: world.fake.sent[1].body, as: UTF8.self)
            let json: Substring = try #require(form.split(separator: "\r\n").first { $0.hasPrefix("{") })
            return try parseJSON(Array(json.utf8))["evidences"]?.arrayValue ?? []
        }
        let number = String(repeating: "9", count: 256)
        let unproven = try await sent(number: number, carrier: "Post")
        #expect(unproven.map { $0["evidence_type"]?.stringValue } == ["OTHER"])
        #expect(unproven.first?["notes"]?.stringValue?.contains(number) == true)
        let carrier = String(repeating: "c", count: 2_001)
        let proven = try await sent(number: String(number.dropLast()), carrier: carrier)
        let shipment: JSONValue? = proven.first?["evidence_info"]?["tracking_info"]?[0]
        #expect(shipment?["tracking_number"]?.stringValue?.count == 255)
        #expect(shipment?["carrier_name_other"]?.stringValue == "other")
    }

    /// A page of the list of disputes.
    private func listing(_ ids: [(String, String)], next: String? = nil) -> JSONValue {
        let items: [JSONValue] = ids.map { ["dispute_id": .string($0.0), "update_time": .string($0.1)] }
        let links: [JSONValue] = next.map { [["rel": "next", "href": .string($0)]] } ?? []
        return ["items": .array(items), "links": .array(links)]
    }

    @Test("after half a year of quiet the list begins where PayPal still looks back to") func quiet() async throws {
        let world = FakeWorld([
            .answer(200, listing([])), .answer(200, listing([("PP-D-1", "2027-01-14T00:00:00Z")])),
        ])
        let old = "2026-01-01T00:00:00Z"
        let none = try await world.adapter.changedDisputes(since: old)
        #expect(none == ChangedDisputes(references: [], cursor: old))
        let some = try await world.adapter.changedDisputes(since: old)
        #expect(some == ChangedDisputes(references: ["PP-D-1"], cursor: "2027-01-14T00:00:00Z"))
        let line = "GET /v1/customer/disputes?page_size=50&update_time_after=2026-07-20T08:00:00Z"
        #expect(world.fake.lines == [line, line])
    }

    @Test("more changes than are read at once are told, and the next polls go on until all were")
    func many() async throws {
        // Latest first, a second apart, as PayPal may list them; the list is cut after twenty pages.
        let pages: [FakePayPal.Step] = (0..<20).map { (number: Int) -> FakePayPal.Step in
            let second: String = number < 10 ? "\(19 - number)" : "0\(19 - number)"
            let next = "https://x.test/v1/customer/disputes?page=\(number + 2)"
            return .answer(200, listing([("PP-D-\(number)", "2027-01-10T00:00:\(second)Z")], next: next))
        }
        let world = FakeWorld(
            pages + [
                .answer(200, listing([("PP-D-30", "2027-01-10T00:00:02Z")])),
                .answer(200, listing([("PP-D-0", "2027-01-10T00:00:19Z")])),
            ])
        let start = "2027-01-09T00:00:00Z"
        let first = try await world.adapter.changedDisputes(since: start)
        #expect(first.references.count == 20 && first.hasMore && first.cursor != start)
        let second = try await world.adapter.changedDisputes(since: first.cursor)
        #expect(second.references == ["PP-D-30"] && second.hasMore && second.cursor != first.cursor)
        let third = try await world.adapter.changedDisputes(since: second.cursor)
        #expect(third == ChangedDisputes(references: ["PP-D-0"], cursor: "2027-01-10T00:00:19Z"))
        let path = "GET /v1/customer/disputes?page_size=50&update_time_after="
        #expect(
            world.fake.lines.filter { $0.hasPrefix(path) } == [
                path + start, path + start + "&update_time_before=2027-01-10T00:00:10Z",
                path + "2027-01-10T00:00:10Z",
            ])
        #expect(world.fake.isOver)
    }

    @Test("changes are listed page by page from the last update seen") func changes() async throws {
        let world = FakeWorld([
            .answer(
                200,
                listing([("PP-D-3", "2027-01-03T00:00:00Z")], next: "https://x.test/v1/customer/disputes?page=2&a=b")),
            .answer(200, listing([("PP-D-2", "2027-01-02T00:00:00Z")])), .answer(200, listing([])),
        ])
        let first = try await world.adapter.changedDisputes(since: nil)
        #expect(
            first.references == ["PP-D-3", "PP-D-2"]
                && first.cursor.flatMap { Instant(rfc3339: $0) } == Instant(rfc3339: "2027-01-03T00:00:00Z"))
        let none = try await world.adapter.changedDisputes(since: first.cursor)
        #expect(none.references.isEmpty && none.cursor == first.cursor)
        #expect(
            world.fake.lines == [
                "GET /v1/customer/disputes?page_size=50", "GET /v1/customer/disputes?page=2&a=b",
                "GET /v1/customer/disputes?page_size=50&update_time_after=\(first.cursor ?? "")",
            ])
    }
}
