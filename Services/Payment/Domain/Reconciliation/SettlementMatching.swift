import BillingCore

/// Finds the booking that each settlement line of one provider confirms.
///
/// The rules go from the surest to the weakest; each takes only what those before it left. A rule pairs a line and a
/// booking when, by its measure, neither has another partner: first among partners of the same amount, then whatever the
/// amount (which is a difference to be looked at). Between two candidates nothing is guessed, but of equal captures of one
/// charge, and what the provider calls by another name is none. The result depends on the sets of lines and bookings alone,
/// not on their order.
public struct SettlementMatching: Sendable {
    /// How many bookings of its amount an ambiguous line names at most: those nearest in time, as a person looks them through.
    public static let mostCandidates = 100

    /// How far apart in time a line and a booking may be that have nothing but amount and currency in common.
    public let window: Duration

    /// Bookings that lines, by id, are not, whatever the rules say: somebody who looked said so.
    public let refused: [String: Set<String>]

    /// Rules with a time window.
    public init(window: Duration, refused: [String: Set<String>] = [:]) {
        self.window = window
        self.refused = refused
    }

    /// What came of lines.
    public struct Outcome: Sendable, Equatable {
        /// Pairs; no line and no booking is in two.
        public var matches: Set<SettlementMatch> = []
        /// Lines that had candidates, but more than one, or one that another line wants too.
        public var ambiguous: Set<String> = []
        /// The bookings that each of those may be; by amount and time the ``mostCandidates`` nearest.
        public var candidates: [String: Set<String>] = [:]

        /// Pairs, and nothing else.
        public init(matches: Set<SettlementMatch> = []) { self.matches = matches }

        /// Both outcomes, of which the second had only what the first left.
        public func joined(with second: Outcome) -> Outcome {
            let matches: Set<SettlementMatch> = matches.union(second.matches)
            var joined = Outcome(matches: matches)
            joined.ambiguous = ambiguous.union(second.ambiguous).subtracting(second.matches.map(\.line))
            joined.candidates = candidates.merging(second.candidates) { $0.union($1) }
            return joined
        }
    }

    /// By all rules.
    /// - Parameters:
    ///   - lines: Of one provider, ids unique; those that are booked from the line itself take no part.
    ///   - bookings: Not confirmed so far, ids unique.
    public func callAsFunction(_ lines: [SettlementLine], _ bookings: [SettlementBooking]) -> Outcome {
        let first: Outcome = byReference(lines, bookings)
        let matched = Set(first.matches.map(\.line))
        let taken = Set(first.matches.map(\.booking))
        let second: Outcome = byAmount(
            lines.filter { !matched.contains($0.id) }, bookings.filter { !taken.contains($0.id) })
        return first.joined(with: second)
    }

    /// By what lines and bookings are called.
    public func byReference(_ lines: [SettlementLine], _ bookings: [SettlementBooking]) -> Outcome {
        var round = Round(
            lines: lines.filter { !$0.kind.isBookedFromLine }, bookings: bookings, refused: refused)
        round.pair(.ownReference, line: \.references.own) { [$0.own] }
        round.pair(.ownReference, line: \.references.own) { $0.related }
        round.pair(.providerReference, line: \.references.source) { $0.sources }
        round.pair(.providerReference, line: \.references.taken) { $0.taken }
        return round.outcome
    }

    /// Fees that were booked by themselves, by the line they are part of: what a dispute cost that was won before we heard
    /// of it, or that we learnt later.
    /// - Parameters:
    ///   - lines: Those that have found a booking without a fee, or none.
    ///   - bookings: Not confirmed so far.
    public static func fees(
        of lines: [SettlementLine], among bookings: [SettlementBooking]
    ) -> [String: SettlementBooking] {
        let fees: [SettlementBooking] = bookings.filter(\.isFee)
        var pairs: [Pair] = []
        for (index, line) in lines.enumerated() {
            for (candidate, fee) in fees.enumerated() where fee.isFee(of: line) {
                pairs.append(Pair(line: index, booking: candidate))
            }
        }
        var found: [String: SettlementBooking] = [:]
        for pair in Pair.alone(in: pairs) { found[lines[pair.line].id] = fees[pair.booking] }
        return found
    }

