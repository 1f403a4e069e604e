import BillingCore
import ConnectorConformance
import JSON
import PaymentChains
import PaymentContract
import PaymentDomain
import TestKit
import Testing

/// The one suite that every connector passes, against the doubles of what they speak to. Each test names the rules that
/// do not apply to its connector, so that none drops out unseen.
@Suite("Conformance of connectors", .serialized) struct ConformanceTests {
    @Test("Stripe") func stripe() async throws {
        try await withStripe { double in
            var bench = PeerBench(
                StripeMatrixPeer(double: double, bankAccount: ""),
                [money(60_00), money(5_000, "JPY"), money(12_340, "KWD"), money(700_00, "UGX"), money(90_00, "EUR")]
            ) { kind in
                switch kind {
                case .good, .agreed: .stored(token: "pm_card_visa", providerCustomer: nil)
                case .refused: .stored(token: "pm_card_chargeDeclined", providerCustomer: nil)
                case .wantsCustomer: .stored(token: "pm_card_authenticationRequired", providerCustomer: nil)
                }
            }
            bench.minor = { units, currency in try StripeAmount.money(units: units, currency: currency).minor }
            await allRules(bench, but: [.capturesInSeveralParts])
        }
    }

    @Test("PayPal") func payPal() async throws {
        let peer = try await LivePeer()
        defer { peer.stop() }
        let bench = PeerBench(
            PayPalMatrixPeer(peer: peer),
            [money(60_00), money(5_000, "JPY"), money(9_000_00, "HUF"), money(45_00, "EUR")]
        ) { kind in
            try await peer.control("config", ["capture_status": kind == .refused ? "DECLINED" : "COMPLETED"])
            return kind == .wantsCustomer
                ? .redirect(method: "paypal", returnURL: "https://shop.test/back")
                : .stored(token: "8kk8451t", providerCustomer: nil)
        }
        await allRules(bench, but: [])
    }

    /// What a chain cannot do: refuse, charge without its payer, hold, and lose an answer (its books are ours).
    private static let notOfChains: Set<ConnectorRule> = [
        .lostRequestIsKnownInTheEnd, .lostAnswerIsKnownInTheEnd, .unreadableAnswerIsNoAnswer,
        .throttledChargeIsKnownInTheEnd, .refusalIsReadAndRepeated, .agreedMethodNeedsNobody,
        .capturesAPartAndNoMoreThanIsHeld, .capturesInSeveralParts, .releasesOnce, .lostCaptureHappensOnce,
        .lostRefundHappensOnce, .refundIsReadBack,
    ]

    @Test("Bitcoin") func bitcoin() async throws {
        try await withBitcoin(.core) { node, peer in
            let bench = CryptoBench(
                peer: peer, provider: try peer.provider("bitcoin"),
                pay: { try await node.pay($0, try BaseUnits(parsing: $1).coins(decimals: 8)) },
                mine: { try await node.mine(6) }, payee: try await node.send("getnewaddress", []).stringValue ?? "")
            await allRules(bench, but: Self.notOfChains)
        }
    }

    @Test("coins and tokens of an EVM chain", arguments: ["ethereum", "usdc"]) func evm(_ name: String) async throws {
        try await withEVM { chain, peer in
            let bench = CryptoBench(
                peer: peer, provider: try peer.provider(name),
                pay: { address, units in
                    let amount = try BaseUnits(parsing: units)
                    return name == "usdc"
                        ? try await chain.payToken(address, amount.low) : try await chain.pay(address, amount)
                }, mine: { try await chain.mine(3) }, payee: chain.rich)
            await allRules(bench, but: Self.notOfChains)
        }
    }

    /// Every rule, one after another, at one double.
    private func allRules(_ bench: any ConnectorBench, but others: Set<ConnectorRule>) async {
        for rule in ConnectorRule.allCases {
            do {
                let applies: Bool = try await rule.isKept(by: bench)
                #expect(applies != others.contains(rule), "\(rule)")
            } catch {
                Issue.record("\(rule): \(error)")
                try? await bench.calm()
            }
        }
    }
}
