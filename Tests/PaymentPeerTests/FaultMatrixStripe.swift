import BillingCore
import JSON
import PaymentContract
import PaymentInbound
import PaymentStripe
import PaymentWebhooks
import Telemetry
import TestKit

/// The Stripe double in the fault matrix.
struct StripeMatrixPeer: MatrixPeer {
    let double: StripeDouble
    let bankAccount: String

    let name = "stripe"
    let capturesInParts = false
    let forgeries = ["wrong_secret", "body", "stale", "v0_only", "no_signature", "replayed_time"]

    var methods: [MatrixMethod] {
        [
            .kept("pm_card_visa"), .kept("pm_card_mastercard", .eur), .kept("pm_card_visa", .jpy),
            .kept("pm_card_chargeCustomerFail"), .kept("pm_card_authenticationRequired"),
            .kept("pm_card_pendingRefund"), .kept(bankAccount, type: "sepa_debit", .eur, manual: false),
            .page("klarna", .eur), .page("klarna", .usd),
        ]
    }

    func provider(_ life: MatrixLife, clock: any WallClock, patience: Int) -> any PaymentProvider {
        var retries = ProviderRetryPolicy()
        retries.sleep = { _ in }
        let configuration = StripeConfiguration(
            baseURL: "http://127.0.0.1:\(double.port)",
            secretKey: Secret("sk_test_" + String(repeating: "x", count: 12)),
            returnURL: "https://pay.test/back/", retries: retries, clock: clock)
        let socket = SocketTransport(port: double.port, limitMilliseconds: patience)
        return StripeAdapter(configuration: configuration, transport: MortalTransport(life: life, transport: socket))
    }

    func set(_ clocks: MatrixClocks) async throws {
        _ = try await control("clock", ["advance": .number("\(clocks.provider)")])
        _ = try await control("webhooks/config", ["timestamp_offset": .number("\(clocks.signatures)")])
    }

    func webhooks(to url: String) async throws -> WebhookSource {
        let endpoint: JSONValue = try await double.post(
            "webhook_endpoints", "url=\(url)/v1/webhooks/stripe&enabled_events[]=*", key: "hook")
        guard let secret = endpoint["secret"]?.stringValue.flatMap({ WebhookSecret($0) }) else {
            throw MissingInfrastructure("the double signs nothing")
        }
        _ = try await control("webhooks/config", ["mode": "hold", "duplicate": 1])
        return WebhookSource(.stripe, .stripe(secrets: [secret]), reader: StripeNews())
    }

    func control(_ path: String, _ body: JSONValue?) async throws -> JSONValue { try await double.control(path, body) }
    func clearFaults() async throws { try await double.clearFaults() }

    func finish(_ reference: String, _ customer: MatrixStory.Customer) async throws {
        guard customer != .leaves else { return }
        _ = try await control("authenticate/\(reference)", ["result": customer == .pays ? "success" : "failure"])
    }

    func refundElsewhere(_ reference: String, _ amount: Money, key: String) async throws {
        _ = try await double.post("refunds", "payment_intent=\(reference)&amount=\(amount.minor)", key: key)
    }

    func dispute(_ reference: String, _ amount: Money, isInquiry: Bool) async throws -> String? {
        try await control(
            "dispute/\(reference)", ["amount": .number("\(amount.minor)"), "inquiry": .bool(isInquiry)])["id"]?
            .stringValue
    }

    func decide(_ dispute: String, isWon: Bool) async throws {
        guard
            let known: JSONValue = try await double.objects("dispute").first(where: { $0["id"]?.stringValue == dispute }
            )
        else { return }
        try await decide(known, isWon: isWon)
    }

    private func decide(_ dispute: JSONValue, isWon: Bool) async throws {
        let id: String = dispute["id"]?.stringValue ?? ""
        switch dispute["status"] {
        case "needs_response", "under_review":
            _ = try await control("close_dispute/\(id)", ["status": isWon ? "won" : "lost"])
        case "warning_needs_response", "warning_under_review":
            _ = try await control("close_dispute/\(id)", ["status": "warning_closed"])
        default: break
        }
    }

