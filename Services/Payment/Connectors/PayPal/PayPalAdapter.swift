package import PaymentContract
import BillingCore
package import PaymentDomain
import JSON

/// Payments through PayPal: Orders v2 and Payments v2. It keeps nothing but an access token.
///
/// References: a charge that waits (`actionRequired`, `pending`) is known by its order's id, one that is `captured` by
/// its capture's id (which refunds name), one that is `authorized` by its authorization's id (which captures and
/// releases name). News calls it by what it is about, see `PayPalNamed`. Each POST carries our id as
/// `PayPal-Request-Id`, so that it counts once; `custom_id` carries the payment, `invoice_id` the attempt, the capture or
/// the refund.
package struct PayPalAdapter: PaymentProvider {
    /// The connector's own codes for ``ChargeAnswer/declined(_:)``.
    package enum DeclineCode {
        /// The payer's bank did not authenticate them; nothing was taken.
        package static let notAuthenticated = "not_authenticated"
        /// PayPal has dropped the order: its payer did not finish in time, or we did not take what they approved.
        package static let orderExpired = "ORDER_EXPIRED"
        /// What the order held was let go.
        package static let orderVoided = "ORDER_VOIDED"
        /// The payer was never shown the way to the order, and its key has run out.
        package static let neverCharged = "never_charged"
    }

    /// The connector's own codes for ``ReleaseAnswer/refused(code:)``.
    package enum ReleaseCode {
        /// The payer has approved the order: whoever asks for its outcome takes it.
        package static let approved = "ORDER_APPROVED"
    }

    /// `paypal`.
    package let name = "paypal"
    /// What PayPal can do through this connector.
    package let capabilities: ProviderCapabilities

    let configuration: PayPalConfiguration
    let client: PayPalClient

    /// Makes the connector; nothing is sent before the first call.
    package init(configuration: PayPalConfiguration, surroundings: PayPalSurroundings) {
        self.configuration = configuration
        capabilities = PayPalCapabilities.all(wallets: configuration.wallets)
        client = PayPalClient(configuration: configuration, surroundings: surroundings)
    }

    /// Creates an order, and takes the money where the payer need not be asked.
    ///
    /// The payer's own page answers `actionRequired`; after it, ``outcome(of:)`` takes the money.
    /// - Throws: ``ProviderFault``; `rejected` before anything is sent for amounts and methods PayPal does not take,
    ///   `unusable` for a key older than PayPal remembers.
    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        switch try await create(request) {
        case .order(let order): return try await answer(order, to: request, mayComplete: true)
        case .answered(let answer): return answer
        }
    }

    /// Reads the order as it is now, by its reference or by asking again under the same key, and takes the money if the
    /// payer has approved it. With a reference it works at any age.
    ///
    /// An order that PayPal has dropped was not taken: `declined` with ``DeclineCode/orderExpired``. One that no answer has
    /// told of, whose key has run out, was not taken either where its payer had to be sent to it; of a stored method it
    /// stays unknown until news names what was taken.
    ///
    /// For charges whose outcome is open: an order whose capture was declined stays approved at PayPal, and asking
    /// again would try again.
    /// - Throws: ``ProviderFault``, never one that is certain: it would speak of the question, not of the charge.
    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        do throws(ProviderFault) {
            if let known = request.reference, let order = try await orderID(known, for: request) {
                return try await read(order, for: request)
            }
            if isForsaken(request) { return .declined(ProviderDecline(code: DeclineCode.neverCharged)) }
            switch try await create(request) {
            case .order(let order): return try await read(order.id, for: request)
            case .answered(let answer): return answer
            }
        } catch {
            throw error.aboutTheQuestion
        }
    }

    package func reading(of decline: ProviderDecline) -> DeclineReading {
        switch decline.code {
        case DeclineCode.notAuthenticated: DeclineReading(.authenticationFailed)
        case DeclineCode.neverCharged: DeclineReading(Decline(code: "processing_error"))
        case DeclineCode.orderVoided: DeclineReading(.holdReleased)
        default:
            DeclineReading(
                paypal: decline.code, processorCode: decline.networkCode, adviceCode: decline.networkAdvice,
                brand: decline.brand)
        }
    }
}

extension PayPalAdapter {
    private enum Created {
        case order(PayPalOrder)
        case answered(ChargeAnswer)
    }

    private func create(_ request: ChargeRequest) async throws(ProviderFault) -> Created {
        let body: JSONValue = try PayPalWire.order(
            request, returnURL: configuration.returnURL + request.paymentID.rawValue)
        try requireFresh(request.idempotencyKey, configuration.orderKeyLifetime)
        switch try await client.send(.post("/v2/checkout/orders", key: request.idempotencyKey.rawValue, body)) {
        case .done(let json): return .order(try PayPalOrder(try json.required()))
        case .refused(let refusal): return .answered(try refused(refusal, reference: nil))
        }
    }