    /// By amount, currency and time alone. A line that carries an id of ours takes no part: it is about something else
    /// than a booking with another id, however equal the amounts.
    public func byAmount(_ lines: [SettlementLine], _ bookings: [SettlementBooking]) -> Outcome {
        var round = Round(
            lines: lines.filter { !$0.kind.isBookedFromLine && $0.references.own == nil }, bookings: bookings,
            refused: refused)
        round.pairByAmount(within: window)
        return round.outcome
    }
}

/// What is left, and what was found.
private struct Round {
    var lines: [SettlementLine]
    var bookings: [SettlementBooking]
    let refused: [String: Set<String>]
    var outcome = SettlementMatching.Outcome()

    /// Pairs what has a reference in common.
    mutating func pair(
        _ rule: SettlementRule, line reference: (SettlementLine) -> String?,
        booking references: (SettlementBooking) -> Set<String>
    ) {
        var byReference: [String: [Int]] = [:]
        for (index, booking) in bookings.enumerated() {
            for reference in references(booking) { byReference[reference, default: []].append(index) }
        }
        var pairs: [Pair] = []
        for (index, line) in lines.enumerated() {
            guard let reference = reference(line) else { continue }
            for candidate in byReference[reference, default: []] where mayBe(line, bookings[candidate], by: rule) {
                pairs.append(Pair(line: index, booking: candidate))
            }
        }
        let same: [Pair] = pairs.filter { bookings[$0.booking].isAmount(of: lines[$0.line]) }
        let twins: [Pair] = rule == .ownReference ? inOrder(same, by: reference) : []
        let taken: [Pair] = Pair.alone(in: same) + twins
        let takenLines = Set(taken.map(\.line))
        let takenBookings = Set(taken.map(\.booking))
        let left: [Pair] = pairs.filter { !takenLines.contains($0.line) && !takenBookings.contains($0.booking) }
        take(taken + Pair.alone(in: left), rule, outOf: pairs)
    }

    /// Captures of one charge over the same amount that have a line each: whichever is whose, it comes to the same, so they
    /// are paired as they followed each other.
    private func inOrder(_ pairs: [Pair], by reference: (SettlementLine) -> String?) -> [Pair] {
        // Where the provider's names tell them apart, the rules by name do.
        let captures: [Pair] = pairs.filter {
            lines[$0.line].kind == .charge && !bookings[$0.booking].isAnother(than: lines[$0.line])
        }
        let groups: [Twins: [Pair]] = Dictionary(grouping: captures) { pair in
            let booking: SettlementBooking = bookings[pair.booking]
            return Twins(name: reference(lines[pair.line]), amount: booking.given ?? booking.gross)
        }
        var found: [Pair] = []
        for group in groups.values where group.count > 1 {
            let (told, booked) = (Set(group.map(\.line)), Set(group.map(\.booking)))
            // Each line may be each booking, and neither anything else.
            let all: [Pair] = pairs.filter { told.contains($0.line) || booked.contains($0.booking) }
            guard told.count == booked.count, group.count == told.count * booked.count, all.count == group.count else {
                continue
            }
            let first: [Int] = told.sorted {
                (lines[$0].occurredAt, lines[$0].id) < (lines[$1].occurredAt, lines[$1].id)
            }
            let second: [Int] = booked.sorted {
                (bookings[$0].occurredAt, bookings[$0].id) < (bookings[$1].occurredAt, bookings[$1].id)
            }
            found += zip(first, second).map { Pair(line: $0, booking: $1) }
        }
        return found
    }

    private func mayBe(_ line: SettlementLine, _ booking: SettlementBooking, by rule: SettlementRule) -> Bool {
        // A fee that was booked by itself is part of a line at most.
        guard booking.kind == line.kind, !(booking.isFee && !line.asked.isZero) else { return false }
        guard !(refused[line.id]?.contains(booking.id) ?? false) else { return false }
        guard !booking.isByHand || booking.isAmount(of: line) else { return false }
        // What a line names beside our id says nothing more.
        return rule == .ownReference || !booking.isAnother(than: line)
    }

