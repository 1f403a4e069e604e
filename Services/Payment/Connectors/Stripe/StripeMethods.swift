import PaymentContract
import BillingCore

extension StripeAdapter {
    /// Makes the customer known to Stripe, once per id while its key lives.
    /// - Returns: Stripe's id of the customer.
    /// - Throws: ``ProviderFault``.
    func createCustomer(_ id: CustomerID) async throws(ProviderFault) -> String {
        var form = StripeForm()
        var metadata = StripeForm()
        metadata.add(StripeMetadata.customer, .text(id.rawValue))
        form.add("metadata", metadata)
        let customer: StripeFields = try await client.write("/v1/customers", form, key: "\(id):customer")
        guard try customer.fields("metadata").text(StripeMetadata.customer) == id.rawValue else {
            throw customer.unusable("metadata", "is of another customer")
        }
        return try customer.id(of: "customer")
    }

    /// Saves a method for charges without the customer: a confirmed SetupIntent, with 3-D Secure where the bank wants
    /// it. Once for a method of ours and one of Stripe's: after that was taken away, ours may be kept as another. Without a
    /// `return_url` it is another request, so that one with it can follow.
    ///
    /// What was attached a day ago or earlier belongs to a customer whose key Stripe has forgotten since: it is saved for that
    /// customer, as Stripe attaches it to no other.
    /// - Throws: ``ProviderFault``.
    func setup(
        _ request: SaveMethodRequest, _ token: StripeToken, of customer: String
    ) async throws(ProviderFault) -> SaveMethodAnswer {
        let step: String = request.returnURL.isEmpty ? "setup:alone" : "setup"
        let key = "\(request.methodID):\(token.method):\(step)"
        var owner: String = customer
        var reply: StripeReply = try await confirmed(request, token, of: owner, key: key)
        if case .refused(let refusal) = reply, refusal.status != 402,
            let earlier: String = try await self.owner(of: token, being: request.customerID), earlier != customer
        {
            owner = earlier
            reply = try await confirmed(request, token, of: owner, key: "\(key):\(owner)")
        }
        switch reply {
        case .object(let fields, false): return try Self.answer(fields, to: request, token, of: owner)
        case .object(let fields, true):
            return try await setup(fields.id(of: "setup_intent"), for: request, token, of: owner)
        case .refused(let refusal) where refusal.status == 402:
            if let intent: StripeFields = refusal.intent { try Self.check(intent, isOf: request) }
            return .declined(ProviderDecline(refusal, reference: try refusal.intent?.id(of: "setup_intent")))
        case .refused(let refusal): throw .rejected(code: refusal.name)
        case .stuck(let status): throw .unavailable(status)
        }
    }

    private func confirmed(
        _ request: SaveMethodRequest, _ token: StripeToken, of customer: String, key: String
    ) async throws(ProviderFault) -> StripeReply {
        try await client.send(
            StripeCall(
                kind: .post(key: key), path: "/v1/setup_intents", form: Self.setupForm(request, token, of: customer)))
    }

    /// Stripe's customer whose method it is.
    /// - Returns: `nil` where it is nobody's, or not that customer's of ours.
    private func owner(
        of token: StripeToken, being customer: CustomerID
    ) async throws(ProviderFault) -> String? {
        guard let method: StripeFields = try await client.get("/v1/payment_methods/\(token.method)"),
            let owner: String = try method.optionalReference("customer"), isStripeID(owner)
        else { return nil }
        guard try method.id(of: "payment_method") == token.method else { throw method.unusable("id", "is another") }
        guard let fields: StripeFields = try await client.get("/v1/customers/\(owner)") else { return nil }
        guard try fields.id(of: "customer") == owner else { throw fields.unusable("id", "is another") }
        let name: String? = try fields.optionalFields("metadata")?.optionalText(StripeMetadata.customer)
        return name == customer.rawValue ? owner : nil
    }

    /// How the saving of a method stands.
    /// - Parameters:
    ///   - reference: Out of ``SaveMethodAnswer/actionRequired(reference:_:)`` or `pending`.
    ///   - token: The PaymentMethod, as far as it is known.
    ///   - customer: Stripe's, likewise.
    /// - Throws: ``ProviderFault``.
    func setup(
        _ reference: String, for request: SaveMethodRequest, _ token: StripeToken?, of customer: String? = nil
    ) async throws(ProviderFault) -> SaveMethodAnswer {
        guard isStripeID(reference) else { throw .rejected(code: "reference_malformed") }
        var form = StripeForm()
        form.add("expand", .list([.text("payment_method")]))
        guard let fields = try await client.get("/v1/setup_intents/\(reference)", form) else {
            throw .rejected(code: "resource_missing")
        }
        guard try fields.id(of: "setup_intent") == reference else { throw fields.unusable("id", "is another") }
        return try Self.answer(fields, to: request, token, of: customer)
    }

