package import PaymentContract
package import BillingCore

/// A method that Stripe stores for a customer.
package struct StripeSavedMethod: Sendable, Equatable {
    /// What charges name it by; kept as ``ChargeSource/stored(token:providerCustomer:)``.
    package let token: StripeToken
    /// Stripe's id of the customer it belongs to.
    package let customer: String?
    /// `visa`; `nil` for a bank account.
    package let brand: String?
    package let last4: String
    /// The card's expiry; `nil` for a bank account.
    package let expiryMonth: Int64?
    package let expiryYear: Int64?
    /// ISO 3166 country of the issuer or bank.
    package let country: String?
    /// The same for the same number within the account.
    package let fingerprint: String?
}

/// Stripe's word on saving a method.
package enum StripeSaveAnswer: Sendable, Equatable {
    case saved(StripeSavedMethod)
    /// The customer must authenticate first; ``StripeAdapter/setup(_:)`` of the reference tells how it ended.
    case actionRequired(reference: String, NextAction)
    /// Under way (a bank's mandate).
    case pending(reference: String)
    case declined(ProviderDecline)
}

/// One wish to save a method for charges without the customer.
package struct StripeSetupRequest: Sendable, Equatable {
    /// How the customer agreed that a bank account be debited (the SEPA scheme asks for proof).
    package struct Acceptance: Sendable, Equatable {
        package let acceptedAt: Instant
        package let ipAddress: String
        package let userAgent: String

        package init(acceptedAt: Instant, ipAddress: String, userAgent: String) {
            self.acceptedAt = acceptedAt
            self.ipAddress = ipAddress
            self.userAgent = userAgent
        }
    }

    package let methodID: PaymentMethodID
    package let token: StripeToken
    /// Stripe's id of the customer.
    package let customer: String
    package let returnURL: String
    package let acceptance: Acceptance?

    package init(
        methodID: PaymentMethodID, token: StripeToken, customer: String, returnURL: String,
        acceptance: Acceptance? = nil
    ) {
        self.methodID = methodID
        self.token = token
        self.customer = customer
        self.returnURL = returnURL
        self.acceptance = acceptance
    }
}

extension StripeAdapter {
    /// Makes the customer known to Stripe, once per id while its key lives.
    /// - Returns: Stripe's id of the customer.
    /// - Throws: ``ProviderFault``.
    package func createCustomer(
        _ id: CustomerID, email: String? = nil, name: String? = nil
    ) async throws(ProviderFault) -> String {
        var form = StripeForm()
        form.add("email", email)
        form.add("name", name)
        var metadata = StripeForm()
        metadata.add(StripeMetadata.customer, .text(id.rawValue))
        form.add("metadata", metadata)
        let customer: StripeFields = try await client.write("/v1/customers", form, key: "\(id):customer")
        guard try customer.fields("metadata").text(StripeMetadata.customer) == id.rawValue else {
            throw customer.unusable("metadata", "is of another customer")
        }
        return try customer.id(of: "customer")
    }

    /// Attaches a method, without checking with its bank that it can be charged later: ``save(_:)`` does.
    /// - Throws: ``ProviderFault``.
    package func attach(
        _ token: StripeToken, to customer: String, as id: PaymentMethodID
    ) async throws(ProviderFault) -> StripeSaveAnswer {
        var form = StripeForm()
        form.add("customer", .text(customer))
        let path: String = "/v1/payment_methods/\(token.method)/attach"
        let call = StripeCall(kind: .post(key: "\(id):attach"), path: path, form: form)
        switch try await client.send(call) {
        case .object(let fields, _):
            let saved = try StripeSavedMethod(fields, mandate: nil)
            guard saved.customer == customer else { throw fields.unusable("customer", "is another") }
            return .saved(saved)
        case .refused(let refusal) where refusal.status == 402:
            return .declined(ProviderDecline(refusal, reference: nil))
        case .refused(let refusal): throw .rejected(code: refusal.name)
        case .stuck(let status): throw .unavailable(status)
        }
    }

