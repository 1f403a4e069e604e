import BillingCore
import HTTPKit
import PaymentChains
import PaymentCrypto
import Postgres
import TestKit

/// What people do between the daemons' turns: they decide on held money, find out where money is to go, send it with keys
/// that are elsewhere, and sign that off. What the storm breaks they do again in the next round.
extension CoinPlay {
    /// - Parameter isLast: Nothing new is decided; what was is brought to its end.
    mutating func actAsPeople(isLast: Bool) async throws {
        let pool: PostgresPool = world.daemon(0).pool
        let desk = CryptoPeer(
            pool: pool, assets: world.accepted.all, addresses: world.addresses,
            scanner: world.chain.scanner(world.chain.node.transport(), world.accepted.all))
        if !isLast {
            for held in try await world.held() { try await decide(held, in: pool) }
        }
        for status: InstructionRecord.Status in [.open, .sent] {
            for record in try await world.instructions(status) { try await carryOut(record, at: desk) }
        }
    }

    /// Decides on held money: it is kept, sent back, completes its payment, or is left for another day.
    private mutating func decide(_ held: HeldMoney, in pool: PostgresPool) async throws {
        let (attempt, now): (AttemptID, Instant) = (held.attemptID, world.time.now)
        let decide = DecideHeld(accepted: world.accepted, keepsSurplus: true)
        let complete = CompleteHeld(accepted: world.accepted)
        let bob = Principal(id: "key_bob", scopes: .none)
        let drawn: Int = fate(of: attempt.rawValue)
        let address: String = try freshAddress()
        guard drawn < 6 else { return }
        // What the product refuses stays as it is.
        _ = try? await pool.transaction { db in
            if drawn < 2 { _ = try decide.keep(attempt, nil, reason: "agreed", by: bob.id, at: now, in: db) }
            if drawn == 2 || drawn == 3 {
                _ = try decide.sendBack(attempt, nil, to: address, by: bob, at: now, in: db)
            }
            if drawn > 3 { _ = try complete(attempt, reason: "still here", by: bob.id, at: now, in: db) }
        }
    }

    /// Takes an instruction a step further, or leaves one that nobody waits for.
    private mutating func carryOut(_ record: InstructionRecord, at desk: CryptoPeer) async throws {
        let (id, now): (RefundID, Instant) = (record.id, world.time.now)
        let isAsked: Bool = record.reason == .merchant || record.reason == .held
        if record.status == .open, sendings[id] == nil {
            let drawn: Int = fate(of: id.rawValue)
            if isAsked, drawn == 0 {
                _ = try? await desk.pool.transaction { db in
                    _ = try SignOff.cancel(id, by: "key_ada", at: now, in: db)
                }
                return
            }
            // The payer does not say where they want it.
            if !isAsked, drawn < 2 { return }
        }
        guard let address: String = record.address else {
            let fresh: String = try freshAddress()
            try? await desk.direct(id, to: fresh)
            return
        }
        let place = CoinPlace(asset: record.provider, address: address)
        var isOnItsWay = false
        if let sending: CoinSending = sendings[id] { isOnItsWay = try await world.chain.knows(sending.transaction) }
        if !isOnItsWay {
            // For the first time, or again where a reorganisation has taken it back for good.
            let transaction: String = try await world.chain.pay(place.asset, address, record.amount.low)
            sendings[id] = CoinSending(place: place, amount: record.amount, transaction: transaction)
        }
        guard let sending: CoinSending = sendings[id], sending.transaction != record.transactionID else { return }
        try? await desk.sign(id, sending.transaction)
    }

    private mutating func fate(of key: String) -> Int {
        if let known: Int = fates[key] { return known }
        let drawn: Int = Int.random(in: 0..<7, using: &random)
        fates[key] = drawn
        return drawn
    }

    /// An address of nobody's in the play: the account's, further on than any payment gets.
    private mutating func freshAddress() throws -> String {
        given += 1
        return try world.addresses.address(1_000_000 + given)
    }
}

extension CoinWorld {
    /// What waits for a decision.
    func held() async throws -> [HeldMoney] {
        try await observer.transactionRetrying { db in
            try HeldStore.list(payment: nil, after: nil, limit: 1_000, in: db)
        }
    }

    /// What is to go back and stands so.
    func instructions(_ status: InstructionRecord.Status) async throws -> [InstructionRecord] {
        try await observer.transactionRetrying { db in
            try InstructionStore.list(status: status, payment: nil, after: nil, limit: 1_000, in: db)
        }
    }
}
