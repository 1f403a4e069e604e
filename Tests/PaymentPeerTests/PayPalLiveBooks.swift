import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Testing

/// What the service would have written down, to be held against the double's books.
struct LiveBooks {
    /// One attempt per order.
    var attempts: Set<String> = []
    /// Captured amounts by PayPal's capture id.
    var captured: [String: Money] = [:]
    /// Refunded amounts by PayPal's refund id.
    var refunded: [String: Money] = [:]
    /// Calls whose first answer left the outcome unknown.
    var unknowns = 0
    var declines = 0
    var releases = 0

    /// Compares with the double: nothing more, nothing less, to the unit, and no attempt twice.
    func compare(with state: JSONValue) {
        var orderInvoices: [String] = []
        var captures: [String: Money] = [:]
        for order in state["orders"]?.objectValue ?? [] {
            let unit: JSONValue? = order.value["purchase_units"]?[0]
            orderInvoices.append(unit?["invoice_id"]?.stringValue ?? "none")
            let taken: [JSONValue] = unit?["payments"]?["captures"]?.arrayValue ?? []
            if order.value["intent"] == "CAPTURE" { #expect(taken.count <= 1, "order \(order.name) captured twice") }
        }
        #expect(Set(orderInvoices).count == orderInvoices.count, "two orders for one attempt")
        #expect(Set(orderInvoices) == attempts)
        var invoices: [String] = []
        for member in state["captures"]?.objectValue ?? [] where member.value["status"] != "DECLINED" {
            captures[member.name] = Self.money(member.value)
            invoices.append(member.value["invoice_id"]?.stringValue ?? "none")
        }
        #expect(Set(invoices).count == invoices.count, "two captures under one id of ours")
        #expect(captures == captured)
        var refunds: [String: Money] = [:]
        for member in state["refunds"]?.objectValue ?? [] { refunds[member.name] = Self.money(member.value) }
        #expect(refunds == refunded)
    }

    private static func money(_ json: JSONValue) -> Money? {
        guard let code = json["amount"]?["currency_code"]?.stringValue,
            let value = json["amount"]?["value"]?.stringValue
        else { return nil }
        return PayPalAmount.money(code: code, value: value)
    }
}

/// Walks payments through the connector as the service does: what is unknown is asked again until it is known.
struct LiveShop {
    let peer: LivePeer
    let adapter: PayPalAdapter
    var books = LiveBooks()

    init(peer: LivePeer, adapter: PayPalAdapter) {
        self.peer = peer
        self.adapter = adapter
    }

    /// Makes a call, and its question after it, until the answer is known.
    mutating func known<Answer: Sendable>(
        _ first: () async throws(ProviderFault) -> Answer, then again: () async throws(ProviderFault) -> Answer
    ) async throws -> Answer {
        do throws(ProviderFault) {
            return try await first()
        } catch {
            books.unknowns += 1
            guard !error.isRejected else { throw error }
        }
        var last: ProviderFault = .timedOut
        for _ in 0..<12 {
            do throws(ProviderFault) {
                return try await again()
            } catch {
                last = error
            }
        }
        throw last
    }

    /// Charges a wallet or a stored method to its end: the page, the approval, the capture or the authorization.
    mutating func charge(_ request: ChargeRequest) async throws -> ChargeAnswer {
        let adapter: PayPalAdapter = adapter
        books.attempts.insert(request.idempotencyKey.rawValue)
        let answer: ChargeAnswer = try await known {
            () throws(ProviderFault) in
            try await adapter.charge(request)
        } then: {
            () throws(ProviderFault) in
            try await adapter.outcome(of: request)
        }
        guard case .actionRequired(let order, .redirect(let url)) = answer else { return noted(answer, request) }
        #expect(url == "\(peer.base)/checkoutnow?token=\(order)")
        try await peer.control("approve/\(order)", [:])
        let final: ChargeAnswer = try await known {
            () throws(ProviderFault) in
            try await adapter.outcome(of: request.known(as: order))
        } then: {
            () throws(ProviderFault) in
            try await adapter.outcome(of: request.known(as: order))
        }
        return noted(final, request)
    }

    private mutating func noted(_ answer: ChargeAnswer, _ request: ChargeRequest) -> ChargeAnswer {
        if case .captured(let charge) = answer { books.captured[charge.reference] = request.amount }
        if case .declined = answer { books.declines += 1 }
        return answer
    }

    mutating func capture(_ reference: String, _ amount: Money, isFinal: Bool) async throws -> CaptureAnswer {
        let adapter: PayPalAdapter = adapter
        let key = CaptureID.new(at: SystemClock().now)
        let request = CaptureRequest(idempotencyKey: key, reference: reference, amount: amount, isFinal: isFinal)
        let call = { () async throws(ProviderFault) -> CaptureAnswer in try await adapter.capture(request) }
        let answer: CaptureAnswer = try await known(call, then: call)
        if case .captured(let id) = answer { books.captured[id] = amount }
        return answer
    }

    mutating func refund(_ reference: String, _ amount: Money) async throws -> RefundAnswer {
        let adapter: PayPalAdapter = adapter
        let key = RefundID.new(at: SystemClock().now)
        let request = RefundRequest(idempotencyKey: key, reference: reference, amount: amount)
        let call = { () async throws(ProviderFault) -> RefundAnswer in try await adapter.refund(request) }
        let answer: RefundAnswer = try await known(call, then: call)
        if case .refunded(let id) = answer { books.refunded[id] = amount }
        return answer
    }

    mutating func release(_ reference: String) async throws -> ReleaseAnswer {
        let adapter: PayPalAdapter = adapter
        let request = ReleaseRequest(idempotencyKey: AttemptID.new(at: SystemClock().now), reference: reference)
        let call = { () async throws(ProviderFault) -> ReleaseAnswer in try await adapter.release(request) }
        let answer: ReleaseAnswer = try await known(call, then: call)
        if answer == .released { books.releases += 1 }
        return answer
    }

    /// A request for a new attempt.
    static func request(_ amount: Money, stored: Bool, capture: Bool) -> ChargeRequest {
        let now: Instant = SystemClock().now
        let source: ChargeSource =
            stored
            ? .stored(token: "8kk8451t", providerCustomer: nil)
            : .redirect(method: "paypal", returnURL: "https://shop.example/back")
        return ChargeRequest(
            idempotencyKey: .new(at: now), paymentID: .new(at: now), source: source, amount: amount, capture: capture,
            initiation: stored ? .merchant(networkTransactionID: nil) : .customer)
    }
}

extension ProviderFault {
    var isRejected: Bool {
        guard case .rejected = self else { return false }
        return true
    }
}

/// An answer that a test cannot go on from.
struct Surprise: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
