package import PaymentRecords
package import BillingCore
package import HTTPKit
import Postgres
import Synchronization

/// The callers of this process who wait for a payment to settle, with the idempotency claims whose answers they owe.
///
/// Whoever settles a payment stores the answer in the same transaction and hands the caller the payment after it. A caller
/// of another instance is not here: its instance finds the settled payment by looking.
package final class PaymentWaiters: Sendable {
    private typealias Waiting = CheckedContinuation<PaymentRecord?, Never>

    private struct Caller {
        let claim: IdempotencyClaim?
        var settled: PaymentRecord?
        var waiting: Waiting?
    }

    private let callers = Mutex<[PaymentID: Caller]>([:])

    /// Nobody waits yet.
    package init() {}

    /// Announces a caller before the payment can settle; end with ``forget(_:)``.
    package func expect(_ id: PaymentID, claim: IdempotencyClaim?) {
        callers.withLock { $0[id] = Caller(claim: claim) }
    }

    /// The claim whose answer is owed for a payment; `nil` when nobody here waits for it.
    package func claim(_ id: PaymentID) -> IdempotencyClaim? {
        callers.withLock { $0[id]?.claim }
    }

    /// Hands settled payments to their callers.
    package func settled(_ payments: [PaymentRecord]) {
        let woken: [(Waiting, PaymentRecord)] = callers.withLock { callers in
            payments.compactMap { payment in
                guard callers[payment.id] != nil else { return nil }
                callers[payment.id]?.settled = payment
                return callers[payment.id]?.waiting.take().map { ($0, payment) }
            }
        }
        for (waiting, payment) in woken { waiting.resume(returning: payment) }
    }

    /// Ends the announcement of a caller.
    package func forget(_ id: PaymentID) {
        callers.withLock { $0.removeValue(forKey: id)?.waiting }?.resume(returning: nil)
    }

    /// Waits until the payment is settled by this process.
    /// - Returns: `nil` when the time passed first: then the caller looks for itself.
    package func wait(_ id: PaymentID, atMost: Duration) async -> PaymentRecord? {
        // Begun when the caller is on the list, so that it cannot ring before there is anybody to wake.
        var timer: Task<Void, any Error>?
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                let known: PaymentRecord?? = callers.withLock { callers in
                    guard let caller: Caller = callers[id], !Task.isCancelled else { return .some(nil) }
                    if let settled: PaymentRecord = caller.settled { return .some(settled) }
                    callers[id]?.waiting = continuation
                    return nil
                }
                if let known { return continuation.resume(returning: known) }
                timer = Task {
                    try await Task.sleep(for: atMost)
                    self.end(id)
                }
            }
        } onCancel: {
            self.end(id)
        }
    }

    private func end(_ id: PaymentID) {
        callers.withLock { $0[id]?.waiting.take() }?.resume(returning: nil)
    }
}

extension PaymentWaiters {
    /// Stores the answers that callers are owed for settled payments, in the transaction that settles them, and hands
    /// them over after it.
    func answer(_ payments: [PaymentRecord], in db: borrowing PostgresTransaction) throws {
        let owed: [(claim: IdempotencyClaim, reply: StoredReply)] = payments.compactMap { payment in
            claim(payment.id).map { ($0, PaymentResource(payment).reply.stored) }
        }
        try IdempotencyStore.complete(owed, in: db)
        db.onCommit { self.settled(payments) }
    }
}
