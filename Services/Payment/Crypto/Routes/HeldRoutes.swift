import BillingCore
package import HTTPKit
package import JSON
import PaymentChains
import Postgres

/// `/v1/crypto/held`: money that waits for a person.
package struct HeldRoutes: Sendable {
    let accepted: AcceptedAssets
    let decide: DecideHeld
    let complete: CompleteHeld

    package init(accepted: AcceptedAssets, decide: DecideHeld) {
        self.accepted = accepted
        self.decide = decide
        complete = CompleteHeld(accepted: accepted)
    }

    package var endpoints: [Endpoint] { [list, sendBack, keep, completePayment] }

    private static let path = "/v1/crypto/held"
    private static let problems = [
        "404 not_found", "409 nothing_held", "409 chain_stopped", "409 asset_not_configured", "422 invalid_request",
    ]

    private var list: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .list(
            Self.path, scope: "crypto:read", summary: "List money that waits for a decision, the newest attempt first",
            filters: [.id("payment_id", as: PaymentID.self)], item: HeldMoneyResource.self
        ) { db, call, request in
            let rows: [HeldMoney] = try HeldStore.list(
                payment: call.query.id("payment_id"), after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(rows.map { HeldMoneyResource($0, accepted) })
        }
    }

    private var sendBack: Endpoint {
        let (accepted, decide): (AcceptedAssets, DecideHeld) = (accepted, decide)
        return .write(
            .post, "\(Self.path)/{attempt_id}/refund", scope: "crypto:write",
            summary: "Send held money back to an address the payer gave, less the fee; somebody else signs it off",
            body: HeldRefundInput.self, answers: RefundInstructionResource.self, problems: Self.problems
        ) { db, call, input in
            .created(
                try RefundInstructionResource(
                    decide.sendBack(
                        try call.id("attempt_id"), input.amount, to: input.address, by: call.principal,
                        at: call.now, in: db), accepted))
        }
    }

    private var keep: Endpoint {
        let (accepted, decide): (AcceptedAssets, DecideHeld) = (accepted, decide)
        return .write(
            .post, "\(Self.path)/{attempt_id}/accept", scope: "crypto:write",
            summary: "Keep held money on top of a payment that was made; the payer has agreed",
            body: HeldAcceptInput.self, answers: HeldMoneyResource.self, statuses: [200],
            problems: Self.problems + ["409 payment_not_made", "409 surplus_not_kept"]
        ) { db, call, input in
            .ok(
                HeldMoneyResource(
                    try decide.keep(
                        try call.id("attempt_id"), input.amount, reason: input.reason, by: call.principal.id,
                        at: call.now, in: db), accepted))
        }
    }

    private var completePayment: Endpoint {
        let complete: CompleteHeld = complete
        return .write(
            .post, "\(Self.path)/{attempt_id}/complete", scope: "crypto:write",
            summary: "Complete the payment of a declined attempt with the money that came too late for it",
            body: HeldCompleteInput.self, answers: HeldCompletionResource.self, statuses: [202],
            problems: [
                "404 not_found", "409 payment_made", "409 payment_state", "409 partly_decided", "409 not_enough_held",
                "409 chain_stopped", "409 asset_not_configured", "422 invalid_request",
            ]
        ) { db, call, input in
            .accepted(
                HeldCompletionResource(
                    completion: try complete(
                        try call.id("attempt_id"), reason: input.reason, by: call.principal.id, at: call.now,
                        in: db)))
        }
    }
}

/// Why a payment is completed.
package struct HeldCompleteInput: JSONInput {
    let reason: String

    package init(_ f: inout InputFields) {
        reason = f.string("reason", min: 1, max: 500, doc: "For people; kept with who said so")
    }
}

/// A decision to complete a payment, as callers see it.
package struct HeldCompletionResource: JSONOutput {
    let completion: HeldCompletion

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_completion")
        o.field("id", completion.attemptID, doc: "The attempt that was declined")
        o.field("payment_id", completion.paymentID, doc: "It is processing, and succeeds when it is booked")
        o.field("amount", completion.amount.description, doc: "Base units that pay; the rest goes by the rule for more")
        o.field("reason", completion.reason)
        o.field("actor", completion.actor)
        o.field("completed_at", completion.completedAt)
    }

    package static var sample: Self {
        Self(
            completion: HeldCompletion(
                attemptID: .sample, paymentID: .sample, amount: BaseUnits(155_400), reason: "The goods are still here",
                actor: "key_1", completedAt: .sample))
    }
}

/// Where held money goes.
package struct HeldRefundInput: JSONInput {
    let address: String
    let amount: BaseUnits?

    package init(_ f: inout InputFields) {
        address = f.string("address", min: 1, max: 128, doc: "Given by the payer, on the chain the payment was made on")
        amount = f.baseUnits("amount", doc: "Base units, with the fee; all that is held when left out")
    }
}

/// What is kept, and why.
package struct HeldAcceptInput: JSONInput {
    let reason: String
    let amount: BaseUnits?

    package init(_ f: inout InputFields) {
        reason = f.string("reason", min: 1, max: 500, doc: "How the payer agreed; kept with who said so")
        amount = f.baseUnits("amount", doc: "Base units; all that is held when left out")
    }
}

extension InputFields {
    /// An amount in base units, as digits; `nil` when it is left out.
    mutating func baseUnits(_ name: String, doc: String) -> BaseUnits? {
        guard let text = optionalString(name, min: 1, max: 78, doc: doc) else { return nil }
        guard let units = BaseUnits(text) else {
            refuse(name, code: "invalid_amount", message: "must be a whole number of base units")
            return nil
        }
        return units
    }
}

/// Money that waits for a person, as callers see it.
package struct HeldMoneyResource: JSONOutput {
    let held: HeldMoney
    /// `nil` for one that is not configured.
    let asset: AcceptedAsset?

    init(_ held: HeldMoney, _ accepted: AcceptedAssets) {
        self.init(held: held, asset: accepted.find(held.provider))
    }

    private init(held: HeldMoney, asset: AcceptedAsset?) {
        self.held = held
        self.asset = asset
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_held")
        o.field("id", held.attemptID, doc: "The attempt whose address it is on")
        o.field("payment_id", held.paymentID)
        o.field("provider", held.provider)
        o.field("asset", asset?.symbol, doc: "Null where it is not configured")
        o.field("decimals", asset?.decimals)
        o.field("answer", held.answer, doc: "captured, or why the attempt was declined")
        o.field("amount", held.free.description, doc: "Base units that nobody has decided on")
        o.field("under_way", held.underWay.description, doc: "Base units in open instructions")
        o.field("accepted", held.accepted.description, doc: "Base units that were kept")
        o.field("refund_fee", asset?.refundFee.description, doc: "Base units kept back when it is sent")
        o.field("answered_at", held.answeredAt)
    }

    package static var sample: Self {
        Self(
            held: HeldMoney(
                attemptID: .sample, paymentID: .sample, provider: "bitcoin",
                price: Money(minor: 9_999, currency: .usd), answer: "paid_late", free: BaseUnits(155_400),
                underWay: .zero, accepted: .zero, answeredAt: .sample),
            asset: AcceptedAsset(name: "bitcoin", asset: .bitcoin(.main), policy: .careful))
    }
}