    /// Saves a method for charges without the customer: a confirmed SetupIntent, with 3-D Secure where the bank wants
    /// it.
    /// - Throws: ``ProviderFault``.
    package func save(_ request: StripeSetupRequest) async throws(ProviderFault) -> StripeSaveAnswer {
        let call = StripeCall(
            kind: .post(key: "\(request.methodID):setup"), path: "/v1/setup_intents", form: Self.setupForm(request))
        switch try await client.send(call) {
        case .object(let fields, false): return try Self.answer(fields)
        case .object(let fields, true): return try await setup(fields.id(of: "setup_intent"))
        case .refused(let refusal) where refusal.status == 402:
            return .declined(ProviderDecline(refusal, reference: try refusal.intent?.id(of: "setup_intent")))
        case .refused(let refusal): throw .rejected(code: refusal.name)
        case .stuck(let status): throw .unavailable(status)
        }
    }

    /// How the saving of a method stands.
    /// - Parameter reference: Out of ``StripeSaveAnswer/actionRequired(reference:_:)`` or `pending`.
    /// - Throws: ``ProviderFault``.
    package func setup(_ reference: String) async throws(ProviderFault) -> StripeSaveAnswer {
        guard isStripeID(reference) else { throw .rejected(code: "reference_malformed") }
        var form = StripeForm()
        form.add("expand", .list([.text("payment_method")]))
        guard let fields = try await client.get("/v1/setup_intents/\(reference)", form) else {
            throw .rejected(code: "resource_missing")
        }
        guard try fields.id(of: "setup_intent") == reference else { throw fields.unusable("id", "is another") }
        return try Self.answer(fields)
    }

    private static func setupForm(_ request: StripeSetupRequest) -> StripeForm {
        var form = StripeForm()
        form.add("confirm", .flag(true))
        form.add("customer", .text(request.customer))
        form.add("payment_method", .text(request.token.method))
        form.add("allowed_payment_method_types", .list([.text(request.token.type)]))
        form.add("usage", .text("off_session"))
        form.add("return_url", .text(request.returnURL))
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

    private static func answer(_ fields: StripeFields) throws(ProviderFault) -> StripeSaveAnswer {
        let reference: String = try fields.id(of: "setup_intent")
        switch try fields.text("status") {
        case "succeeded":
            let mandate: String? = try fields.optionalReference("mandate")
            return .saved(try StripeSavedMethod(fields.fields("payment_method"), mandate: mandate))
        case "requires_action":
            guard let url = try stripeRedirectURL(fields) else {
                throw fields.unusable("next_action", "is no redirect")
            }
            return .actionRequired(reference: reference, .redirect(url: url))
        case "processing": return .pending(reference: reference)
        case "canceled": return .declined(ProviderDecline(code: DeclineCode.canceled, reference: reference))
        case "requires_payment_method":
            let refusal = try StripeRefusal(fields.fields("last_setup_error"), status: 402)
            return .declined(ProviderDecline(refusal, reference: reference))
        default: throw fields.unusable("status", "is unknown")
        }
    }
}

extension StripeSavedMethod {
    /// Reads a PaymentMethod.
    /// - Throws: ``ProviderFault/unusable(_:)``, also for a kind that is neither card nor bank account.
    init(_ fields: StripeFields, mandate: String?) throws(ProviderFault) {
        let id: String = try fields.id(of: "payment_method")
        customer = try fields.optionalReference("customer")
        let type: String = try fields.text("type")
        let details: StripeFields = try fields.fields(type)
        switch type {
        case "card":
            token = .card(id)
            brand = try details.text("brand")
            expiryMonth = try details.integer("exp_month")
            expiryYear = try details.integer("exp_year")
        case "sepa_debit":
            token = .sepaDebit(id, mandate: mandate)
            (brand, expiryMonth, expiryYear) = (nil, nil, nil)
        default: throw fields.unusable("type", "is not one that is stored")
        }
        last4 = try details.text("last4")
        country = try details.optionalText("country")
        fingerprint = try details.optionalText("fingerprint")
    }
}
