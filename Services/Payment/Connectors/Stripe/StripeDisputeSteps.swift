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
    /// How many events, or disputes, a page has, where they are not too long.
    static let disputePage = 100
    /// How many pages of events, were they whole, are read at once after a look that found none.
    static let eventPages = 100
    /// How long an event is there for sure: Stripe keeps events for 30 days, and clocks may disagree.
    static let eventsKeptFor: Duration = .seconds(29 * 86_400)

    package var disputesPolledEvery: Duration { .seconds(60) }
    /// Some requests, of which the one that gets no answer is made four times at half a minute each.
    package var longestDisputeCall: Duration { .seconds(300) }

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

    /// Reads the account's events on from the last one seen, which is the cursor. A look that found none has its own
    /// time as the cursor: whatever event there is after it is new. Stripe keeps events for 30 days; where the last one
    /// seen is gone, the look was too long ago, or there was none, the newest disputes are named instead.
    package func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        guard let cursor else { return try await newestDisputes() }
        guard isStripeID(cursor) else { return try await changedDisputes(sinceLook: cursor) }
        var form: StripeForm = Self.eventForm
        form.add("ending_before", .text(cursor))
        let read: (reply: StripeReply, limit: Int) = try await client.page("/v1/events", form, most: Self.disputePage)
        switch read.reply {
        case .object(let page, _):
            let events: [StripeFields] = try page.list("data")
            // Newest first: the first one is where the next page begins.
            let newest: String? = try events.first?.id(of: "event")
            return ChangedDisputes(
                references: try Self.references(of: events), cursor: newest ?? cursor,
                hasMore: events.count == read.limit)
        case .refused(let refusal) where refusal.code == "resource_missing": return try await newestDisputes()
        case .refused(let refusal): throw .unusable("a read was refused: \(refusal.name)")
        case .stuck(let status): throw .unavailable(status)
        }
    }

    /// Reads all the events that Stripe keeps: a look a while ago found none.
    /// - Parameter look: The time of that look.
    private func changedDisputes(sinceLook look: String) async throws(ProviderFault) -> ChangedDisputes {
        let now: Instant = configuration.clock.now
        guard let last = Instant(rfc3339: look), now - last < Self.eventsKeptFor else {
            return try await newestDisputes()
        }
        var references: [String] = []
        var newest: String?
        var oldest: String?
        var limit: Int = Self.disputePage
        while references.count < Self.disputePage * Self.eventPages {
            var form: StripeForm = Self.eventForm
            form.add("starting_after", oldest)
            let read: (fields: StripeFields?, limit: Int) = try await client.list("/v1/events", form, most: limit)
            let events: [StripeFields] = try read.fields?.list("data") ?? []
            references += try Self.references(of: events)
            if newest == nil { newest = try events.first?.id(of: "event") }
            guard events.count == read.limit else {
                return ChangedDisputes(references: references, cursor: newest ?? now.rfc3339)
            }
            oldest = try events.last?.id(of: "event")
            limit = read.limit
        }
        throw .unusable("there are too many events of disputes")
    }

    /// The cursor is read first: what changes meanwhile is told of again.
    private func newestDisputes() async throws(ProviderFault) -> ChangedDisputes {
        let now: Instant = configuration.clock.now
        let last: (fields: StripeFields?, limit: Int) = try await client.list("/v1/events", Self.eventForm, most: 1)
        let newest: String? = try last.fields?.list("data").first?.id(of: "event")
        var references: [String] = []
        var limit: Int = Self.disputePage
        // As many as a whole page has, in several where that is too long.
        while references.count < Self.disputePage {
            var form = StripeForm()
            form.add("starting_after", references.last)
            let read: (fields: StripeFields?, limit: Int) = try await client.list("/v1/disputes", form, most: limit)
            let disputes: [StripeFields] = try read.fields?.list("data") ?? []
            for dispute in disputes { references.append(try dispute.id(of: "dispute")) }
            guard disputes.count == read.limit else { break }
            limit = read.limit
        }
        return ChangedDisputes(references: references, cursor: newest ?? now.rfc3339)
    }

    /// The disputes that events are about.
    private static func references(of events: [StripeFields]) throws(ProviderFault) -> [String] {
        var references: [String] = []
        for event in events { references.append(try event.fields("data").fields("object").id(of: "dispute")) }
        return references
    }

    private static var eventForm: StripeForm {
        var form = StripeForm()
        form.add("types", .list(disputeEvents.map { .text($0) }))
        return form
    }
}

extension StripeDispute {
    /// The dispute in a provider's words.
    package var told: ProviderDispute {
        ProviderDispute(
            reference: id, taken: payment ?? charge, paymentID: paymentID, amount: amount, fee: fee, reason: reason,
            stage: stage, openedAt: created, evidenceDueBy: status.awaitsEvidence ? evidenceDue : nil,
            changedAt: changedAt, appealDueBy: status == .appealNeedsResponse ? evidenceDue : nil)
    }

    /// Where the dispute stands in common words. An appeal is the same dispute, still under review: its evidence is another
    /// (docs.stripe.com/disputes/arbitration), which is not handed in from here. One that was prevented is lost where it has
    /// taken money (Visa's Rapid Dispute Resolution), which its movements of the balance tell.
    var stage: DisputeStatus {
        switch status {
        case .warningNeedsResponse, .warningUnderReview: .inquiry
        case .warningClosed: .closed
        case .prevented: moved?.isNegative == true ? .lost : .closed
        case .needsResponse: .needsResponse
        case .underReview, .appealNeedsResponse, .appealUnderReview: .underReview
        case .won: .won
        case .lost: .lost
        }
    }
}

extension StripeDispute.Status {
    /// Whether evidence can be handed in.
    var awaitsEvidence: Bool { self == .warningNeedsResponse || self == .needsResponse }
}

extension ProviderDispute {
    /// Reads Stripe's dispute strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(stripe fields: StripeFields) throws(ProviderFault) { self = try StripeDispute(fields).told }
}
