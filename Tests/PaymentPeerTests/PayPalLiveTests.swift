import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

/// Where a fault may strike.
private enum Strike: String, CaseIterable {
    case token = "/v1/oauth2/token$"
    case create = "/v2/checkout/orders$"
    case read = "/v2/checkout/orders/[A-Z0-9]+$"
    case complete = "/v2/checkout/orders/[A-Z0-9]+/(capture|authorize)$"
    case capture = "/authorizations/[A-Z0-9]+/capture$"
    case refund = "/refund$"
    case void = "/void$"
}

private let kinds: [String] = [
    "429", "500_before", "500_after", "503", "reset_before", "reset_after", "timeout_before", "timeout_after", "slow",
    "malformed", "html",
]

@Suite("Against the double of PayPal", .serialized) struct LiveTests {
    @Test("payments of every kind end as asked, and the books agree") func flows() async throws {
        try await withPeer { shop in
            var random = Seeded()
            for code in ["USD", "EUR", "JPY", "HUF", "TWD", "GBP"] {
                let unit: Int64 = ["HUF", "TWD"].contains(code) ? 100 : 1
                for _ in 0..<5 {
                    let amount = money(Int64.random(in: 100...99_999, using: &random) * unit, code)
                    try await Self.walk(&shop, amount, unit: unit, &random)
                }
            }
        }
    }

    @Test("a capture in parts, its limits, refunds and their limits") func limits() async throws {
        try await withPeer { shop in
            let held = try await shop.charge(LiveShop.request(money(100_00), stored: false, capture: false))
            guard case .authorized(let charge) = held else { throw Surprise("\(held)") }
            var parts: [String] = []
            for (minor, isFinal) in [(20_00, false), (30_00, false), (45_00, true)] as [(Int64, Bool)] {
                let answer = try await shop.capture(charge.reference, money(minor), isFinal: isFinal)
                guard case .captured(let id) = answer else { throw Surprise("\(answer)") }
                parts.append(id)
                if minor == 20_00 {
                    let over = try await shop.capture(charge.reference, money(96_00), isFinal: false)
                    #expect(over == .refused(code: "MAX_CAPTURE_AMOUNT_EXCEEDED"))
                    #expect(try await shop.release(charge.reference) == .refused(code: "PREVIOUSLY_CAPTURED"))
                    let euros = try await shop.capture(charge.reference, money(1_00, "EUR"), isFinal: false)
                    #expect(euros == .refused(code: "AUTH_CAPTURE_CURRENCY_MISMATCH"))
                }
            }
            let late = try await shop.capture(charge.reference, money(1), isFinal: false)
            #expect(late == .refused(code: "AUTHORIZATION_ALREADY_CAPTURED"))
            let over = try await shop.refund(parts[0], money(20_01))
            #expect(over == .refused(code: "REFUND_AMOUNT_EXCEEDED"))
            _ = try await shop.refund(parts[0], money(5_00))
            _ = try await shop.refund(parts[0], money(15_00))
            #expect(try await shop.refund(parts[0], money(1)) == .refused(code: "CAPTURE_FULLY_REFUNDED"))
            #expect(try await shop.refund("NOSUCHCAPTURE", money(1)) == .refused(code: "INVALID_RESOURCE_ID"))
            #expect(try await shop.adapter.capture(parts[0]).status == .refunded)
            #expect(try await shop.adapter.capture(parts[1]).fee == money(154))
            #expect(try await shop.adapter.authorization(charge.reference).status == .captured)
            let other = try await shop.charge(LiveShop.request(money(9_00), stored: true, capture: false))
            guard case .authorized(let released) = other else { throw Surprise("\(other)") }
            #expect(try await shop.release(released.reference) == .released)
            #expect(try await shop.release(released.reference) == .released)
            let voided = try await shop.capture(released.reference, money(1), isFinal: false)
            #expect(voided == .refused(code: "AUTHORIZATION_VOIDED"))
        }
    }

    @Test("captures under review and declined ones") func review() async throws {
        try await withPeer { shop in
            try await shop.peer.control("config", ["capture_status": "PENDING"])
            let request = LiveShop.request(money(7_00), stored: true, capture: true)
            guard case .pending(let order) = try await shop.charge(request) else { throw Surprise("not pending") }
            #expect(try await shop.adapter.outcome(of: request) == .pending(reference: order))
            let capture: String = try #require(try await shop.adapter.order(order).captures.first?.id)
            try await shop.peer.control("settle_capture/\(capture)", ["status": "COMPLETED"])
            let settled = ChargeAnswer.captured(ProviderCharge(reference: capture))
            #expect(try await shop.adapter.outcome(of: request) == settled)
            #expect(try await shop.adapter.outcome(of: request.known(as: order)) == settled)
            shop.books.captured[capture] = money(7_00)
            try await shop.peer.control("config", ["capture_status": "DECLINED"])
            for stored in [true, false] {
                let answer = try await shop.charge(LiveShop.request(money(8_00), stored: stored, capture: true))
                guard case .declined(let decline) = answer else { throw Surprise("\(answer)") }
                #expect(decline.code == "DECLINED" && decline.reference != nil)
            }
        }
    }