    private func read(_ id: String, for request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        guard let order: PayPalOrder = try await standing(id) else { return try await dropped(id, request) }
        return try await answer(order, to: request, mayComplete: true)
    }

    /// What an order says about the charge it was made for.
    /// - Parameter mayComplete: Whether an approved order may be captured or authorized now; not twice in one call.
    func answer(
        _ order: PayPalOrder, to request: ChargeRequest, mayComplete: Bool
    ) async throws(ProviderFault) -> ChargeAnswer {
        // One that was made to be taken at once, before its kind was held first, is finished as it was begun.
        let isBegunOtherwise: Bool = request.isForAuthenticated && request.capture && order.isTakenAtOnce
        if !isBegunOtherwise { try PayPalCheck.equal(order.intent, PayPalWire.intent(request), "intent") }
        try PayPalCheck.equal(order.amount, request.amount, "amount of the order")
        try check(order.ours, request)
        switch order.status {
        // A wallet's customer has approved in the wallet.
        case .created where request.isOfWallet && mayComplete:
            guard order.authentication?.result != .notAuthenticated else { return unauthenticated(order.id) }
            return try await complete(order, request)
        case .created where mayComplete && request.isOfCard && order.isAuthenticationOver,
            .payerActionRequired
        where mayComplete && (request.isOfCard || request.isOfWallet) && order.isAuthenticationOver:
            return try await authenticated(order, request)
        case .created, .payerActionRequired:
            return .actionRequired(reference: order.id, .redirect(url: try payerURL(order.payerAction)))
        case .approved:
            guard mayComplete else { throw .unusable("order.status") }
            return try await authenticated(order, request)
        case .completed where request.isForAuthenticated && !order.isTakenAtOnce:
            return try await finished(order, request)
        case .completed: return try request.capture ? captured(order, request) : authorized(order, request)
        case .voided: return .declined(ProviderDecline(code: DeclineCode.orderVoided, reference: order.id))
        case .saved: throw .unusable("order.status")
        }
    }

    /// Takes an order whose payer is back, by what came of their authentication. PayPal leaves it to us what follows; what is
    /// not taken lapses.
    private func authenticated(
        _ order: PayPalOrder, _ request: ChargeRequest
    ) async throws(ProviderFault) -> ChargeAnswer {
        guard order.isFit(for: request) else { return unauthenticated(order.id) }
        return try await complete(order, request)
    }

    /// Captures or authorizes an approved order. An order takes this once, whatever the key.
    private func complete(
        _ approved: PayPalOrder, _ request: ChargeRequest
    ) async throws(ProviderFault) -> ChargeAnswer {
        let reply: PayPalReply = try await client.send(
            .take(approved.id, capture: approved.isTakenAtOnce, request.idempotencyKey))
        return try await taken(reply, approved.id, approved.authentication, request)
    }

    /// The end of an order that PayPal does not have any more. Only we could have taken it: that is asked again, under its
    /// key, since a taken one answers as it did before, or that it was.
    private func dropped(_ id: String, _ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        guard isPastOrders(request.idempotencyKey) else { throw .unusable("not readable: \(PayPalRefusal.noResource)") }
        let reply: PayPalReply = try await client.send(
            .take(id, capture: PayPalWire.isTakenAtOnce(request), request.idempotencyKey))
        if case .refused(let refusal) = reply, refusal.isAbsence, refusal.doubt == nil {
            return .declined(ProviderDecline(code: DeclineCode.orderExpired, reference: id))
        }
        return try await taken(reply, id, nil, request)
    }

    /// What PayPal says to the taking of an order.
    private func taken(
        _ reply: PayPalReply, _ id: String, _ authentication: ProviderAuthentication?, _ request: ChargeRequest
    ) async throws(ProviderFault) -> ChargeAnswer {
        switch reply {
        case .done(let json):
            var order = try PayPalOrder(try json.required())
            try PayPalCheck.equal(order.id, id, "order")
            order.authentication = order.authentication ?? authentication
            return try await answer(order, to: request, mayComplete: false)
        case .refused(let refusal):
            switch refusal.issue {
            case .payerAction where refusal.payerAction != nil:
                return .actionRequired(reference: id, .redirect(url: try payerURL(refusal.payerAction)))
            case .payerAction, .done:
                let order: PayPalOrder = try await standing(of: id)
                return try await answer(order, to: request, mayComplete: false)
            case .declined, .running, .duplicate, .conflict, .ours: return try refused(refusal, reference: id)
            }
        }
    }

