import BillingCore
import HTTPKit
import Postgres

/// The first of an operation's three steps: the intent is stored, with the caller's key, before the provider is asked.
enum ProviderIntent<ID: TypedID>: Sendable {
    /// Stored now.
    case stored(ID)
    /// Stored by an earlier request under the same key, which is not answered: it may be at it still, or be gone.
    case resumed(ID)
    /// Answered before.
    case replay(StoredReply)

    /// Stores an intent once per key.
    /// - Parameter reserve: Stores it and returns its id; runs in the transaction that claims the key.
    /// - Throws: What `reserve` throws, or ``Problem`` when the key is taken; nothing is stored then.
    static func store(
        _ claim: IdempotencyClaim?, in pool: PostgresPool,
        _ reserve: @escaping @Sendable (borrowing PostgresTransaction) throws -> ID
    ) async throws -> ProviderIntent<ID> {
        try await pool.transactionRetrying { db in
            guard let claim else { return .stored(try reserve(db)) }
            switch try IdempotencyStore.claim([claim], in: db)[0] {
            case .fresh: break
            case .replay(let stored): return .replay(stored)
            case .open(let resource):
                guard let id: ID = resource.flatMap({ ID($0) }) else { throw Problem.idempotencyTwin }
                return .resumed(id)
            case .mismatch: throw Problem.idempotencyMismatch
            case .twin: throw Problem.idempotencyTwin
            }
            let id: ID = try reserve(db)
            try IdempotencyStore.reserve([(claim, id.rawValue)], in: db)
            return .stored(id)
        }
    }
}

extension ProviderIntent {
    /// Stores the answer for repeats; nothing to do without a key. That the outcome is not known is an answer of the request
    /// that stored the intent: one that came upon it must not keep the real answer from being stored.
    func keep(_ reply: StoredReply, under claim: IdempotencyClaim?, in pool: PostgresPool) async throws {
        guard let claim else { return }
        if case .resumed = self, reply.status == 202 { return }
        try await pool.transactionRetrying { db in try IdempotencyStore.complete([(claim, reply)], in: db) }
    }
}
