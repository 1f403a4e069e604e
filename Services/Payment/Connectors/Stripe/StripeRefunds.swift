package import PaymentContract
import BillingCore
import PaymentDomain

extension StripeAdapter {
    /// How long after its id was made a refund may be new to Stripe; later it is looked for before it is asked for. The
    /// lookup is exact and cheap, so it does not wait for the key to run out.
    static let newRefundFor: Duration = .seconds(60)
    /// How many pages of a charge's refunds are read.
    static let refundPages = 10

    /// Refunds a part or all of a charge, named by its PaymentIntent or its Charge.
    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        guard isStripeID(request.reference) else { return .refused(code: "reference_malformed") }
        guard let made = request.idempotencyKey.madeAt else { throw .rejected(code: "refund_id_malformed") }
        let form: StripeForm
        do throws(UnitRefusal) {
            form = try Self.refundForm(request)
        } catch {
            return .refused(code: error.stripeCode)
        }
        let age: Duration = configuration.clock.now.duration(since: made)
        let isNew: Bool = age < Self.newRefundFor && age + Self.clockTolerance > .zero
        if !isNew, let answer = try await refunded(request) { return answer }
        let call = StripeCall(kind: .post(key: "\(request.idempotencyKey):refund"), path: "/v1/refunds", form: form)
        switch try await client.send(call, mayHaveHappened: !isNew) {
        case .object(let fields, let isReplay):
            // The stored answer is of then; the refund may have failed since.
            if isReplay, let answer = try await refunded(request) { return answer }
            return try Self.answer(to: request, fields)
        case .refused(let refusal):
            if let answer = try await refunded(request) { return answer }
            return .refused(code: refusal.name)
        case .stuck(let status):
            if let answer = try await refunded(request) { return answer }
            throw .unavailable(status)
        }
    }

    private static func refundForm(_ request: RefundRequest) throws(UnitRefusal) -> StripeForm {
        var form = StripeForm()
        form.add(chargeParameter(request.reference), .text(request.reference))
        form.add("amount", .integer(try StripeAmount.units(of: request.amount, for: .part)))
        var metadata = StripeForm()
        metadata.add(StripeMetadata.refund, .text(request.idempotencyKey.rawValue))
        form.add("metadata", metadata)
        return form
    }

    private static func chargeParameter(_ reference: String) -> String {
        reference.hasPrefix("ch_") || reference.hasPrefix("py_") ? "charge" : "payment_intent"
    }

    /// Looks for the refund among those of its charge, by our id in the metadata.
    private func refunded(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer? {
        let found: StripeFields? = try await firstRefund(of: request.reference) {
            (refund: StripeFields) throws(ProviderFault) -> Bool in
            try Self.id(of: refund) == request.idempotencyKey.rawValue
        }
        guard let found else { return nil }
        return try Self.answer(to: request, found)
    }

    /// Reads the refunds of a charge, named by its PaymentIntent or its Charge, up to the one that is looked for.
    /// - Parameter expanding: What to show in place of its id.
    /// - Throws: ``ProviderFault``; `unusable` when it is not among the newest thousand, and there are more.
    func firstRefund(
        of charge: String, expanding: String? = nil, where isWanted: (StripeFields) throws(ProviderFault) -> Bool
    ) async throws(ProviderFault) -> StripeFields? {
        var after: String?
        for _ in 0..<Self.refundPages {
            var form = StripeForm()
            form.add(Self.chargeParameter(charge), .text(charge))
            form.add("limit", .integer(100))
            form.add("starting_after", after)
            if let expanding { form.add("expand", .list([.text(expanding)])) }
            guard let page = try await client.get("/v1/refunds", form) else { return nil }
            let refunds: [StripeFields] = try page.list("data")
            for refund in refunds where try isWanted(refund) { return refund }
            guard try page.flag("has_more"), let last = refunds.last else { return nil }
            after = try last.id(of: "refund")
        }
        throw .unusable("the charge has too many refunds")
    }

    private static func id(of refund: StripeFields) throws(ProviderFault) -> String? {
        try refund.optionalFields("metadata")?.optionalText(StripeMetadata.refund)
    }

    private static func answer(
        to request: RefundRequest, _ refund: StripeFields
    ) throws(ProviderFault) -> RefundAnswer {
        let reference: String = try refund.id(of: "refund")
        guard try id(of: refund) == request.idempotencyKey.rawValue else {
            throw refund.unusable("metadata", "is of another refund")
        }
        guard try refund.money("amount") == request.amount else { throw refund.unusable("amount", "is another") }
        guard try refund.optionalReference(chargeParameter(request.reference)) == request.reference else {
            throw refund.unusable("charge", "is another")
        }
        switch try refund.text("status") {
        case "succeeded": return .refunded(reference: reference)
        case "pending", "requires_action": return .pending(reference: reference)
        case "failed": return .refused(code: try refund.optionalText("failure_reason") ?? "failed")
        case "canceled": return .refused(code: "canceled")
        default: throw refund.unusable("status", "is unknown")
        }
    }
}
