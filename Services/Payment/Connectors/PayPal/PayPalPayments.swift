package import PaymentContract
import BillingCore
import JSON
import PaymentDomain

/// What happens to money once it is held or taken: Payments v2.
extension PayPalAdapter {
    /// Takes all or a part of an authorized amount.
    /// - Parameter request: Names the authorization's id.
    /// - Returns: `pending` while PayPal has the capture under review: read by its id, at any age, it tells how that ended.
    /// - Throws: ``ProviderFault``.
    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        if let known = request.known {
            let latest: PayPalCapture = try await capture(known)
            try check(latest, request)
            return try answer(latest)
        }
        let body: JSONValue
        do throws(UnitRefusal) {
            body = try PayPalWire.capture(request)
        } catch {
            return .refused(code: error.payPalCode)
        }
        let path: String = try path("authorizations", request.reference, "capture")
        try requireFresh(request.idempotencyKey, configuration.paymentKeyLifetime)
        switch try await client.send(.post(path, key: request.idempotencyKey.rawValue, body)) {
        case .refused(let refusal): return .refused(code: try refusal.finalCode())
        case .done(let json):
            let answered = try PayPalCapture(try json.required())
            try check(answered, request)
            // A repeated key may be answered with the words of the first time, so a pending one is looked up.
            guard answered.status == .pending else { return try answer(answered) }
            let latest: PayPalCapture = try await capture(answered.id)
            try check(latest, request)
            return try answer(latest)
        }
    }

    /// Releases what is held; of an authorization of which a part was captured the last capture says `isFinal` instead. An
    /// order that waits for its payer holds nothing, one that PayPal has dropped is over, and one that
    /// the payer has approved is not let go: somebody may be taking it, and its outcome tells.
    /// - Parameter request: Names the authorization's or the order's id.
    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        let path: String = try path("authorizations", request.reference, "void")
        switch try await client.send(.post(path, key: request.idempotencyKey.rawValue + "-void")) {
        case .done(nil): return .released
        case .done(let json?):
            let held = try PayPalAuthorization(json)
            try PayPalCheck.equal(held.id, request.reference, "authorization")
            try PayPalCheck.equal(held.status, .voided, "status of the authorization")
            return .released
        case .refused(let refusal):
            guard refusal.code != "PREVIOUSLY_VOIDED" else { return .released }
            if refusal.status == 404, let answer = try await letGo(request) { return answer }
            return .refused(code: try refusal.finalCode())
        }
    }

    /// Gives captured money back.
    /// - Parameter request: Names the capture's id.
    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        let body: JSONValue
        do throws(UnitRefusal) {
            body = try PayPalWire.refund(request)
        } catch {
            return .refused(code: error.payPalCode)
        }
        let path: String = try path("captures", request.reference, "refund")
        try requireFresh(request.idempotencyKey, configuration.paymentKeyLifetime)
        switch try await client.send(.post(path, key: request.idempotencyKey.rawValue, body)) {
        case .refused(let refusal): return .refused(code: try refusal.finalCode())
        case .done(let json):
            let answered = try PayPalRefund(try json.required())
            try PayPalCheck.equal(answered.amount, request.amount, "amount of the refund")
            try PayPalCheck.equal(answered.ours.invoiceID, request.idempotencyKey.rawValue, "refund id")
            if let parent = answered.parent { try PayPalCheck.equal(parent, request.reference, "capture") }
            // A repeated key may be answered with the words of the first time, so a pending one is looked up.
            let latest: PayPalRefund = answered.status == .pending ? try await refund(answered.id) : answered
            try PayPalCheck.equal(latest.amount, request.amount, "amount of the refund")
            switch latest.status {
            case .completed: return .refunded(reference: latest.id)
            case .pending: return .pending(reference: latest.id)
            case .failed, .cancelled: return .refused(code: latest.status.rawValue)
            }
        }
    }

    private func check(_ capture: PayPalCapture, _ request: CaptureRequest) throws(ProviderFault) {
        try PayPalCheck.equal(capture.amount, request.amount, "amount of the capture")
        try PayPalCheck.equal(capture.ours.invoiceID, request.idempotencyKey.rawValue, "capture id")
        if let parent = capture.parent { try PayPalCheck.equal(parent, request.reference, "authorization") }
    }

    private func answer(_ capture: PayPalCapture) throws(ProviderFault) -> CaptureAnswer {
        switch capture.status {
        case .completed, .partiallyRefunded, .refunded: return .captured(reference: capture.id)
        case .declined, .failed: return .refused(code: capture.reason ?? capture.status.rawValue)
        case .pending: return .pending(reference: capture.id)
        }
    }
}

/// Reading back what PayPal has, for webhooks and reconciliation.
extension PayPalAdapter {
    /// Reads an order.
    /// - Throws: ``ProviderFault``; `unusable` for an order PayPal does not know (any more).
    package func order(_ id: String) async throws(ProviderFault) -> PayPalOrder {
        guard let order: PayPalOrder = try await standing(id) else {
            throw .unusable("not readable: \(PayPalRefusal.noResource)")
        }
        return order
    }

