import BillingCore
import PaymentContract
import PaymentDomain

/// How a sandbox acquirer behaves, on top of what the cards do: several of them make routing and cascades visible.
package struct SandboxAcquirer: Sendable, Equatable {
    /// What goes wrong with every charge.
    package enum Fault: String, Sendable, CaseIterable {
        /// It cannot be reached: nothing is asked.
        case away
        /// It answers with 503, and has booked nothing.
        case broken
        /// It books, and does not say so in time; the outcome can be read back.
        case silent
        /// It declines softly, whatever the card.
        case declines
    }

    /// `sandbox`, or `sandbox_…`.
    package let name: String
    /// What goes wrong; `nil` for nothing.
    package let fault: Fault?
    /// How many of a hundred good charges go through; the others are declined softly. By the charge's key, so that a
    /// repeat gets the same answer.
    package let successPercent: Int

    /// The acquirer of a name.
    package init(_ name: String = "sandbox", fault: Fault? = nil, successPercent: Int = 100) {
        self.name = name
        self.fault = fault
        self.successPercent = min(max(0, successPercent), 100)
    }

    /// A good answer, or the decline that this acquirer makes of it.
    func answer(_ answer: SandboxAnswer, to request: ChargeRequest) -> SandboxAnswer {
        guard answer.outcome == .succeeded || answer.outcome == .authorized else { return answer }
        guard fault == .declines || isUnlucky(request) else { return answer }
        return SandboxAnswer(outcome: .declined, declineCode: "processing_error")
    }

    /// Whether a charge is among those that do not go through.
    private func isUnlucky(_ request: ChargeRequest) -> Bool {
        guard successPercent < 100 else { return false }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in request.idempotencyKey.rawValue.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return Int((hash >> 32) % 100) >= successPercent
    }
}
