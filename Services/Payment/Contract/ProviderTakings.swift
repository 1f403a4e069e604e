package import BillingCore

/// What has been captured of an authorization, as its provider says, whoever had it captured: we, or somebody at the
/// provider's own pages.
package struct ProviderTakings: Sendable, Equatable {
    /// What was captured under one name.
    package struct Taking: Sendable, Equatable {
        /// What a refund of it names: the capture, or the charge where its captures have no names of their own.
        package let reference: String
        /// Ours, as the provider carries it, of the last capture under the name; `nil` where it carries none.
        package let captureID: CaptureID?
        /// All that was captured under the name, however much of it was given back since.
        package let amount: Money

        package init(reference: String, captureID: CaptureID? = nil, amount: Money) {
            self.reference = reference
            self.captureID = captureID
            self.amount = amount
        }
    }

    /// Each name once.
    package let taken: [Taking]
    /// Whether money is still held that can be captured.
    package let isHeld: Bool
    /// Whether the provider looks at a capture first: what becomes of it is told later.
    package let isPending: Bool

    package init(taken: [Taking], isHeld: Bool, isPending: Bool = false) {
        self.taken = taken
        self.isHeld = isHeld
        self.isPending = isPending
    }
}