    /// Pairs what has nothing in common but amount, currency and about the time. Thousands of equal amounts make millions of
    /// pairs: all are counted, and of each line the nearest are kept.
    mutating func pairByAmount(within window: Duration) {
        bookings.sort { ($0.occurredAt, $0.id) < ($1.occurredAt, $1.id) }
        let byAmount: [Money: [Int]] = Dictionary(grouping: bookings.indices) { bookings[$0].gross }
        var wanted: [Int] = Array(repeating: 0, count: bookings.count)
        var single: [Pair] = []
        var pairs: [Pair] = []
        for (index, line) in lines.enumerated() {
            let amounts: Set<Money> = [line.asked, line.gross]
            let alike: [Int] = amounts.flatMap { byAmount[$0, default: []] }
            let found: [Int] = alike.filter { isAlike(line, bookings[$0], within: window) }.sorted()
            for candidate in found { wanted[candidate] += 1 }
            if found.count == 1 { single.append(Pair(line: index, booking: found[0])) }
            pairs += nearest(found, to: line).map { Pair(line: index, booking: $0) }
        }
        take(single.filter { wanted[$0.booking] == 1 }, .amountAndTime, outOf: pairs)
    }

    private func isAlike(_ line: SettlementLine, _ booking: SettlementBooking, within window: Duration) -> Bool {
        let apart: Duration = booking.occurredAt - line.occurredAt
        return apart <= window && apart >= .zero - window
            && line.amount(beside: booking.gross.currency) == booking.gross && mayBe(line, booking, by: .amountAndTime)
    }

    /// Of bookings in the order of time, those that a line names.
    private func nearest(_ found: [Int], to line: SettlementLine) -> ArraySlice<Int> {
        var kept: ArraySlice<Int> = found[...]
        while kept.count > SettlementMatching.mostCandidates, let first: Int = kept.first, let last: Int = kept.last {
            let before: Duration = line.occurredAt - bookings[first].occurredAt
            kept = before > bookings[last].occurredAt - line.occurredAt ? kept.dropFirst() : kept.dropLast()
        }
        return kept
    }

    private mutating func take(_ taken: [Pair], _ rule: SettlementRule, outOf pairs: [Pair]) {
        let takenLines = Set(taken.map(\.line))
        let takenBookings = Set(taken.map(\.booking))
        for pair in pairs where !takenLines.contains(pair.line) {
            outcome.ambiguous.insert(lines[pair.line].id)
            outcome.candidates[lines[pair.line].id, default: []].insert(bookings[pair.booking].id)
        }
        for pair in taken {
            let line: String = lines[pair.line].id
            outcome.ambiguous.remove(line)
            outcome.candidates[line] = nil
            outcome.matches.insert(SettlementMatch(line: line, booking: bookings[pair.booking].id, rule: rule))
        }
        lines = lines.enumerated().filter { !takenLines.contains($0.offset) }.map(\.element)
        bookings = bookings.enumerated().filter { !takenBookings.contains($0.offset) }.map(\.element)
    }
}

/// What captures of one charge have in common that are over the same amount.
private struct Twins: Hashable {
    let name: String?
    let amount: Money
}

/// A line and a booking that may be the same, by their places.
private struct Pair: Hashable {
    let line: Int
    let booking: Int

    /// The pairs whose line and booking are in no other.
    static func alone(in pairs: [Pair]) -> [Pair] {
        var lines: [Int: Int] = [:]
        var bookings: [Int: Int] = [:]
        for pair in Set(pairs) {
            lines[pair.line, default: 0] += 1
            bookings[pair.booking, default: 0] += 1
        }
        return Set(pairs).filter { lines[$0.line] == 1 && bookings[$0.booking] == 1 }
            .sorted { ($0.line, $0.booking) < ($1.line, $1.booking) }
    }
}