    @Test(
        "a stepped-up card goes to its bank; how PayPal says that ended decides who bears fraud, or that nothing is taken"
    )
    func stepUp() async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        let adapter: PayPalAdapter = peer.adapter(limitMilliseconds: 20_000)
        for (status, shift, result) in [
            ("Y", "POSSIBLE", .authenticated), ("Y", "NO", .authenticated), ("A", "POSSIBLE", .attempted),
            ("N", "NO", nil), ("R", "NO", nil), ("U", "UNKNOWN", nil),
        ] as [(String, String, ProviderAuthentication.Result?)] {
            for capture in [true, false] {
                let now: Instant = SystemClock().now
                let asked = ChargeRequest(
                    idempotencyKey: .new(at: now), paymentID: .new(at: now),
                    source: .stored(token: "card:8kk8451t", providerCustomer: nil), amount: money(12_00, "EUR"),
                    capture: capture, stepUp: true)
                guard case .actionRequired(let order, .redirect) = try await adapter.charge(asked) else {
                    throw Surprise("no page")
                }
                try await peer.control(
                    "approve/\(order)",
                    ["liability_shift": .string(shift), "authentication_status": .string(status)])
                let answer: ChargeAnswer = try await adapter.outcome(of: asked.known(as: order))
                #expect(try await adapter.outcome(of: asked.known(as: order)) == answer)
                switch answer {
                case .captured(let charge), .authorized(let charge):
                    #expect(charge.authentication?.result == result, "\(status)")
                    #expect(charge.authentication?.isShifted == (shift == "POSSIBLE"))
                case .declined(let decline):
                    #expect(result == nil, "\(status)")
                    #expect(adapter.reading(of: decline).decline == .authenticationFailed)
                case .actionRequired, .pending: throw Surprise("\(answer)")
                }
            }
        }
        // The double's document is older than this part of PayPal's contract; it holds nothing else against it.
        let violations: [JSONValue] = try await peer.control("violations").arrayValue ?? []
        #expect(violations.allSatisfy { $0["kind"] == "field_not_in_official_schema" }, "\(violations)")
        #expect(
            Set(violations.compactMap { $0["path"]?.stringValue })
                == ["/payment_source/card/attributes/verification"])
    }

    @Test("a wallet's card that was opened here is an order that PayPal's contract knows, and is taken once")
    func walletCards() async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        let adapter: PayPalAdapter = peer.adapter(limitMilliseconds: 20_000)
        let number: CardNumber = try #require(CardNumber("4242424242424242"))
        for (wallet, cryptogram) in [
            (.applePay, "AgAAAAAABk4DWZ4C28yUQAAAAAA="), (.googlePay, "AgAAAAAABk4DWZ4C28yUQAAAAAA="),
            (.googlePay, nil),
        ] as [(Wallet, String?)] {
            let now: Instant = SystemClock().now
            let card = WalletCard(
                wallet: wallet, number: number, expMonth: 3, expYear: 2030, cryptogram: cryptogram, eci: "05")
            let asked = ChargeRequest(
                idempotencyKey: .new(at: now), paymentID: .new(at: now), source: .walletCard(card),
                amount: money(12_00, "EUR"))
            // The double does not know that a wallet's customer has approved already.
            guard case .actionRequired(let order, _) = try await adapter.charge(asked) else {
                throw Surprise("no order")
            }
            try await peer.control("approve/\(order)", [:])
            guard case .captured(let charge) = try await adapter.outcome(of: asked) else { throw Surprise("no money") }
            #expect(try await adapter.outcome(of: asked) == .captured(charge))
        }
        #expect(try await peer.control("violations").arrayValue == [])
    }

    @Test("a token is fetched once for many, and again when it dies") func tokens() async throws {
        try await withPeer { shop in
            let adapter: PayPalAdapter = shop.peer.adapter(limitMilliseconds: 20_000)
            for _ in 0..<2 {
                let requests = (1...40).map { LiveShop.request(money($0), stored: true, capture: true) }
                let answers = try await withThrowingTaskGroup(of: (Money, ChargeAnswer).self) { group in
                    for request in requests { group.addTask { (request.amount, try await adapter.charge(request)) } }
                    return try await group.reduce(into: [(Money, ChargeAnswer)]()) { $0.append($1) }
                }
                for (amount, answer) in answers {
                    guard case .captured(let charge) = answer else { throw Surprise("\(answer)") }
                    shop.books.captured[charge.reference] = amount
                }
                shop.books.attempts.formUnion(requests.map(\.idempotencyKey.rawValue))
                try await shop.peer.control("expire_tokens", [:])
            }
            let log: [JSONValue] = try await shop.peer.control("requests").arrayValue ?? []
            #expect(log.filter { $0["path"] == "/v1/oauth2/token" }.count == 2)
        }
    }

    @Test("every fault at every step, once and beyond the retries") func faultMatrix() async throws {
        try await withPeer { shop in
            var random = Seeded()
            for strike in Strike.allCases {
                for kind in kinds {
                    for times in [1, 6] as [Int64] {
                        try await Self.strike(&shop, strike, kind, times: times)
                        try await Self.walk(&shop, money(60_00), unit: 1, &random, strike: strike)
                    }
                }
            }
        }
    }

    @Test("seeded storms of faults") func storm() async throws {
        try await withPeer { shop in
            var random = Seeded()
            for _ in 0..<300 {
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    let strike = Strike.allCases.randomElement(using: &random) ?? .create
                    let kind: String = kinds.randomElement(using: &random) ?? "503"
                    try await Self.strike(&shop, strike, kind, times: Int64.random(in: 1...3, using: &random))
                }
                let amount = money(Int64.random(in: 400...50_000, using: &random), "EUR")
                try await Self.walk(&shop, amount, unit: 1, &random)
            }
        }
    }
}

