import BillingCore
import JSON
package import PaymentContract
import PaymentDomain

/// Customer Disputes v1 (developer.paypal.com/docs/api/customer-disputes/v1). It documents no request ids: a response
/// whose answer was lost is looked for before it is given again.
extension PayPalAdapter: ProviderDisputes {
    /// How many disputes a page has; the most that PayPal gives.
    static let disputePage = 50
    /// How many pages are read at once.
    static let disputePages = 20
    /// How many characters the notes beside evidence may have (the `evidence` schema), counted in UTF-16, which counts no
    /// fewer than any other way.
    static let noteLimit = 2_000
    /// How many pieces of evidence are handed in at once.
    static let pieceLimit = 50
    /// How many characters a tracking number may have (the `tracking_info` schema), counted as notes are.
    static let trackingNumberLimit = 255
    /// How many characters a carrier's name may have (the `tracking_info` schema), counted as notes are.
    static let carrierLimit = 2_000
    /// How far back updates are asked for; PayPal refuses to look back more than 180 days.
    static let disputeNewsFor: Duration = .seconds(179 * 86_400)

    package var disputesPolledEvery: Duration { .seconds(60) }
    /// Some requests, of which the one that gets no answer is made four times at half a minute each.
    package var longestDisputeCall: Duration { .seconds(300) }

