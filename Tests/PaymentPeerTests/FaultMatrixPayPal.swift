import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentPayPal
import PaymentWebhooks
import Telemetry
import TestKit

/// The PayPal double in the fault matrix.
struct PayPalMatrixPeer: MatrixPeer {
    let peer: LivePeer

    let name = "paypal"
    let capturesInParts = true
    let forgeries = [
        "sig", "body", "time", "algo", "self_signed", "wrong_cn", "expired_cert", "other_webhook_id", "evil_host",
        "evil_userinfo", "no_headers",
    ]
    let methods: [MatrixMethod] = [
        .kept("8kk8451t", type: "paypal"), .kept("8kk8452t", type: "paypal", .eur),
        .kept("8kk8453t", .jpy, manual: false),
        .page("paypal", .usd), .page("paypal", .eur),
    ]

    func provider(_ life: MatrixLife, clock: any WallClock, patience: Int) -> any PaymentProvider {
        var retry = ProviderRetryPolicy.payPal
        retry.sleep = { _ in await Task.yield() }
        let configuration = PayPalConfiguration(
            baseURL: peer.base, clientID: "mock-client-id", clientSecret: Secret("mock-client-secret"),
            returnURL: "https://pay.test/back/", retry: retry)
        let socket = SocketTransport(port: peer.transport.port, limitMilliseconds: patience)
        let surroundings = PayPalSurroundings(
            transport: MortalTransport(life: life, transport: socket), clock: clock)
        return PayPalAdapter(configuration: configuration, surroundings: surroundings)
    }

    func set(_ clocks: MatrixClocks) async throws {
        _ = try await control("clock", ["advance": .number("\(clocks.provider)")])
    }

    func webhooks(to url: String) async throws -> WebhookSource {
        let hook: JSONValue = try await peer.post(
            "/v1/notifications/webhooks",
            ["url": .string("\(url)/v1/webhooks/paypal"), "event_types": [["name": "*"]]], key: "hook")
        guard let id: String = hook["id"]?.stringValue, let origin = CertificateOrigin(peer.base) else {
            throw MissingInfrastructure("the double signs nothing")
        }
        _ = try await control("config", ["mode": "hold", "duplicate": 0])
        let verifier = PayPalVerifier(
            webhookID: id, origins: [origin],
            certificates: SignerKeys(
                transport: ProviderCertificates(transport: peer.transport),
                roots: try TrustedRoots(pem: try await peer.root())))
        return WebhookSource(verifier, reader: PayPalNews())
    }

    func control(_ path: String, _ body: JSONValue?) async throws -> JSONValue { try await peer.control(path, body) }

    func clearFaults() async throws {
        let request = ProviderHTTPRequest(method: "DELETE", url: peer.base + "/_mock/faults", headers: [])
        _ = try await peer.transport.send(request)
    }

    func finish(_ reference: String, _ customer: MatrixStory.Customer) async throws {
        // Who does not pay at PayPal turns back, of which an order says nothing.
        if customer == .pays { _ = try await control("approve/\(reference)", [:]) }
    }

    func refundElsewhere(_ reference: String, _ amount: Money, key: String) async throws {
        let value: JSONValue = [
            "currency_code": .string(amount.currency.code), "value": .string(try PayPalAmount.text(of: amount)),
        ]
        _ = try await peer.post("/v2/payments/captures/\(reference)/refund", ["amount": value], key: key)
    }

    func dispute(_ reference: String, _ amount: Money, isInquiry: Bool) async throws -> String? { nil }
    func decide(_ dispute: String, isWon: Bool) async throws {}
    func settleBanks(but answered: Set<String>) async throws {}
    func returnRefunds() async throws {}
    func passDay() async throws {}

    func books() async throws -> [String: MatrixAccount] {
        let state: JSONValue = try await control("state", nil)
        var books: [String: MatrixAccount] = [:]
        var payments: [String: String] = [:]
        for order in state["orders"]?.objectValue ?? [] {
            let unit: JSONValue? = order.value["purchase_units"]?[0]
            let payment: String = unit?["custom_id"]?.stringValue ?? "nobody's"
            for held in unit?["payments"]?["authorizations"]?.arrayValue ?? [] where held["status"] != "VOIDED" {
                books[payment, default: MatrixAccount()].charges += 1
                let isOpen: Bool = held["status"] == "CREATED" || held["status"] == "PARTIALLY_CAPTURED"
                if isOpen { books[payment, default: MatrixAccount()].isHeld = true }
            }
            for capture in unit?["payments"]?["captures"]?.arrayValue ?? [] where capture["status"] != "DECLINED" {
                payments[capture["id"]?.stringValue ?? ""] = payment
                books[payment, default: MatrixAccount()].captured += Self.minor(capture)
                books[payment, default: MatrixAccount()].takings += 1
                if order.value["intent"] == "CAPTURE" { books[payment, default: MatrixAccount()].charges += 1 }
            }
        }
        for refund in state["refunds"]?.objectValue ?? [] {
            let up: JSONValue? = refund.value["links"]?.arrayValue?.first { $0["rel"] == "up" }
            let capture: Substring? = up?["href"]?.stringValue?.split(separator: "/").last
            let payment: String = payments[String(capture ?? "")] ?? "nobody's"
            books[payment, default: MatrixAccount()].refunded += Self.minor(refund.value)
        }
        return books
    }

    private static func minor(_ json: JSONValue) -> Int64 {
        guard let code = json["amount"]?["currency_code"]?.stringValue,
            let value = json["amount"]?["value"]?.stringValue, let money = PayPalAmount.money(code: code, value: value)
        else { return .min }
        return money.minor
    }

    func balances() async throws -> [String: Int64]? { nil }

    func complaints() async throws -> [JSONValue] {
        let broken: [JSONValue] =
            try await control("requests", nil).arrayValue?.compactMap { $0["schema_errors"] } ?? []
        return (try await control("violations", nil).arrayValue ?? []) + broken
    }
}