    private static func setupForm(
        _ request: SaveMethodRequest, _ token: StripeToken, of customer: String
    ) -> StripeForm {
        var form = StripeForm()
        form.add("confirm", .flag(true))
        form.add("customer", .text(customer))
        form.add("payment_method", .text(token.method))
        form.add("allowed_payment_method_types", .list([.text(token.type)]))
        form.add("usage", .text("off_session"))
        if !request.returnURL.isEmpty { form.add("return_url", .text(request.returnURL)) }
        if let acceptance = request.acceptance {
            var online = StripeForm()
            online.add("ip_address", .text(acceptance.ipAddress))
            online.add("user_agent", .text(acceptance.userAgent))
            var accepted = StripeForm()
            accepted.add("type", .text("online"))
            accepted.add("accepted_at", .integer(acceptance.acceptedAt.seconds))
            accepted.add("online", online)
            var mandate = StripeForm()
            mandate.add("customer_acceptance", accepted)
            form.add("mandate_data", mandate)
        }
        var metadata = StripeForm()
        metadata.add(StripeMetadata.method, .text(request.methodID.rawValue))
        form.add("metadata", metadata)
        form.add("expand", .list([.text("payment_method")]))
        return form
    }

    /// Whether a SetupIntent was made by a request for a method of ours.
    private static func check(_ fields: StripeFields, isOf request: SaveMethodRequest) throws(ProviderFault) {
        guard try fields.fields("metadata").text(StripeMetadata.method) == request.methodID.rawValue else {
            throw fields.unusable("metadata", "is of another method")
        }
    }

    /// Whether what was saved is what was to be: of the kind, and, as far as they are known, the PaymentMethod and the
    /// customer. A test token (`pm_card_visa`, `pm_success_de`) is no PaymentMethod itself: Stripe makes one of it. No
    /// PaymentMethod's own name has a second underscore.
    private static func check(
        _ method: StripeFields, isOf kind: String, _ token: StripeToken?, of customer: String?
    ) throws(ProviderFault) {
        guard try method.text("type") == kind else { throw method.unusable("type", "is another") }
        if let token, !token.method.dropFirst(3).contains("_"), try method.id(of: "payment_method") != token.method {
            throw method.unusable("id", "is another")
        }
        // Nobody's: it was detached since.
        if let customer, let owner: String = try method.optionalReference("customer"), owner != customer {
            throw method.unusable("customer", "is another")
        }
    }

    private static func answer(
        _ fields: StripeFields, to request: SaveMethodRequest, _ token: StripeToken?, of customer: String?
    ) throws(ProviderFault) -> SaveMethodAnswer {
        let reference: String = try fields.id(of: "setup_intent")
        try check(fields, isOf: request)
        switch try fields.text("status") {
        case "succeeded":
            let mandate: String? = try fields.optionalReference("mandate")
            let method: StripeFields = try fields.fields("payment_method")
            try check(method, isOf: kind(of: request.type), token, of: customer)
            return .saved(try SavedMethod(method, mandate: mandate))
        case "requires_action":
            if let url = try stripeRedirectURL(fields) {
                return .actionRequired(reference: reference, .redirect(url: url))
            }
            // Only Stripe's script on a page could go on, and there is none: without a `return_url` nobody is sent anywhere.
            guard try fields.optionalFields("next_action")?.optionalText("type") == "use_stripe_sdk" else {
                throw fields.unusable("next_action", "is no redirect")
            }
            return .declined(ProviderDecline(code: DeclineCode.returnURLMissing, reference: reference))
        case "processing": return .pending(reference: reference)
        case "canceled": return .declined(ProviderDecline(code: DeclineCode.canceled, reference: reference))
        case "requires_payment_method":
            let refusal = try StripeRefusal(fields.fields("last_setup_error"), status: 402)
            return .declined(ProviderDecline(refusal, reference: reference))
        default: throw fields.unusable("status", "is unknown")
        }
    }
}

extension SavedMethod {
    /// Reads a PaymentMethod.
    /// - Throws: ``ProviderFault/unusable(_:)``, also for a kind that is neither card nor bank account.
    fileprivate init(_ fields: StripeFields, mandate: String?) throws(ProviderFault) {
        let id: String = try fields.id(of: "payment_method")
        let type: String = try fields.text("type")
        let details: StripeFields = try fields.fields(type)
        let token: StripeToken
        switch type {
        case "card": token = .card(id)
        case "sepa_debit": token = .sepaDebit(id, mandate: mandate)
        default: throw fields.unusable("type", "is not one that is stored")
        }
        let isCard: Bool = type == "card"
        try self.init(
            token: token.description, customer: fields.optionalReference("customer"),
            brand: isCard ? details.text("brand") : nil, last4: details.text("last4"),
            expMonth: isCard ? Int(details.integer("exp_month")) : nil,
            expYear: isCard ? Int(details.integer("exp_year")) : nil,
            fingerprint: details.optionalText("fingerprint"))
    }
}