    func settleBanks(but answered: Set<String>) async throws {
        for (index, dispute) in try await double.objects("dispute").enumerated()
        where index % 4 < 2 && !answered.contains(dispute["id"]?.stringValue ?? "") {
            try await decide(dispute, isWon: index % 4 == 0)
        }
        for (index, intent) in try await double.objects("payment_intent").enumerated()
        where intent["status"] == "processing" {
            let result: JSONValue = index % 3 == 0 ? "failure" : "success"
            _ = try await control("settle/\(intent["id"]?.stringValue ?? "")", ["result": result])
        }
        for refund in try await double.objects("refund") where refund["status"] == "pending" {
            _ = try await control("settle_refund/\(refund["id"]?.stringValue ?? "")", [:])
        }
    }

    func returnRefunds() async throws {
        for (index, refund) in try await double.objects("refund").enumerated()
        where refund["status"] == "succeeded" && index % 4 == 0 {
            _ = try await control("fail_refund/\(refund["id"]?.stringValue ?? "")", [:])
        }
    }

    func passDay() async throws { _ = try await control("clock", ["advance": 93_600]) }

    func books() async throws -> [String: MatrixAccount] {
        var books: [String: MatrixAccount] = [:]
        var payments: [String: String] = [:]
        for intent in try await double.objects("payment_intent") {
            let payment: String = intent["metadata"]?["payment_id"]?.stringValue ?? "nobody's"
            payments[intent["id"]?.stringValue ?? ""] = payment
            var account: MatrixAccount = books[payment] ?? MatrixAccount()
            if intent["status"] == "requires_capture" { account.isHeld = true }
            books[payment] = account
        }
        for charge in try await double.objects("charge") where charge["status"] == "succeeded" {
            let payment: String = payments[charge["payment_intent"]?.stringValue ?? ""] ?? "nobody's"
            books[payment, default: MatrixAccount()].charges += 1
            guard let taken = charge["amount_captured"]?.intValue, taken > 0 else { continue }
            books[payment, default: MatrixAccount()].captured += taken
            books[payment, default: MatrixAccount()].takings += 1
        }
        for refund in try await double.objects("refund") where refund["status"] == "succeeded" {
            let payment: String = payments[refund["payment_intent"]?.stringValue ?? ""] ?? "nobody's"
            books[payment, default: MatrixAccount()].refunded += refund["amount"]?.intValue ?? 0
        }
        for dispute in try await double.objects("dispute") {
            let payment: String = payments[dispute["payment_intent"]?.stringValue ?? ""] ?? "nobody's"
            let stage: String = Self.stage(dispute["status"]?.stringValue ?? "")
            books[payment, default: MatrixAccount()].disputes[dispute["id"]?.stringValue ?? ""] = stage
            if ["needs_response", "under_review", "lost"].contains(stage) {
                books[payment, default: MatrixAccount()].disputed += dispute["amount"]?.intValue ?? 0
            }
            let fees: [Int64] = dispute["balance_transactions"]?.arrayValue?.map { $0["fee"]?.intValue ?? 0 } ?? []
            books[payment, default: MatrixAccount()].fees += fees.reduce(0, +)
        }
        return books
    }

    func balances() async throws -> [String: Int64]? {
        try await double.objects("balance_transaction").reduce(into: [:]) { sums, movement in
            sums[movement["currency"]?.stringValue?.uppercased() ?? "", default: 0] += movement["net"]?.intValue ?? 0
        }
    }

    private static func stage(_ status: String) -> String {
        switch status {
        case "warning_needs_response", "warning_under_review": "inquiry"
        case "warning_closed": "closed"
        default: status
        }
    }

    func complaints() async throws -> [JSONValue] { try await double.complaints() }
}
