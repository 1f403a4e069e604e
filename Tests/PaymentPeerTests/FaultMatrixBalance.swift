import BillingCore
import PaymentReconciliation
import Postgres
import TestKit
import Testing

/// The doubles' books, over the whole run.
struct MatrixBooks {
    /// By payment of ours.
    private(set) var accounts: [String: MatrixAccount] = [:]
    /// Of our account with it, by currency; `nil` where a double tells none.
    private(set) var balances: [String: Int64]?

    mutating func add(_ peer: any MatrixPeer) async throws {
        accounts.merge(try await peer.books()) { _, new in new }
        guard let balances: [String: Int64] = try await peer.balances() else { return }
        self.balances = (self.balances ?? [:]).merging(balances, uniquingKeysWith: +)
    }
}

extension MatrixEnd {
    /// What the provider reports of its account is read and booked by both daemons at once while things go wrong. Then
    /// the ledger has what the provider holds, to the unit.
    func reconcile(_ books: MatrixBooks) async throws {
        guard let theirs: [String: Int64] = books.balances else { return }
        // Each double is an account of its own, from its first day on.
        try await world.execute("DELETE FROM settlement_cursors")
        // Lines are booked by the hundred: a strong wind would break them all.
        try await DatabaseStorm.blow(0.001, in: world.observer)
        for kind in MatrixFault.kinds {
            try await world.peer.arm(MatrixFault(kind: kind, times: 1, method: "GET"))
            await withTaskGroup(of: Void.self) { group in
                for index in 0...1 { group.addTask { try? await world.daemon(index).reconcile.pass() } }
            }
        }
        try await world.peer.clearFaults()
        try await DatabaseStorm.blow(0, in: world.observer)
        for index in 0...1 { try await world.daemon(index).reconcile.pass() }
        let account = "assets:provider:\(world.peer.name)"
        let ours: [String] = try await world.texts(
            """
            SELECT currency || ' ' || sum(amount) FROM journal_lines WHERE account = \(account)
            GROUP BY currency ORDER BY currency
            """)
        #expect(ours == theirs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })
        // What was over before it was heard of here, a dispute that was won or a refund that failed on its way, has two
        // lines that cancel each other out.
        let strange: [String] = try await world.texts(
            "SELECT concat_ws(' ', line_id, kind, state, net) FROM settlement_lines WHERE state <> 'matched'")
        #expect(strange.isEmpty, "\(strange.prefix(10)) of \(strange.count)")
        let open: [String] = try await world.texts(
            "SELECT concat_ws(' ', reason, state, amount) FROM reconciliation_cases WHERE state <> 'resolved'")
        #expect(open.isEmpty, "\(open.prefix(10)) of \(open.count)")
        let lines: [String] = try await world.texts(
            """
            SELECT concat_ws(' ', kind, state, rule, count(*)) FROM settlement_lines GROUP BY kind, state, rule
            ORDER BY 1
            """)
        print("\(world.peer.name): lines \(lines.joined(separator: ", "))")
    }
}
