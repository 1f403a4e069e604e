/// The prepared statements of one session, by SQL text; the least recently used make room.
///
/// An entry is made when its Parse message is sent and taken back when the server refuses it.
struct StatementCache {
    private struct Entry {
        let name: String
        var lastUse: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0
    private var made: UInt64 = 0
    private let limit: Int
    /// Statements the server still holds and nobody uses; closed in bulk between transactions.
    private var discarded: [String] = []
    private var isVoid: Bool = false

    /// So many discarded statements are closed in one go.
    static let sweepSize = 32

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { entries.count }

    /// The name under which the text is prepared.
    mutating func name(of text: String) -> String? {
        guard let index = entries.index(forKey: text) else { return nil }
        uses += 1
        entries.values[index].lastUse = uses
        return entries.values[index].name
    }

    /// Gives the text a name, pushing out the entry that was used longest ago when there is no room.
    mutating func insert(_ text: String) -> String {
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            discarded.append(oldest.value.name)
        }
        uses += 1
        made += 1
        let name: String = "s\(made)"
        entries[text] = Entry(name: name, lastUse: uses)
        return name
    }

    /// Takes back an entry the server did not accept.
    mutating func forget(_ text: String, named name: String) {
        if entries[text]?.name == name { entries[text] = nil }
        discarded.removeAll { $0 == name }
    }

    /// Drops every entry; the server's copies are to be closed.
    mutating func discardAll() {
        entries.removeAll()
        discarded.removeAll()
        isVoid = true
    }

    /// Forgets everything: the session, and with it the server's copies, is gone.
    mutating func reset() {
        entries.removeAll()
        discarded.removeAll()
        isVoid = false
    }

    /// Whether there is enough to close to be worth a round trip.
    var needsSweep: Bool { isVoid || discarded.count >= Self.sweepSize }

    /// Hands over the statements that close what was discarded.
    mutating func sweep() -> [SQL] {
        defer {
            discarded = []
            isVoid = false
        }
        if isVoid {
            // With what was prepared since everything was dropped.
            entries.removeAll()
            return [SQL(stringLiteral: "DEALLOCATE ALL").unprepared]
        }
        return discarded.map { SQL(stringLiteral: "DEALLOCATE \($0)").unprepared }
    }
}