    /// Reads an order.
    /// - Returns: `nil` for one that PayPal does not know (any more).
    func standing(_ id: String) async throws(ProviderFault) -> PayPalOrder? {
        guard PayPalWire.isID(id) else { throw .unusable("no id of PayPal's") }
        switch try await client.send(.get("/v2/checkout/orders/" + id)) {
        case .refused(let refusal) where refusal.isAbsence: return nil
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        case .done(let json):
            let order = try PayPalOrder(try json.required())
            try PayPalCheck.equal(order.id, id, "order")
            return order
        }
    }

    /// Reads an authorization.
    /// - Throws: As ``order(_:)``.
    package func authorization(_ id: String) async throws(ProviderFault) -> PayPalAuthorization {
        let held = try PayPalAuthorization(try await read("/v2/payments/authorizations/", id))
        try PayPalCheck.equal(held.id, id, "authorization")
        return held
    }

    /// Reads a capture, with PayPal's fee.
    /// - Throws: As ``order(_:)``.
    package func capture(_ id: String) async throws(ProviderFault) -> PayPalCapture {
        let capture = try PayPalCapture(try await read("/v2/payments/captures/", id))
        try PayPalCheck.equal(capture.id, id, "capture")
        return capture
    }

    /// Reads a refund.
    /// - Throws: As ``order(_:)``.
    package func refund(_ id: String) async throws(ProviderFault) -> PayPalRefund {
        let refund = try PayPalRefund(try await read("/v2/payments/refunds/", id))
        try PayPalCheck.equal(refund.id, id, "refund")
        return refund
    }

    /// An authorization that was voided or denied holds nothing; one whose time is over is voided by PayPal, or holds nothing
    /// beside what was captured.
    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        guard let held: PayPalAuthorization = try await standing(authorization: reference) else { return nil }
        return switch held.status {
        case .partiallyCaptured where held.expiresAt.map { $0 <= client.now } ?? false: false
        case .created, .partiallyCaptured, .pending: true
        case .denied, .voided: false
        case .captured: nil
        }
    }

    /// All captures of the order that an authorization came out of: nothing else lists them. One that was voided may have been
    /// captured in part before; of that nothing is known where PayPal has dropped the order.
    /// - Throws: ``ProviderFault``; `unusable` where something was captured and PayPal does not show the order.
    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        guard let held: PayPalAuthorization = try await standing(authorization: reference) else { return nil }
        let isHeld: Bool
        switch held.status {
        case .created, .pending: return ProviderTakings(taken: [], isHeld: true)
        case .denied: return ProviderTakings(taken: [], isHeld: false)
        case .captured, .voided: isHeld = false
        case .partiallyCaptured: isHeld = held.expiresAt.map { $0 > client.now } ?? true
        }
        let captures: [PayPalCapture]
        if held.status == .voided {
            var order: PayPalOrder?
            if let id: String = held.order { order = try await standing(id) }
            captures = order?.captures ?? []
        } else {
            guard let id: String = held.order else { throw .unusable("authorization.links") }
            captures = try await order(id).captures
        }
        let taken: [ProviderTakings.Taking] = captures.filter(\.isTaken).map { capture in
            ProviderTakings.Taking(
                reference: capture.id, captureID: capture.ours.invoiceID.flatMap { CaptureID($0) },
                amount: capture.amount)
        }
        return ProviderTakings(taken: taken, isHeld: isHeld, isPending: captures.contains { $0.status == .pending })
    }

    /// Reads an authorization.
    /// - Returns: `nil` for one that PayPal does not know.
    private func standing(authorization id: String) async throws(ProviderFault) -> PayPalAuthorization? {
        guard PayPalWire.isID(id) else { return nil }
        switch try await client.send(.get("/v2/payments/authorizations/" + id)) {
        case .refused(let refusal) where refusal.status == 404: return nil
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        case .done(let json):
            let held = try PayPalAuthorization(try json.required())
            try PayPalCheck.equal(held.id, id, "authorization")
            return held
        }
    }

    private func read(_ collection: String, _ id: String) async throws(ProviderFault) -> JSONValue {
        guard PayPalWire.isID(id) else { throw .unusable("no id of PayPal's") }
        switch try await client.send(.get(collection + id)) {
        case .done(let json): return try json.required()
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        }
    }

    private func path(_ collection: String, _ id: String, _ action: String) throws(ProviderFault) -> String {
        guard PayPalWire.isID(id) else { throw .rejected(code: "INVALID_RESOURCE_ID") }
        return "/v2/payments/\(collection)/\(id)/\(action)"
    }

    /// Refuses a key that PayPal may have forgotten: repeated, it would count a second time.
    func requireFresh(_ key: some TypedID, _ lifetime: Duration) throws(ProviderFault) {
        guard let madeAt = key.madeAt, client.now - madeAt < lifetime else {
            throw .unusable("the key is too old to be repeated safely")
        }
    }
}

extension JSONValue? {
    /// The resource that an answer had to have.
    func required() throws(ProviderFault) -> JSONValue {
        guard let self else { throw .unusable("no resource in the answer") }
        return self
    }
}
