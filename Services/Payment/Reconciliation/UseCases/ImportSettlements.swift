package import BillingCore
package import PaymentContract
import PaymentDomain
package import Postgres

/// Reads settlement lines from providers, page by page, and stores each once.
///
/// A page's lines and the place after it are stored in one transaction: a crash in between reads the page again, and a
/// line that comes again is the same line. Another instance that reads the same page finds the place moved on. Lines of
/// before the reading began are left out.
package struct ImportSettlements: Sendable {
    /// Pages of a provider that one pass reads at most.
    static let passPages = 50

    let providers: [any ProviderSettlements]
    let pool: PostgresPool
    let clock: any WallClock

    package init(providers: [any ProviderSettlements], pool: PostgresPool, clock: any WallClock) {
        self.providers = providers
        self.pool = pool
        self.clock = clock
    }

    /// Reads what a provider has reported since the last time, up to where its reports are complete by now. What they come to
    /// while it reads is left to the next time: there is always a little more, and each span is a request at least.
    /// - Throws: ``ProviderFault`` when it does not answer; what was read before is kept.
    func callAsFunction(_ provider: any ProviderSettlements) async throws {
        let horizon: Instant = provider.settlementHorizon(at: clock.now)
        for _ in 0..<Self.passPages {
            guard try await readPage(of: provider, upTo: horizon) else { return }
        }
    }

    /// Reads a page. A line with amounts that nobody can have meant is stored as any other, and raises the provider's alarm:
    /// matching sets it aside.
    /// - Returns: Whether there may be more.
    /// - Throws: ``ProviderFault``.
    private func readPage(of provider: any ProviderSettlements, upTo horizon: Instant) async throws -> Bool {
        let name: String = provider.name
        let now: Instant = clock.now
        let cursor: SettlementCursor? = try await pool.transactionRetrying { db in
            try SettlementCursorStore.begin(name, at: now, in: db)
            return try SettlementCursorStore.read(name, in: db)
        }
        guard let cursor else { return false }
        let window: SettlementWindow = cursor.window.opened(upTo: horizon, longest: provider.longestSettlementSpan)
        guard !window.isOver else { return false }
        let page: ProviderSettlementPage = try await provider.settlementLines(in: window)
        let lines: [SettlementLine] = page.lines.filter { Self.isOfOurBooks($0, since: cursor.beganAt) }
        for absurd in lines where !absurd.isWithinBounds {
            ProviderAlarms.shared.note(
                .unusable("the amounts of line \(absurd.id) are too large"), of: name, on: .settlement)
        }
        let run: ReconciliationRunID = (window.page == nil ? nil : cursor.run) ?? .new(at: now)
        return try await pool.transactionRetrying { db in
            let after: SettlementWindow = window.advanced(next: page.next)
            guard
                try SettlementCursorStore.move(
                    name, from: cursor.window, to: after, run: after.isOver ? nil : run, in: db)
            else { return true }
            if !lines.isEmpty {
                try SettlementCursorStore.begin(run: run, provider: name, source: .provider, at: now, in: db)
                _ = try SettlementLineStore.insert(lines, run: run, in: db)
            }
            return true
        }
    }

    /// Whether a line is no older than the reading, or has an id of ours, as a payment that took days to complete may. What
    /// the account did before is in its opening balance, if anywhere.
    private static func isOfOurBooks(_ line: SettlementLine, since began: Instant?) -> Bool {
        guard let began, line.occurredAt < began else { return true }
        guard let own: String = line.references.own else { return false }
        return AttemptID(own) != nil || CaptureID(own) != nil || RefundID(own) != nil
    }
}
