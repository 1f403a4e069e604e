import BillingCore
package import HTTPKit
package import JSON
import PaymentChains
import Postgres

/// `/v1/crypto/refund_instructions`: what a person sends back with keys that are elsewhere.
package struct RefundInstructionRoutes: Sendable {
    let accepted: AcceptedAssets

    package init(accepted: AcceptedAssets) { self.accepted = accepted }

    package var endpoints: [Endpoint] { [list, read, direct, send, cancel] }

    fileprivate static let path = "/v1/crypto/refund_instructions"

    private var list: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .list(
            Self.path, scope: "refunds:read", summary: "List what is to be sent back, newest first",
            filters: [
                .enumeration("status", of: InstructionRecord.Status.self), .id("payment_id", as: PaymentID.self),
            ], item: RefundInstructionResource.self
        ) { db, call, request in
            let rows: [InstructionRecord] = try InstructionStore.list(
                status: call.query.enumeration("status"), payment: call.query.id("payment_id"),
                after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try rows.map { try RefundInstructionResource($0, accepted) })
        }
    }

    private var read: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .read(
            "\(Self.path)/{id}", scope: "refunds:read", summary: "Read what is to be sent back",
            answers: RefundInstructionResource.self, problems: ["404 not_found"]
        ) { db, call in
            let id: RefundID = try call.id()
            guard let found = try InstructionStore.find(id, in: db) else {
                throw Problem.notFound("refund instruction", id.rawValue)
            }
            return try RefundInstructionResource(found, accepted)
        }
    }

    private var direct: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .write(
            .post, "\(Self.path)/{id}/address", scope: "refunds:write",
            summary: "Say where the payer wants the money: an address they gave, never the one it came from",
            body: InstructionAddressInput.self, answers: RefundInstructionResource.self, statuses: [200],
            problems: [
                "404 not_found", "409 instruction_not_open", "409 asset_not_configured", "422 invalid_request",
            ]
        ) { db, call, input in
            .ok(
                try RefundInstructionResource(
                    SignOff.direct(
                        try call.id(), to: input.address, by: call.principal, accepted, in: db), accepted))
        }
    }

    private var send: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .write(
            .post, "\(Self.path)/{id}/sent", scope: "refunds:write",
            summary: "Sign off that it was sent; the chain is watched until it has confirmed the transaction",
            body: InstructionSentInput.self, answers: RefundInstructionResource.self, statuses: [200],
            problems: [
                "404 not_found", "409 instruction_not_open", "409 instruction_changed", "409 second_person_needed",
                "409 address_missing", "409 asset_not_configured", "422 invalid_request",
            ]
        ) { db, call, input in
            .ok(
                try RefundInstructionResource(
                    SignOff.send(try call.id(), input, by: call.principal, at: call.now, accepted, in: db),
                    accepted))
        }
    }
}

extension RefundInstructionRoutes {
    fileprivate var cancel: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .write(
            .post, "\(Self.path)/{id}/cancel", scope: "refunds:write",
            summary: "Take back what was not sent: a refund fails, held money is held again",
            body: InstructionCancelInput.self, answers: RefundInstructionResource.self, statuses: [200],
            problems: ["404 not_found", "409 instruction_not_open", "409 instruction_of_the_watcher"]
        ) { db, call, _ in
            .ok(
                try RefundInstructionResource(
                    SignOff.cancel(try call.id(), by: call.principal.id, at: call.now, in: db), accepted))
        }
    }
}

/// Nothing needs to be said.
package struct InstructionCancelInput: JSONInput {
    package init(_ f: inout InputFields) {}
}

/// Where the payer wants the money.
package struct InstructionAddressInput: JSONInput {
    let address: String

    package init(_ f: inout InputFields) {
        address = f.string("address", min: 1, max: 128, doc: "On the chain the payment was made on")
    }
}

/// What a person sent.
package struct InstructionSentInput: JSONInput {
    let transactionID: String
    let fingerprint: String

    package init(transactionID: String, fingerprint: String) {
        self.transactionID = transactionID
        self.fingerprint = fingerprint
    }

    package init(_ f: inout InputFields) {
        transactionID = f.string("transaction_id", min: 64, max: 66, doc: "The transaction's hash")
        fingerprint = f.string(
            "fingerprint", min: 64, max: 64, doc: "Of the instruction as it was signed off; another one now is refused")
    }
}

/// What is to be sent back, as callers see it.
package struct RefundInstructionResource: JSONOutput {
    let record: InstructionRecord
    /// `nil` for an asset that is not configured; there is no text to sign off then.
    let symbol: String?
    let instruction: RefundInstruction?

    init(_ record: InstructionRecord, _ accepted: AcceptedAssets) throws {
        let asset: CryptoAsset? = accepted.find(record.provider)?.asset
        var instruction: RefundInstruction?
        if let asset { instruction = try record.instruction(asset) }
        self.init(record: record, symbol: asset?.symbol, instruction: instruction)
    }

    private init(record: InstructionRecord, symbol: String?, instruction: RefundInstruction?) {
        self.record = record
        self.symbol = symbol
        self.instruction = instruction
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_refund_instruction")
        o.field("id", record.id)
        o.field("payment_id", record.paymentID)
        o.field("provider", record.provider)
        o.field("asset", symbol, doc: "Null where it is not configured")
        o.field("reason", record.reason, doc: "overpaid, late, underpaid, held, or merchant for a refund of ours")
        o.field("amount", record.amount.description, doc: "Base units")
        o.field("fee", record.fee.description, doc: "Base units kept back of held money for sending it")
        o.field("refund_amount", record.value?.minor, doc: "Minor units; null unless a refund asked for it")
        o.field("status", record.status)
        o.field("address", record.address, doc: "Where to; null until it is known")
        o.field("uri", instruction?.uri, doc: "For the wallet that signs")
        o.field("text", instruction?.text, doc: "What is signed off")
        o.field("fingerprint", record.fingerprint ?? instruction?.fingerprint, doc: "SHA-256 of the text")
        o.field("asked_by", record.askedBy, doc: "Who decided on held money: another one signs off")
        o.field("signed_off_by", record.signedOffBy)
        o.field("transaction_id", record.transactionID)
        o.field("created_at", record.createdAt)
        o.field("sent_at", record.sentAt)
        o.field("confirmed_at", record.confirmedAt)
        o.field("canceled_at", record.canceledAt)
    }

    package static var sample: Self {
        let record = InstructionRecord(
            id: .sample, attemptID: .sample, paymentID: .sample, provider: "bitcoin", reason: .overpaid,
            amount: BaseUnits(50_000), value: nil, address: nil, createdAt: .sample)
        return Self(record: record, symbol: "BTC", instruction: nil)
    }
}
