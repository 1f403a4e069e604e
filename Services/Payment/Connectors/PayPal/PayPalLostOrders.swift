import BillingCore
package import PaymentContract

/// What news calls a charge by that no answer has told of: an order's id as it is, a capture's or an authorization's id
/// after the collection it is read from.
enum PayPalNamed {
    case order(String)
    case capture(String)
    case authorization(String)

    init(_ name: String) {
        if name.hasPrefix(Self.captures) {
            self = .capture(String(name.dropFirst(Self.captures.count)))
        } else if name.hasPrefix(Self.authorizations) {
            self = .authorization(String(name.dropFirst(Self.authorizations.count)))
        } else {
            self = .order(name)
        }
    }

    /// The name as it stands in ``ChargeRequest/reference``.
    var text: String {
        switch self {
        case .order(let id): id
        case .capture(let id): Self.captures + id
        case .authorization(let id): Self.authorizations + id
        }
    }

    private static let captures = "captures/"
    private static let authorizations = "authorizations/"
}

/// Orders whose answers were lost, and orders that are gone.
extension PayPalAdapter {
    /// The order of a charge, by its own id or by what was taken of it, which has to be the request's to the unit; of what is
    /// held a part may have been captured since.
    /// - Returns: `nil` where PayPal does not say which order it came out of.
    func orderID(_ name: String, for request: ChargeRequest) async throws(ProviderFault) -> String? {
        switch PayPalNamed(name) {
        case .order(let id): return id
        case .capture(let id):
            let capture: PayPalCapture = try await capture(id)
            try check(capture.ours, request)
            if request.capture {
                try PayPalCheck.equal(capture.amount, request.amount, "amount of the capture")
            }
            return capture.order
        case .authorization(let id):
            let held: PayPalAuthorization = try await authorization(id)
            try check(held.ours, request)
            try PayPalCheck.equal(held.amount, request.amount, "amount of the authorization")
            return held.order
        }
    }

    /// What was taken or is held for an attempt, read by the name of it that news or an answer has told. An order that waits
    /// for its payer, or to be taken, has nothing to tell.
    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        guard let known = request.reference else { return nil }
        switch PayPalNamed(known) {
        case .order(let id):
            guard let order: PayPalOrder = try await standing(id), order.status == .completed else { return nil }
            try PayPalCheck.equal(order.amount, request.amount, "amount of the order")
            try check(order.ours, request)
            // What was to be taken once its customer had authenticated may still be held.
            let isHeld: Bool = order.captures.isEmpty && !order.authorizations.isEmpty
            return try request.capture && !isHeld ? captured(order, request) : authorized(order, request)
        case .capture(let id):
            let capture: PayPalCapture = try await capture(id)
            try check(capture.ours, request)
            if request.capture {
                try PayPalCheck.equal(capture.amount, request.amount, "amount of the capture")
            }
            return request.capture && capture.isTaken ? .captured(capture.charge()) : nil
        case .authorization(let id):
            let held: PayPalAuthorization = try await authorization(id)
            try check(held.ours, request)
            try PayPalCheck.equal(held.amount, request.amount, "amount of the authorization")
            return held.status == .created ? .authorized(held.charge()) : nil
        }
    }

    /// Whether nothing can have been taken for an attempt that no answer has told of: its payer had to be sent to PayPal's
    /// page and never was, only we take what they approve, and PayPal has forgotten the key, so nobody finds the order.
    func isForsaken(_ request: ChargeRequest) -> Bool {
        guard request.reference == nil, case .redirect = request.source, let madeAt = request.idempotencyKey.madeAt
        else { return false }
        return client.now - madeAt >= configuration.orderKeyLifetime
    }

    /// Whether an attempt is so old that an order of it which is not found has been dropped.
    func isPastOrders(_ attempt: AttemptID) -> Bool {
        guard let madeAt = attempt.madeAt else { return false }
        return client.now - madeAt >= configuration.orderLifetime
    }

    /// Lets an order go of which nothing was taken: it holds nothing and lapses by itself, since only we could take it.
    /// - Returns: `nil` for what is no such order.
    func letGo(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer? {
        guard let order: PayPalOrder = try await standing(request.reference) else {
            return try await isDropped(request) ? .released : nil
        }
        switch order.status {
        // Somebody may be about to take it.
        case .created where order.isAuthenticationOver, .payerActionRequired where order.isAuthenticationOver:
            return .refused(code: ReleaseCode.approved)
        case .created, .payerActionRequired, .saved, .voided: return .released
        case .approved: return .refused(code: ReleaseCode.approved)
        case .completed: return nil
        }
    }

    /// Whether an order that is not found was dropped untaken. What it was made for is not told here, so both ways of taking
    /// it are asked again under their key.
    private func isDropped(_ request: ReleaseRequest) async throws(ProviderFault) -> Bool {
        guard isPastOrders(request.idempotencyKey) else { return false }
        for capture in [true, false] {
            let reply: PayPalReply = try await client.send(
                .take(request.reference, capture: capture, request.idempotencyKey))
            guard case .refused(let refusal) = reply, refusal.isAbsence else { return false }
            if let doubt = refusal.doubt { throw doubt }
        }
        return true
    }
}

extension PayPalCall {
    /// Captures or authorizes an order, once per attempt.
    static func take(_ order: String, capture: Bool, _ attempt: AttemptID) -> PayPalCall {
        .post("/v2/checkout/orders/\(order)/\(capture ? "capture" : "authorize")", key: attempt.rawValue + "-take")
    }
}

extension PayPalRefusal {
    /// The issue of a resource that is not there.
    static let noResource = "INVALID_RESOURCE_ID"

    /// PayPal knows no resource of this id, or none any more.
    var isAbsence: Bool { status == 404 && (code == Self.noResource || code == "RESOURCE_NOT_FOUND") }
}
