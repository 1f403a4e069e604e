import BillingCore
package import PaymentContract
import PaymentDomain

extension StripeAdapter: ProviderDisputes {
    /// How long after its id was made a response may be new to Stripe; later it is looked for before it is handed in.
    static let newResponseFor: Duration = .seconds(60)
    /// The kinds of events that tell of disputes.
    static let disputeEvents: [String] = [
        "charge.dispute.created", "charge.dispute.updated", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated", "charge.dispute.closed",
    ]
    /// How many events, or disputes, a page has.
    static let disputePage = 100

    package var disputesPolledEvery: Duration { .seconds(60) }

    package func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try await dispute(reference)?.told
    }

    /// Hands in all evidence at once: Stripe takes it once only. The response's id stands in the dispute's metadata, so
    /// that a lost answer can be found again.
    package func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        var texts = StripeForm()
        for (kind, text) in request.evidence.texts.sorted(by: { $0.key < $1.key }) {
            texts.add(kind.rawValue, .text(text))
        }
        var metadata = StripeForm()
        metadata.add(StripeMetadata.response, .text(request.idempotencyKey.rawValue))
        var form = StripeForm()
        form.add("evidence", texts)
        form.add("submit", .flag(true))
        form.add("metadata", metadata)
        return try await respond(request.idempotencyKey, to: request.reference, "evidence", "", form) { dispute in
            dispute.response == request.idempotencyKey.rawValue
        }
    }

    /// Closes the dispute, which Stripe then calls lost.
    package func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        try await respond(request.idempotencyKey, to: request.reference, "close", "/close", StripeForm()) { dispute in
            dispute.status == .lost
        }
    }

    /// - Parameter isDone: Whether a dispute shows that Stripe took the response.
    private func respond(
        _ id: DisputeResponseID, to reference: String, _ verb: String, _ path: String, _ form: StripeForm,
        isDone: (StripeDispute) -> Bool
    ) async throws(ProviderFault) -> DisputeAnswer {
        guard isStripeID(reference) else { return .refused(code: "reference_malformed") }
        guard let made = id.madeAt else { throw .rejected(code: "response_id_malformed") }
        let age: Duration = configuration.clock.now.duration(since: made)
        let isNew: Bool = age < Self.newResponseFor && age + Self.clockTolerance > .zero
        if !isNew, let dispute = try await dispute(reference), isDone(dispute) { return .standing(dispute.told) }
        let call = StripeCall(kind: .post(key: "\(id):\(verb)"), path: "/v1/disputes/\(reference)\(path)", form: form)
        let reply: StripeReply = try await client.send(call, mayHaveHappened: !isNew)
        guard let standing = try await dispute(reference) else { return .refused(code: "resource_missing") }
        switch reply {
        case .object: return .standing(standing.told)
        case .refused(let refusal):
            return isDone(standing) ? .standing(standing.told) : .refused(code: refusal.name)
        case .stuck(let status):
            guard isDone(standing) else { throw .unavailable(status) }
            return .standing(standing.told)
        }
    }

    /// Reads the account's events on from the last one seen. Stripe keeps them for 30 days; where the last one seen is
    /// gone, or none was, the newest disputes are named instead.
    package func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        guard let cursor, isStripeID(cursor) else { return try await newestDisputes() }
        var form = Self.eventForm(limit: Self.disputePage)
        form.add("ending_before", .text(cursor))
        let call = StripeCall(kind: .get, path: "/v1/events", form: form)
        switch try await client.send(call, mayHaveHappened: true) {
        case .object(let page, _):
            let events: [StripeFields] = try page.list("data")
            var references: [String] = []
            for event in events {
                references.append(try event.fields("data").fields("object").id(of: "dispute"))
            }
            // Newest first: the first one is where the next page begins.
            let newest: String? = try events.first?.id(of: "event")
            return ChangedDisputes(
                references: references, cursor: newest ?? cursor, hasMore: events.count == Self.disputePage)
        case .refused(let refusal) where refusal.code == "resource_missing": return try await newestDisputes()
        case .refused(let refusal): throw .unusable("a read was refused: \(refusal.name)")
        case .stuck(let status): throw .unavailable(status)
        }
    }

    /// The cursor is read first: what changes meanwhile is told of again.
    private func newestDisputes() async throws(ProviderFault) -> ChangedDisputes {
        let events: [StripeFields] = try await client.get("/v1/events", Self.eventForm(limit: 1))?.list("data") ?? []
        let cursor: String? = try events.first?.id(of: "event")
        var form = StripeForm()
        form.add("limit", .integer(Int64(Self.disputePage)))
        let disputes: [StripeFields] = try await client.get("/v1/disputes", form)?.list("data") ?? []
        var references: [String] = []
        for dispute in disputes { references.append(try dispute.id(of: "dispute")) }
        return ChangedDisputes(references: references, cursor: cursor)
    }

    private static func eventForm(limit: Int) -> StripeForm {
        var form = StripeForm()
        form.add("types", .list(disputeEvents.map { .text($0) }))
        form.add("limit", .integer(Int64(limit)))
        return form
    }
}

extension StripeDispute {
    /// The dispute in a provider's words.
    package var told: ProviderDispute {
        ProviderDispute(
            reference: id, taken: payment ?? charge, paymentID: paymentID, amount: amount, fee: fee, reason: reason,
            stage: status.stage, openedAt: created, evidenceDueBy: status.awaitsEvidence ? evidenceDue : nil)
    }
}

extension StripeDispute.Status {
    /// Whether evidence can be handed in.
    var awaitsEvidence: Bool { self == .warningNeedsResponse || self == .needsResponse || self == .appealNeedsResponse }

    /// Where the dispute stands in common words. An appeal is the same dispute again; a prevented one took no money.
    var stage: DisputeStatus {
        switch self {
        case .warningNeedsResponse, .warningUnderReview: .inquiry
        case .warningClosed, .prevented: .closed
        case .needsResponse, .appealNeedsResponse: .needsResponse
        case .underReview, .appealUnderReview: .underReview
        case .won: .won
        case .lost: .lost
        }
    }
}
