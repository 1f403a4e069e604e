package import BillingCore

/// The directory's card ranges, kept between requests: says for a card number what its issuer speaks. A value; the
/// holder swaps it for the next one as a whole.
package struct CardRangeCache: Sendable {
    /// How old the ranges may be: the protocol wants them asked for once a day.
    package static let maxAge: Duration = .seconds(86_400)

    /// To be sent with the next PReq.
    package let serialNumber: String?
    /// When the ranges were had; `nil` before the first time.
    package let updatedAt: Instant?
    private let byLength: [Int: [Entry]]

    private struct Entry: Sendable {
        let first: UInt64
        let last: UInt64
        let range: CardRange
    }

    /// No ranges.
    package init() {
        serialNumber = nil
        updatedAt = nil
        byLength = [:]
    }

    private init(_ ranges: [RangeKey: CardRange], serialNumber: String?, at now: Instant) throws(ErrorMessage) {
        var byLength: [Int: [Entry]] = [:]
        for (key, range) in ranges {
            byLength[key.length, default: []].append(Entry(first: key.first, last: key.last, range: range))
        }
        for length in byLength.keys {
            byLength[length]?.sort { $0.first < $1.first }
            let sorted: [Entry] = byLength[length] ?? []
            for (left, right) in zip(sorted, sorted.dropFirst()) where left.last >= right.first {
                throw ErrorMessage(.contradiction, detail: "cardRangeData", about: "PRes")
            }
        }
        self.byLength = byLength
        self.serialNumber = serialNumber
        updatedAt = now
    }

    /// How many ranges there are.
    package var count: Int { byLength.values.reduce(0) { $0 + $1.count } }

    /// Whether it is time for a PReq.
    package func isStale(at now: Instant) -> Bool {
        guard let updatedAt else { return true }
        return now - updatedAt >= Self.maxAge || now < updatedAt
    }

    /// What is known of a card; `nil` when no range holds it: ``absence`` says what that means.
    package func range(of number: String) -> CardRange? {
        guard let value = RangeKey.number(number), let entries = byLength[number.utf8.count] else { return nil }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].last < value { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].first <= value else { return nil }
        return entries[low].range
    }

    /// Why a card that no range holds is not asked about: its issuer takes no part, or the directory has told of no ranges yet.
    package var absence: AuthenticationOutcome.Cause { updatedAt == nil ? .noAnswer : .notEnrolled }

    /// The ranges after the answer to a PReq: all anew when the request named no serial number, else as changed.
    /// - Throws: The fault of the answer (307 asks for all ranges anew); the ranges so far stay good.
    package func updated(
        by answer: [UInt8], to request: PreparationRequest, at now: Instant
    ) throws(ErrorMessage) -> CardRangeCache {
        let response = try PreparationResponse(answer, to: request.id)
        var ranges: [RangeKey: CardRange] = [:]
        if request.serialNumber != nil {
            for (length, entries) in byLength {
                for entry in entries {
                    ranges[RangeKey(length: length, first: entry.first, last: entry.last)] = entry.range
                }
            }
        }
        for change in response.changes {
            switch change.action {
            case .add, .modify: ranges[change.key] = change.range
            case .delete: ranges[change.key] = nil
            }
        }
        return try CardRangeCache(ranges, serialNumber: response.serialNumber ?? request.serialNumber, at: now)
    }
}
