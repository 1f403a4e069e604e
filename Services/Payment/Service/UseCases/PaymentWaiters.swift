import BillingCore
import HTTPKit
import Synchronization

/// The callers of this process who wait for a payment to settle, with the idempotency claims whose answers they owe.
///
/// Whoever settles a payment stores the answer in the same transaction and wakes the caller after it. A caller of another
/// instance is not here: its instance finds the settled payment by looking.
final class PaymentWaiters: Sendable {
    private struct Waiter {
        var claims: [IdempotencyClaim] = []
        var continuations: [Int: CheckedContinuation<Bool, Never>] = [:]
    }
    private struct State {
        var waiters: [PaymentID: Waiter] = [:]
        var nextToken = 0
    }

    private let state = Mutex(State())

    /// Announces a caller before the payment can settle.
    func expect(_ id: PaymentID, claim: IdempotencyClaim?) {
        state.withLock { $0.waiters[id, default: Waiter()].claims += claim.map { [$0] } ?? [] }
    }

    /// The claims whose answers are owed for a payment.
    func claims(_ id: PaymentID) -> [IdempotencyClaim] {
        state.withLock { $0.waiters[id]?.claims ?? [] }
    }

    /// Wakes the callers of settled payments.
    func settled(_ ids: [PaymentID]) {
        let woken: [CheckedContinuation<Bool, Never>] = state.withLock { state in
            ids.flatMap { id in state.waiters.removeValue(forKey: id).map { Array($0.continuations.values) } ?? [] }
        }
        for continuation in woken { continuation.resume(returning: true) }
    }

    /// Gives up waiting for a payment.
    func forget(_ id: PaymentID) {
        let left: [CheckedContinuation<Bool, Never>] = state.withLock { state in
            state.waiters.removeValue(forKey: id).map { Array($0.continuations.values) } ?? []
        }
        for continuation in left { continuation.resume(returning: false) }
    }

    /// Waits until the payment is settled by this process.
    /// - Returns: `false` when the time passed first, or when nobody announced a caller or it has settled already: then
    ///   the caller looks for itself.
    func wait(_ id: PaymentID, atMost: Duration) async -> Bool {
        let token: Int = state.withLock { state in
            state.nextToken += 1
            return state.nextToken
        }
        let timer = Task {
            try await Task.sleep(for: atMost)
            self.end(id, token)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let isLate: Bool = state.withLock { state in
                    guard state.waiters[id] != nil, !Task.isCancelled else { return true }
                    state.waiters[id]?.continuations[token] = continuation
                    return false
                }
                if isLate { continuation.resume(returning: false) }
            }
        } onCancel: {
            self.end(id, token)
        }
    }

    private func end(_ id: PaymentID, _ token: Int) {
        let continuation: CheckedContinuation<Bool, Never>? = state.withLock { state in
            state.waiters[id]?.continuations.removeValue(forKey: token)
        }
        continuation?.resume(returning: false)
    }
}
