package import PaymentContract
import BillingCore
import PaymentDomain

extension StripeAdapter {
    /// The parameters of a charge. They follow from the request alone, so that a repeat under the key has the same.
    /// - Throws: ``ProviderFault/rejected(code:)`` for what Stripe cannot do; nothing is sent then.
    package func chargeForm(_ request: ChargeRequest) throws(ProviderFault) -> StripeForm {
        var form = StripeForm()
        form.add("amount", .integer(try chargeAmount(request.amount)))
        form.add("currency", .text(request.amount.currency.code.lowercased()))
        form.add("confirm", .flag(true))
        let isTakenAtOnce: Bool = request.capture && !request.isForAuthenticated
        form.add("capture_method", .text(isTakenAtOnce ? "automatic" : "manual"))
        let type: String
        switch request.source {
        case .stored(let text, let customer):
            guard let token = StripeToken(text) else { throw .rejected(code: "token_malformed") }
            type = token.type
            addStored(token, customer: customer, request, to: &form)
        case .redirect(let method, let returnURL):
            type = method
            try addRedirect(method, returnURL: returnURL, payer: request.payer, to: &form)
        case .walletCard: throw .rejected(code: "method_unsupported")
        }
        try check(request, against: type)
        form.add("allowed_payment_method_types", .list([.text(type)]))
        // A card's statement takes a suffix only; the account's own prefix stands before it.
        form.add(type == "card" ? "statement_descriptor_suffix" : "statement_descriptor", request.statementDescriptor)
        var metadata = StripeForm()
        metadata.add(StripeMetadata.payment, .text(request.paymentID.rawValue))
        metadata.add(StripeMetadata.attempt, .text(request.idempotencyKey.rawValue))
        if let mandate = request.mandate { metadata.add(StripeMetadata.mandate, .text(mandate)) }
        form.add("metadata", metadata)
        form.add("expand", .list([.text("latest_charge")]))
        return form
    }

    private func chargeAmount(_ money: Money) throws(ProviderFault) -> Int64 {
        do throws(UnitRefusal) {
            return try StripeAmount.units(of: money)
        } catch {
            throw .rejected(code: error.stripeCode)
        }
    }

    private func check(_ request: ChargeRequest, against type: String) throws(ProviderFault) {
        guard let method = capabilities.methods.first(where: { $0.type == type }) else {
            throw .rejected(code: "method_unsupported")
        }
        if let currencies = method.currencies, !currencies.contains(request.amount.currency.code) {
            throw .rejected(code: "currency_unsupported")
        }
        guard request.capture || method.separateCapture else { throw .rejected(code: "capture_unsupported") }
        if case .merchant = request.initiation, !method.offSession { throw .rejected(code: "off_session_unsupported") }
    }

    private func addStored(
        _ token: StripeToken, customer: String?, _ request: ChargeRequest, to form: inout StripeForm
    ) {
        form.add("payment_method", .text(token.method))
        form.add("customer", customer)
        if case .sepaDebit(_, let mandate?) = token { form.add("mandate", .text(mandate)) }
        switch request.initiation {
        // Stripe keeps the network transaction ids of the methods it stores and sends them itself.
        case .merchant: form.add("off_session", .flag(true))
        case .customer: form.add("return_url", .text(configuration.returnURL + request.paymentID.rawValue))
        }
        guard case .card = token else { return }
        // A bank account has its mandate from when it was kept.
        if request.keepsMethod { form.add("setup_future_usage", .text("off_session")) }
        var card = StripeForm()
        if !request.capture, configuration.multipleCapture { card.add("request_multicapture", .text("if_available")) }
        if let proof = request.proof {
            card.add("three_d_secure", Self.threeDSecure(proof))
            // A bank that asks for the customer all the same declines, in place of an authentication of Stripe's own.
            form.add("error_on_requires_action", .flag(true))
        } else if request.stepUp {
            card.add("request_three_d_secure", .text("challenge"))
        }
        var options = StripeForm()
        options.add("card", card)
        form.add("payment_method_options", options)
    }

    /// An authentication made elsewhere (docs.stripe.com/payments/payment-intents/three-d-secure-import).
    private static func threeDSecure(_ proof: AuthenticationProof) -> StripeForm {
        var secure = StripeForm()
        secure.add("ares_trans_status", .text(proof.status))
        secure.add("cryptogram", .text(proof.cryptogram))
        // An indicator that Stripe has no word for is left to Stripe: it follows from the status.
        let indicator: String? = proof.indicator.flatMap { ["01", "02", "05", "06", "07"].contains($0) ? $0 : nil }
        secure.add("electronic_commerce_indicator", indicator)
        secure.add("requestor_challenge_indicator", .text(proof.challengeIndicator))
        secure.add("transaction_id", .text(proof.directoryTransaction))
        secure.add("version", .text(proof.version))
        return secure
    }

    private func addRedirect(
        _ method: String, returnURL: String, payer: ChargePayer?, to form: inout StripeForm
    ) throws(ProviderFault) {
        var data = StripeForm()
        data.add("type", .text(method))
        if let payer { data.add("billing_details", Self.billingDetails(payer)) }
        form.add("payment_method_data", data)
        form.add("return_url", .text(returnURL))
        switch method {
        case "klarna" where payer == nil: throw .rejected(code: "payer_country_missing")
        case "afterpay_clearpay":
            guard let payer, let name = payer.name, payer.line1 != nil else {
                throw .rejected(code: "payer_address_missing")
            }
            var shipping = StripeForm()
            shipping.add("name", .text(name))
            shipping.add("address", Self.address(payer))
            form.add("shipping", shipping)
        default: break
        }
    }

    private static func billingDetails(_ payer: ChargePayer) -> StripeForm {
        var details = StripeForm()
        details.add("name", payer.name)
        details.add("email", payer.email)
        details.add("address", address(payer))
        return details
    }

    private static func address(_ payer: ChargePayer) -> StripeForm {
        var address = StripeForm()
        address.add("line1", payer.line1)
        address.add("city", payer.city)
        address.add("postal_code", payer.postalCode)
        address.add("country", .text(payer.country))
        return address
    }
}
