public import BillingCore

/// Where the reading of a provider's settlement lines stands: a span of time, read page by page.
///
/// Spans follow each other without a gap. One that is read to its end is followed by the next as soon as the provider's
/// reports have moved on.
public struct SettlementWindow: Sendable, Equatable {
    /// Lines from then on.
    public let from: Instant
    /// Only those before.
    public let to: Instant
    /// The provider's word for where the next page begins; `nil` at the span's first.
    public let page: String?

    /// A place in a span.
    public init(from: Instant, to: Instant, page: String? = nil) {
        self.from = from
        self.to = to
        self.page = page
    }

    /// Whether the span is read, or empty from the start.
    public var isOver: Bool { from >= to }

    /// The place after a page was read.
    /// - Parameter next: The page that follows; `nil` after the last.
    public func advanced(next: String?) -> SettlementWindow {
        guard let next else { return SettlementWindow(from: to, to: to) }
        return SettlementWindow(from: from, to: to, page: next)
    }

    /// The same place, or the next span when this one is over.
    /// - Parameters:
    ///   - horizon: Up to when the provider's reports are complete.
    ///   - longest: The longest span the provider takes at once.
    public func opened(upTo horizon: Instant, longest: Duration) -> SettlementWindow {
        guard isOver, horizon > from else { return self }
        return SettlementWindow(from: from, to: min(horizon, from + longest))
    }
}
