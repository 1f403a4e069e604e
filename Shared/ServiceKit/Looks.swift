package import Postgres

/// Work that the database tells of: the condition under which there is some, and what is done about it.
package struct Look: Sendable {
    /// For logs; no two of a service have the same.
    package let name: String
    /// How long it rests after it was at work, by real time; a jump of the business clock ends the rest.
    let rest: Duration
    /// How long it rests after it threw; no jump of the clock ends that.
    let restAfterFault: Duration
    private let condition: @Sendable () -> SQL
    /// Does what there is. It locks and judges by itself: that the condition was true says only that looking is worth it.
    let pass: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - condition: Made of the same pieces of SQL as the statements of `pass`, so that neither misses what the other
    ///     would find. It never yields NULL and locks nothing. Made anew each time: it may hold the time.
    ///   - pass: Leaves nothing that it could do at once.
    package init(
        name: String, rest: Duration = .milliseconds(500), restAfterFault: Duration = .milliseconds(500),
        when condition: @escaping @Sendable () -> SQL, pass: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.rest = rest
        self.restAfterFault = restAfterFault
        self.condition = condition
        self.pass = pass
    }

    fileprivate var column: SQL { "(\(condition()))" }
}

/// Looks that are asked for together: one statement says which of them have something to do, so that a service with
/// nothing to do runs one transaction and not one for each.
package struct Looks: Sendable {
    /// How often they are asked for, beside the moments at which the business clock jumps.
    static let interval: Duration = .milliseconds(250)

    private let all: [Look]
    private let pool: PostgresPool

    package init(_ all: [Look], _ pool: PostgresPool) {
        self.all = all
        self.pool = pool
    }

    /// The names of those that have something to do.
    package func due() async throws -> [String] {
        let columns: [SQL] = all.map(\.column)
        guard !columns.isEmpty else { return [] }
        let isDue: [Bool]? = try await pool.transaction(readOnly: true) { db in
            try db.first("SELECT \(SQL.joined(columns))") { row in
                var values: [Bool] = []
                for _ in columns { values.append(try row.next()) }
                return values
            }
        }
        return zip(all, isDue ?? []).filter(\.1).map(\.0.name)
    }

    /// One asks, and each look has a loop of its own that waits for its turn: none holds up another. What comes up while a
    /// look is at work or rests is its next turn.
    package var loops: [BackgroundLoop] {
        var turns: [String: AsyncStream<Void>.Continuation] = [:]
        var loops: [BackgroundLoop] = []
        for look in all {
            let (turn, giveTurn) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            precondition(turns.updateValue(giveTurn, forKey: look.name) == nil, "each look has a name of its own")
            loops.append(
                BackgroundLoop(name: look.name, afterFault: look.restAfterFault) {
                    for await _ in turn {
                        try await look.pass()
                        break
                    }
                    return .due(nil, atMost: look.rest)
                })
        }
        let waiting: [String: AsyncStream<Void>.Continuation] = turns
        loops.append(
            BackgroundLoop(name: "looks") {
                for name in try await due() { waiting[name]?.yield() }
                return .due(nil, atMost: Self.interval)
            })
        return loops
    }

    /// Asks for each by itself, one after the other, so that what one leaves is found by those after it; each that has
    /// something to do does it.
    package func pass() async throws {
        for look in all {
            let isDue: Bool = try await !Looks([look], pool).due().isEmpty
            if isDue { try await look.pass() }
        }
    }
}