    private func refused(_ refusal: PayPalRefusal, reference: String?) throws(ProviderFault) -> ChargeAnswer {
        switch refusal.issue {
        case .declined: return .declined(ProviderDecline(code: refusal.code, reference: reference))
        case .duplicate: throw .unusable("this attempt was captured by another order")
        case .running: throw .timedOut
        case .done, .payerAction, .conflict, .ours:
            // An order that is gone says nothing about whether it was captured.
            guard reference == nil || refusal.status != 404 else { throw .unusable("no such order") }
            throw refusal.rejection
        }
    }
}

extension PayPalAdapter {
    func captured(_ order: PayPalOrder, _ request: ChargeRequest) throws(ProviderFault) -> ChargeAnswer {
        guard order.captures.count == 1, let capture = order.captures.first else {
            throw .unusable("order.captures")
        }
        return try answer(capture, of: order, request)
    }

    /// What a capture of an order says about the charge. PayPal need not say whose payment it is: the order does.
    func answer(
        _ capture: PayPalCapture, of order: PayPalOrder, _ request: ChargeRequest
    ) throws(ProviderFault) -> ChargeAnswer {
        try PayPalCheck.equal(capture.amount, request.amount, "amount of the capture")
        try PayPalCheck.equal(capture.ours.invoiceID, request.idempotencyKey.rawValue, "attempt id")
        if let payment = capture.ours.customID {
            try PayPalCheck.equal(payment, request.paymentID.rawValue, "payment id")
        }
        switch capture.status {
        case .completed, .partiallyRefunded, .refunded:
            return .captured(capture.charge(order.authentication))
        case .pending: return .pending(reference: order.id)
        case .declined, .failed:
            let code: String = PayPalDeclines.word(capture.reason, status: capture.status.rawValue)
            return .declined(
                ProviderDecline(
                    code: code, networkCode: capture.processorCode, networkAdvice: capture.adviceCode,
                    brand: order.cardBrand, reference: capture.id))
        }
    }

    func authorized(_ order: PayPalOrder, _ request: ChargeRequest) throws(ProviderFault) -> ChargeAnswer {
        guard order.authorizations.count == 1, let held = order.authorizations.first else {
            throw .unusable("order.authorizations")
        }
        try PayPalCheck.equal(held.amount, request.amount, "amount of the authorization")
        try check(held.ours, request)
        switch held.status {
        case .created, .captured, .partiallyCaptured:
            return .authorized(held.charge(order.authentication))
        case .pending: return .pending(reference: order.id)
        case .denied, .voided:
            let code: String = PayPalDeclines.word(held.reason, status: held.status.rawValue)
            return .declined(
                ProviderDecline(
                    code: code, networkCode: held.processorCode,
                    networkAdvice: held.adviceCode, brand: order.cardBrand, reference: held.id))
        }
    }

    func check(_ ours: PayPalOurIDs, _ request: ChargeRequest) throws(ProviderFault) {
        try PayPalCheck.equal(ours.customID, request.paymentID.rawValue, "payment id")
        try PayPalCheck.equal(ours.invoiceID, request.idempotencyKey.rawValue, "attempt id")
    }

    /// The payer is sent over TLS only, unless PayPal itself is reached without it (a double on loopback).
    private func payerURL(_ url: String?) throws(ProviderFault) -> String {
        guard let address = url.flatMap({ WebAddress($0, max: 4_000) }),
            !address.isLoopback || configuration.baseURL.hasPrefix("http://")
        else { throw .unusable("order.links") }
        return address.text
    }
}

extension PayPalCapture {
    /// Whether the money came, whatever became of it since.
    var isTaken: Bool { status == .completed || status == .partiallyRefunded || status == .refunded }

    /// As the charge that it is.
    func charge(_ authentication: ProviderAuthentication? = nil) -> ProviderCharge {
        ProviderCharge(reference: id, networkTransactionID: networkTransactionID, authentication: authentication)
    }
}

extension PayPalAuthorization {
    /// As the charge that it is.
    func charge(_ authentication: ProviderAuthentication? = nil) -> ProviderCharge {
        ProviderCharge(
            reference: id, networkTransactionID: networkTransactionID, expiresAt: expiresAt,
            authentication: authentication)
    }
}

extension ProviderFault {
    /// The fault of a step of a charge after which money may be held or taken: none of them says that nothing happened.
    var afterwards: ProviderFault {
        if case .rateLimited = self { return .timedOut }
        return aboutTheQuestion
    }

    /// The fault of a question about a charge: what is certain of the question is not certain of the charge.
    var aboutTheQuestion: ProviderFault {
        switch self {
        case .rejected(let code), .unauthorized(let code): .unusable("the question is rejected: \(code)")
        case .notSent: .timedOut
        case .timedOut, .unavailable, .rateLimited, .unusable: self
        }
    }
}
