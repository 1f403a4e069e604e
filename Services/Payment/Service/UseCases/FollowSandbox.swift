import BillingCore
package import Logging
package import PaymentInbound
package import PaymentSandbox
package import ServiceKit

/// Hears what the sandbox says by itself, as webhooks tell it of outside providers: that a bank has answered a debit, that a
/// refund was made or has come back. A word is told again, later, until it was settled.
package struct FollowSandbox: Sendable {
    private let due: SandboxDue
    private let news: any NewsHandler
    private let logger: Logger

    package init(due: SandboxDue, news: any NewsHandler, logger: Logger) {
        self.due = due
        self.news = news
        self.logger = logger
    }

    /// Who moves the business clock waits for what follows.
    package var look: Look { Look(name: "the sandbox's words", when: { due.isDue }, pass: pass) }

    /// Settles what is due now; what cannot be settled yet is put off and holds up no other.
    /// - Throws: `PostgresError` and `CancellationError`; what was not reached then is due as before.
    @Sendable package func pass() async throws {
        for word in try await due.words() {
            do { try await settle(word) } catch {
                try Task.checkCancellation()
                try await due.putOff(word)
                logger.warning(
                    "a word of the sandbox's is not settled yet",
                    metadata: ["attempt_id": "\(word.attempt)", "error": "\(error)"])
            }
        }
    }

    private func settle(_ word: SandboxWord) async throws {
        if let refund = word.refund {
            try await news.refund(refund, at: word.provider)
        } else {
            try await news.charge(word.attempt, known: nil, at: word.provider)
        }
        try await due.heard(word)
    }
}
