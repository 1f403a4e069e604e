package import BillingCore
package import PaymentDomain

/// A provider that reports the movements of our account with it.
package protocol ProviderSettlements: Sendable {
    /// Its name in records and account names: `stripe`.
    var name: String { get }
    /// The longest span of time it can be asked for at once.
    var longestSettlementSpan: Duration { get }
    /// Whether it reports whole days, each as soon as it is over by the business clock. Such reports are read at that moment,
    /// others at intervals.
    var reportsDays: Bool { get }

    /// Up to when its reports are complete: what it adds later happened later.
    func settlementHorizon(at now: Instant) -> Instant
    /// Reads one page of the lines of a span, in any order.
    /// - Throws: ``ProviderFault``; `unusable` when a line does not add up.
    func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage
    /// What a charge can be read by, in words for ``ChargeRequest/reference``, that a line tells of.
    /// - Parameters: The line's names of what moved, and of the charge it is about.
    /// - Returns: `nil` where it cannot be read by these.
    func chargeName(source: String?, taken: String?) -> String?
}

extension ProviderSettlements {
    /// Its reports move on with the time.
    package var reportsDays: Bool { false }

    /// Charges are not read by what their lines call them.
    package func chargeName(source: String?, taken: String?) -> String? { nil }
}

/// A page of settlement lines.
package struct ProviderSettlementPage: Sendable, Equatable {
    package let lines: [SettlementLine]
    /// The provider's word for where the next page begins; `nil` when this is the span's last.
    package let next: String?

    package init(lines: [SettlementLine], next: String?) {
        self.lines = lines
        self.next = next
    }
}
