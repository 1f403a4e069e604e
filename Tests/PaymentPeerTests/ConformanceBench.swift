import BillingCore
import ConnectorConformance
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit

/// A connector to the Stripe or the PayPal double, on the bench of the conformance suite.
struct PeerBench: ConnectorBench {
    let peer: any MatrixPeer
    let provider: any PaymentProvider
    let amounts: [Money]
    let disturbances: Set<Disturbance> = Set(Disturbance.allCases)
    /// The provider's units of an amount, as ours.
    var minor: @Sendable (Int64, Currency) throws -> Int64 = { units, _ in units }
    private let choose: @Sendable (SourceKind) async throws -> ChargeSource?

    init(
        _ peer: any MatrixPeer, _ amounts: [Money],
        _ choose: @escaping @Sendable (SourceKind) async throws -> ChargeSource?
    ) {
        self.peer = peer
        self.amounts = amounts
        self.choose = choose
        provider = peer.provider(MatrixLife(steps: .max), clock: SystemClock(), patience: 300)
    }

    var now: Instant { SystemClock().now }

    func source(_ kind: SourceKind) async throws -> ChargeSource? { try await choose(kind) }

    func finish(_ answer: ChargeAnswer, of request: ChargeRequest) async throws {
        guard case .actionRequired(let reference, _) = answer else { return try await peer.settleBanks(but: []) }
        try await peer.finish(reference, .pays)
    }

    func settle() async throws { try await peer.settleBanks(but: []) }

    func disturb(_ how: Disturbance) async throws {
        let kind: String =
            switch how {
            case .lostRequest: "reset_before"
            case .lostAnswer: "reset_after"
            case .page: "html"
            case .torso: "malformed"
            case .throttled: "429"
            }
        // More often than a connector asks again by itself.
        try await peer.arm(MatrixFault(kind: kind, times: 9, method: nil))
    }

    func calm() async throws { try await peer.clearFaults() }

    func books(of request: ChargeRequest) async throws -> ProviderBooks {
        guard let account: MatrixAccount = try await peer.books()[request.paymentID.rawValue] else {
            return ProviderBooks()
        }
        let currency: Currency = request.amount.currency
        return ProviderBooks(
            charges: account.charges, captured: try minor(account.captured, currency),
            refunded: try minor(account.refunded, currency))
    }

    func complaints() async throws -> [String] { try await peer.complaints().map(\.serializedText) }
}

/// A crypto asset's connector over a node, on the same bench: its payer is the customer, its miner the bank.
struct CryptoBench: ConnectorBench {
    let peer: CryptoPeer
    let provider: any PaymentProvider
    let pay: @Sendable (_ address: String, _ units: String) async throws -> String
    let mine: @Sendable () async throws -> Void
    let payee: String

    let amounts: [Money] = [Money(minor: 100_00, currency: .usd), Money(minor: 3_33, currency: .usd)]
    /// Nobody but our own database is asked.
    let disturbances: Set<Disturbance> = []

    var now: Instant { peer.clock.now }

    func source(_ kind: SourceKind) async throws -> ChargeSource? {
        guard kind == .good || kind == .wantsCustomer else { return nil }
        try await peer.look()
        return .redirect(method: provider.name, returnURL: "https://shop.test/back")
    }

    func finish(_ answer: ChargeAnswer, of request: ChargeRequest) async throws {
        guard case .actionRequired(let address, .transfer(let transfer)) = answer else { return }
        if transfer.amount != "0" { _ = try await pay(address, transfer.amount) }
        try await mine()
        try await peer.look()
    }

    func settle() async throws {
        let open: [InstructionRecord] = try await peer.pool.transaction { db in
            try InstructionStore.list(status: nil, payment: nil, after: nil, limit: 50, in: db)
        }
        for instruction in open {
            try await peer.direct(instruction.id, to: payee)
            try await peer.sign(instruction.id, try await pay(payee, instruction.amount.description))
        }
        try await mine()
        try await peer.look()
    }

    func disturb(_ how: Disturbance) async throws {}
    func calm() async throws {}

    func books(of request: ChargeRequest) async throws -> ProviderBooks {
        let payment: PaymentID = request.paymentID
        return try await peer.pool.transaction { db in
            let taken: Int64 =
                try db.first(
                    "SELECT coalesce(sum(amount), 0)::bigint FROM crypto_charges WHERE payment_id = \(payment) AND answer = 'captured'"
                ) { row in try row.next() } ?? 0
            let instructions: [InstructionRecord] = try InstructionStore.list(
                status: nil, payment: payment, after: nil, limit: 50, in: db)
            let refunded: Int64 = instructions.filter { $0.status == .confirmed }
                .reduce(0) { $0 + ($1.value?.minor ?? 0) }
            return ProviderBooks(charges: taken == 0 ? 0 : 1, captured: taken, refunded: refunded)
        }
    }

    func complaints() async throws -> [String] { [] }
}
