import BillingCore

/// The time whose updates of disputes are to be listed next.
struct PayPalDisputeSpan: Sendable, Equatable {
    /// The last update up to which everything was seen; `nil` before there is one.
    let start: Instant?
    /// Where it ends; `nil` for one that goes on, which is the usual one.
    let end: Instant?

    init(start: Instant?, end: Instant?) {
        self.start = start
        self.end = end
    }

    /// Reads a cursor; other text is as none.
    init(cursor: String?) {
        let times: [Instant?] = (cursor ?? "").split(separator: "/").map { Instant(rfc3339: String($0)) }
        start = times.first.flatMap { $0 }
        end = times.count == 2 ? times[1] : nil
    }

    /// Its start, and after a slash its end where it has one (ISO 8601 writes intervals so).
    var cursor: String? {
        guard let start else { return nil }
        guard let end else { return start.rfc3339 }
        return "\(start.rfc3339)/\(end.rfc3339)"
    }

    /// As further parameters of a query.
    var filter: String {
        let after: String = start.map { "&update_time_after=\($0.rfc3339)" } ?? ""
        let before: String = end.map { "&update_time_before=\($0.rfc3339)" } ?? ""
        return after + before
    }

    /// The part of it that lies after the oldest time that may be asked for.
    func kept(since oldest: Instant) -> PayPalDisputeSpan {
        PayPalDisputeSpan(start: start.map { max($0, oldest) }, end: end.flatMap { $0 > oldest ? $0 : nil })
    }

    /// Its beginning, with about half of the updates in it. It is shorter, so that cutting ends.
    /// - Parameters:
    ///   - updates: Some that were seen in it.
    ///   - oldest: Where it begins if nothing says so.
    /// - Returns: `nil` when no update lies within.
    func earlierPart(of updates: [Instant], since oldest: Instant) -> PayPalDisputeSpan? {
        let start: Instant = start ?? oldest
        let inside: [Instant] = updates.filter { update in
            guard let end else { return update > start }
            return update > start && update < end
        }.sorted()
        guard !inside.isEmpty else { return nil }
        return PayPalDisputeSpan(start: start, end: inside[inside.count / 2])
    }
}
