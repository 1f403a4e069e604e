import PaymentContract
import BillingCore
import JSON

func money(_ minor: Int64, _ code: String = "USD") -> Money {
    guard let currency = Currency(code) else { preconditionFailure("no currency \(code)") }
    return Money(minor: minor, currency: currency)
}

/// Requests as the service makes them.
enum Ask {
    static func charge(
        _ amount: Money = money(12_34), method: String = "paypal", capture: Bool = true,
        attempt: AttemptID = id(), descriptor: String? = nil
    ) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: attempt, paymentID: id(),
            source: .redirect(method: method, returnURL: "https://shop.example/back"), amount: amount,
            capture: capture, statementDescriptor: descriptor)
    }

    static func stored(
        _ token: String = "8kk8451t", amount: Money = money(12_34), capture: Bool = true,
        initiation: ChargeRequest.Initiation = .merchant(networkTransactionID: nil), attempt: AttemptID = id()
    ) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: attempt, paymentID: id(), source: .stored(token: token, providerCustomer: nil),
            amount: amount, capture: capture, initiation: initiation)
    }

    static func capture(
        _ amount: Money = money(5_00), isFinal: Bool = false, known: String? = nil
    ) -> CaptureRequest {
        CaptureRequest(idempotencyKey: id(), reference: "AUTH1", amount: amount, isFinal: isFinal, known: known)
    }

    static func refund(_ amount: Money = money(5_00)) -> RefundRequest {
        RefundRequest(idempotencyKey: id(), reference: "CAP1", amount: amount)
    }

    static let release = ReleaseRequest(idempotencyKey: id(), reference: "AUTH1")
}

/// Answers as PayPal gives them.
enum Say {
    static let attempt: String = id(AttemptID.self).rawValue
    static let payment: String = id(PaymentID.self).rawValue

    static func amount(_ value: String = "12.34", _ code: String = "USD") -> JSONValue {
        ["currency_code": .string(code), "value": .string(value)]
    }

    static func order(
        _ status: String, intent: String = "CAPTURE", amount: JSONValue = Say.amount(), captures: [JSONValue]? = nil,
        authorizations: [JSONValue]? = nil, link: String? = "payer-action"
    ) -> JSONValue {
        var payments: [JSONMember] = []
        if let captures { payments.append(JSONMember(name: "captures", value: .array(captures))) }
        if let authorizations { payments.append(JSONMember(name: "authorizations", value: .array(authorizations))) }
        let links: [JSONValue] =
            link.map {
                [["rel": .string($0), "href": "https://www.paypal.com/checkoutnow?token=ORDER1"]]
            } ?? []
        return [
            "id": "ORDER1", "intent": .string(intent), "status": .string(status),
            "purchase_units": [
                [
                    "reference_id": "default", "amount": amount, "custom_id": .string(payment),
                    "invoice_id": .string(attempt), "payments": .object(payments),
                ]
            ],
            "links": .array(links),
        ]
    }

    static func capture(
        _ status: String = "COMPLETED", id: String = "CAP1", amount: JSONValue = Say.amount(),
        invoice: String = attempt, more: [JSONMember] = []
    ) -> JSONValue {
        let members: [JSONMember] = [
            JSONMember(name: "id", value: .string(id)), JSONMember(name: "status", value: .string(status)),
            JSONMember(name: "amount", value: amount), JSONMember(name: "invoice_id", value: .string(invoice)),
            JSONMember(name: "custom_id", value: .string(payment)),
        ]
        return .object(members + more)
    }

    /// A capture of `AUTH1` under the capture's own id.
    static func part(_ status: String = "COMPLETED", amount: String = "5.00", more: [JSONMember] = []) -> JSONValue {
        let up: JSONValue = [["rel": "up", "href": "https://api.paypal.com/v2/payments/authorizations/AUTH1"]]
        let invoice: String = PaymentPayPalTests.id(CaptureID.self).rawValue
        return capture(
            status, id: "CAP9", amount: Say.amount(amount), invoice: invoice,
            more: more + [JSONMember(name: "links", value: up)])
    }

    /// Until when an authorization is held.
    static let heldUntil = Instant(seconds: 1_800_000_000)

    static func authorization(_ status: String = "CREATED", id: String = "AUTH1") -> JSONValue {
        [
            "id": .string(id), "status": .string(status), "amount": amount(), "invoice_id": .string(attempt),
            "custom_id": .string(payment), "network_transaction_reference": ["id": "123456789012345"],
            "expiration_time": "2027-01-15T08:00:00Z",
        ]
    }

    static func refund(_ status: String = "COMPLETED", amount: String = "5.00") -> JSONValue {
        [
            "id": "REF1", "status": .string(status), "amount": Say.amount(amount),
            "invoice_id": .string(PaymentPayPalTests.id(RefundID.self).rawValue),
            "links": [["rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1"]],
        ]
    }
}

extension JSONValue {
    /// The value with the member at a path put in place, or taken away.
    func setting(_ path: [String], to value: JSONValue?) -> JSONValue {
        guard let first = path.first else { return value ?? .null }
        let rest = Array(path.dropFirst())
        if let index = Int(first), var elements = arrayValue {
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else {
                elements[index] = elements[index].setting(rest, to: value)
            }
            return .array(elements)
        }
        var members: [JSONMember] = objectValue ?? []
        let at: Int? = members.firstIndex { $0.name == first }
        if rest.isEmpty, value == nil {
            members.removeAll { $0.name == first }
        } else if let at {
            members[at].value = members[at].value.setting(rest, to: value)
        } else {
            members.append(JSONMember(name: first, value: JSONValue.object([]).setting(rest, to: value)))
        }
        return .object(members)
    }
}

extension ProviderFault {
    var isUnusable: Bool {
        guard case .unusable = self else { return false }
        return true
    }

    var isNotSent: Bool {
        guard case .notSent = self else { return false }
        return true
    }
}

/// Where a payer is sent, and PayPal's usual answers on the way.
let page = NextAction.redirect(url: "https://www.paypal.com/checkoutnow?token=ORDER1")
let waiting = FakePayPal.Step.answer(201, Say.order("PAYER_ACTION_REQUIRED"))
let approved = FakePayPal.Step.answer(200, Say.order("APPROVED", link: nil))

func completed(_ captures: [JSONValue]) -> FakePayPal.Step { .answer(200, Say.order("COMPLETED", captures: captures)) }
func held(_ authorizations: [JSONValue]) -> FakePayPal.Step {
    .answer(200, Say.order("COMPLETED", intent: "AUTHORIZE", authorizations: authorizations))
}
