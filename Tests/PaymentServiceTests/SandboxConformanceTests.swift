import BillingCore
import ConnectorConformance
import PaymentContract
import PaymentDomain
import PaymentSandbox
import Postgres
import TestKit
import Testing

/// The sandbox, which loses requests and answers when it is told to, on the bench of the conformance suite.
private struct SandboxBench: ConnectorBench {
    let world: PaymentWorld

    let amounts: [Money] = [
        ("USD", 60_00), ("JPY", 5_000), ("KWD", 12_345),
    ].compactMap { code, minor in Currency(code).map { Money(minor: minor, currency: $0) } }
    let disturbances: Set<Disturbance> = [.lostRequest, .lostAnswer]

    var provider: any PaymentProvider { world.provider }
    var now: Instant { world.clock.now }

    func source(_ kind: SourceKind) async throws -> ChargeSource? {
        let number: String
        switch kind {
        case .good, .agreed: number = "4242424242424242"
        case .refused: number = "4000000000009995"
        // Its challenge is the service's own: the charge goes on as an authenticated one.
        case .wantsCustomer: return nil
        }
        guard let card = CardNumber(number) else { throw Breach("no card") }
        return .stored(token: SandboxProvider.token(of: card), providerCustomer: nil)
    }

    func finish(_ answer: ChargeAnswer, of request: ChargeRequest) async throws {}
    func settle() async throws {}

    func disturb(_ how: Disturbance) async throws {
        world.provider.turn(how == .lostAnswer ? .booksAndVanishes : .away)
    }

    func calm() async throws { world.provider.turn(.well) }

    func books(of request: ChargeRequest) async throws -> ProviderBooks {
        try await world.sandboxBooks(of: request.idempotencyKey)
    }

    func complaints() async throws -> [String] { [] }
}

extension PaymentWorld {
    /// What the sandbox has in its books of a charge.
    func sandboxBooks(of key: AttemptID) async throws -> ProviderBooks {
        let books: ProviderBooks? = try await database.transaction { db in
            try db.first(
                """
                SELECT count(*) FILTER (WHERE c.outcome IN ('succeeded', 'authorized')),
                    coalesce(sum(c.captured), 0)::bigint,
                    (SELECT coalesce(sum(r.amount), 0)::bigint FROM sandbox_refunds r WHERE r.charge_key = \(key))
                FROM sandbox_charges c WHERE c.idempotency_key = \(key)
                """
            ) { row in
                let charges: Int = try row.next()
                return ProviderBooks(charges: charges, captured: try row.next(), refunded: try row.next())
            }
        }
        return books ?? ProviderBooks()
    }
}

@Suite("Conformance of the sandbox connector") struct SandboxConformanceTests {
    private static let notOfTheSandbox: Set<ConnectorRule> = [
        .unreadableAnswerIsNoAnswer, .throttledChargeIsKnownInTheEnd, .customerFinishesTheSameCharge,
    ]

    @Test("keeps the rules of the provider contract", arguments: ConnectorRule.allCases)
    func rule(_ rule: ConnectorRule) async throws {
        try await withPayments { world in
            let applies: Bool = try await rule.isKept(by: SandboxBench(world: world))
            #expect(applies != Self.notOfTheSandbox.contains(rule))
        }
    }
}