    package func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try await dispute(reference)?.told
    }

    /// Reads a dispute.
    /// - Returns: `nil` when PayPal knows none of that id.
    /// - Throws: ``ProviderFault``.
    package func dispute(_ id: String) async throws(ProviderFault) -> PayPalDispute? {
        guard PayPalDispute.isID(id) else { return nil }
        switch try await client.send(.get("/v1/customer/disputes/\(id)")) {
        case .done(let json):
            let dispute = try PayPalDispute(try json.required())
            try PayPalCheck.equal(dispute.id, id, "dispute")
            return dispute
        case .refused(let refusal):
            guard refusal.status == 404 else { throw .unusable("not readable: \(refusal.code)") }
            return nil
        }
    }

    /// Hands evidence in as notes, each in a piece of evidence of its own, and as proof of shipment where there is a
    /// tracking number that PayPal has room for. What needs more pieces than ``pieceLimit`` is refused: nothing is left
    /// out unsaid.
    package func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        let id: String = request.idempotencyKey.rawValue
        let pieces: [JSONValue] = Self.evidences(request.evidence, id: id)
        guard pieces.count <= Self.pieceLimit else { return .refused(code: "evidence_too_long") }
        let body: JSONValue = ["evidences": .array(pieces)]
        return try await respond("provide-evidence", to: request.reference, key: id, body, asForm: true) { dispute in
            dispute.notes.contains { $0.hasSuffix(id) }
        }
    }

    /// Accepts the claim: PayPal gives the buyer all of the money back.
    package func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        let id: String = request.idempotencyKey.rawValue
        let body: JSONValue = ["note": .string(id), "accept_claim_type": "REFUND"]
        return try await respond("accept-claim", to: request.reference, key: id, body, asForm: false) { dispute in
            dispute.outcome == .accepted
        }
    }

    /// Gives a response, and reads the dispute before and after: whatever PayPal says, the dispute shows whether the
    /// response, or an earlier try of it, was taken.
    /// - Parameter isDone: Whether a dispute shows that PayPal took the response.
    /// - Throws: ``ProviderFault`` while that is not known.
    private func respond(
        _ action: String, to reference: String, key: String, _ body: JSONValue, asForm: Bool,
        isDone: (PayPalDispute) -> Bool
    ) async throws(ProviderFault) -> DisputeAnswer {
        guard let before = try await dispute(reference) else { return .refused(code: "dispute_not_found") }
        if isDone(before) { return .standing(before.told) }
        let path = "/v1/customer/disputes/\(reference)/\(action)"
        let refused: (code: String, doubt: ProviderFault?)?
        do throws(ProviderFault) {
            let reply: PayPalReply = try await client.send(
                PayPalCall(method: "POST", path: path, key: key, body: body, asForm: asForm))
            switch reply {
            case .done: refused = nil
            case .refused(let told): refused = (code: told.code, doubt: told.doubt)
            }
        } catch {
            guard let code: String = error.refusalCode else { throw error }
            refused = (code: code, doubt: nil)
        }
        guard let after = try await dispute(reference) else { throw .unusable("the dispute is gone") }
        guard let refusal = refused, !isDone(after) else { return .standing(after.told) }
        if let doubt = refusal.doubt { throw doubt }
        return .refused(code: refusal.code)
    }

    /// The kinds of evidence that PayPal has a form for, as far as they fit in it; all texts stand in the notes, each of
    /// which ends in the response's id.
    private static func evidences(_ evidence: DisputeEvidence, id: String) -> [JSONValue] {
        let texts: [String] = evidence.texts.sorted { $0.key < $1.key }.map { "\($0.key.rawValue): \($0.value)" }
        let notes: [JSONValue] = pieces(texts.joined(separator: "\n"), of: noteLimit - id.utf16.count - 1)
            .map { .string($0 + "\n" + id) }
        let others: [JSONValue] = notes.map { ["evidence_type": "OTHER", "notes": $0] }
        guard let number = evidence.texts[.shippingTrackingNumber], number.utf16.count <= trackingNumberLimit else {
            return others
        }
        let carrier: String = evidence.texts[.shippingCarrier] ?? "other"
        let shipment: JSONValue = [
            "carrier_name": "OTHER",
            "carrier_name_other": .string(carrier.utf16.count <= carrierLimit ? carrier : "other"),
            "tracking_number": .string(number),
        ]
        let proof: JSONValue = [
            "evidence_type": "PROOF_OF_FULFILLMENT", "evidence_info": ["tracking_info": [shipment]], "notes": notes[0],
        ]
        return [proof] + others.dropFirst()
    }

    /// Cuts a text into pieces of at most so many UTF-16 units, between its scalars; one piece at least.
    private static func pieces(_ text: String, of limit: Int) -> [String] {
        var pieces: [String] = []
        var piece = String.UnicodeScalarView()
        var length = 0
        for scalar in text.unicodeScalars {
            let width: Int = UTF16.width(scalar)
            if length + width > limit {
                pieces.append(String(piece))
                piece = String.UnicodeScalarView()
                length = 0
            }
            piece.append(scalar)
            length += width
        }
        return pieces + [String(piece)]
    }

    /// Lists what was updated at or after the last update seen, as far back as PayPal looks. What was updated at that
    /// very moment is named again, since another may have been.
    ///
    /// The list is in no order of updates. Where more was updated than is read at once, what was read is told, and the
    /// cursor names an earlier and shorter span, which is listed whole before what comes after it.
    /// - Parameter cursor: As ``PayPalDisputeSpan/cursor``.
    /// - Throws: ``ProviderFault``; `unusable` also for more updates of one moment than are read at once.
    package func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        let oldest: Instant = client.now - Self.disputeNewsFor
        let stored = PayPalDisputeSpan(cursor: cursor)
        let span: PayPalDisputeSpan = stored.kept(since: oldest)
        var path = "/v1/customer/disputes?page_size=\(Self.disputePage)\(span.filter)"
        var references: [String] = []
        var updates: [Instant] = []
        for _ in 0..<Self.disputePages {
            let page: JSONValue = try await page(path)
            for item in page["items"]?.arrayValue ?? [] {
                let id: String = try PayPalFields(item, of: "dispute").text("dispute_id")
                guard PayPalDispute.isID(id) else { throw .unusable("dispute.dispute_id") }
                references.append(id)
                updates.append(try PayPalDispute.instant(item, "update_time"))
            }
            guard let next = PayPalFields(page, of: "disputes").link("next") else {
                if let end = span.end {
                    return ChangedDisputes(references: references, cursor: end.rfc3339, hasMore: true)
                }
                let newest: Instant? = (updates + [stored.start].compactMap { $0 }).max()
                return ChangedDisputes(references: references, cursor: newest?.rfc3339)
            }
            guard let query = next.split(separator: "?", maxSplits: 1).last, next.contains("?") else {
                throw .unusable("disputes.links")
            }
            path = "/v1/customer/disputes?\(query)"
        }
        guard let earlier = span.earlierPart(of: updates, since: oldest) else {
            throw .unusable("too many disputes changed at one moment")
        }
        return ChangedDisputes(references: references, cursor: earlier.cursor, hasMore: true)
    }

    private func page(_ path: String) async throws(ProviderFault) -> JSONValue {
        switch try await client.send(.get(path)) {
        case .done(let json): return try json.required()
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        }
    }
}