extension LiveTests {
    /// Runs a test against a double of its own, then holds the books together and asks for violations.
    private func withPeer(_ test: (inout LiveShop) async throws -> Void, name: String = #function) async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        var shop = LiveShop(peer: peer, adapter: peer.adapter())
        try await test(&shop)
        // A request that the double is still slow about may end after its client has gone.
        try await Task.sleep(for: .milliseconds(500))
        shop.books.compare(with: try await peer.control("state"))
        #expect(try await peer.control("violations") == .array([]))
        let log: [JSONValue] = try await peer.control("requests").arrayValue ?? []
        #expect(log.allSatisfy { $0["schema_errors"] == nil && $0["mock_notes"] == nil })
        let faults: Int = log.filter { $0["fault"]?.isNull == false }.count
        let replays: Int = log.filter { $0["replayed"] == true }.count
        let books = shop.books
        print(
            "paypal double, \(name): \(log.count) requests, \(faults) faults, \(replays) replays,",
            "\(books.attempts.count) orders, \(books.captured.count) captures, \(books.refunded.count) refunds,",
            "\(books.releases) releases, \(books.declines) declines, \(books.unknowns) first answers unknown")
    }

    private static func strike(_ shop: inout LiveShop, _ at: Strike, _ kind: String, times: Int64) async throws {
        if at == .token { try await shop.peer.control("expire_tokens", [:]) }
        let fault: JSONValue = [
            "kind": .string(kind), "path": .string(at.rawValue), "times": .number(String(times)), "ms": 400,
        ]
        try await shop.peer.control("faults", fault)
    }

    /// One payment to its end: charged or authorized, captured in parts or released, refunded in parts.
    private static func walk(
        _ shop: inout LiveShop, _ amount: Money, unit: Int64, _ random: inout Seeded, strike: Strike? = nil
    ) async throws {
        let stored: Bool =
            strike == .create ? Bool.random(using: &random) : strike == nil && Bool.random(using: &random)
        let isParted: Bool = strike == .capture || strike == .void || Bool.random(using: &random)
        let request = LiveShop.request(amount, stored: stored, capture: !isParted)
        var captures: [(id: String, amount: Money)] = []
        switch try await shop.charge(request) {
        case .captured(let charge): captures = [(charge.reference, amount)]
        case .authorized(let charge):
            if strike == .void || (strike == nil && Int.random(in: 0..<4, using: &random) == 0) {
                #expect(try await shop.release(charge.reference) == .released)
                return
            }
            captures = try await parts(&shop, charge.reference, amount, unit: unit, &random)
        case let other: throw Surprise("\(request.source) \(amount): \(other)")
        }
        for capture in captures {
            let weights: [Int64] = [Int64.random(in: 1...9, using: &random), 10]
            let shares: [Money] = try Money(minor: capture.amount.minor / unit, currency: amount.currency)
                .allocate(by: weights).filter(\.isPositive)
            for share in shares {
                let answer = try await shop.refund(
                    capture.id, Money(minor: share.minor * unit, currency: amount.currency))
                guard case .refunded = answer else { throw Surprise("refund: \(answer)") }
            }
        }
    }

    private static func parts(
        _ shop: inout LiveShop, _ reference: String, _ amount: Money, unit: Int64, _ random: inout Seeded
    ) async throws -> [(id: String, amount: Money)] {
        let weights: [Int64] = (0..<Int.random(in: 1...3, using: &random)).map { _ in 1 }
        let shares: [Money] = try Money(minor: amount.minor / unit, currency: amount.currency).allocate(by: weights)
        var captures: [(id: String, amount: Money)] = []
        for (index, share) in shares.enumerated() {
            let part = Money(minor: share.minor * unit, currency: amount.currency)
            let answer = try await shop.capture(reference, part, isFinal: index == shares.count - 1)
            guard case .captured(let id) = answer else {
                Issue.record("capture: \(answer)")
                continue
            }
            captures.append((id, part))
        }
        return captures
    }
}
