import BillingCore
package import HTTPKit
import PaymentRecords
import Postgres

/// `/v1/ledger`.
package struct LedgerRoutes: Sendable {
    package init() {}

    package var endpoints: [Endpoint] {
        [accounts, balances, trialBalance, statement, entries, entry, reverse, adjust]
    }

    private var accounts: Endpoint {
        .list(
            "/v1/ledger/accounts", scope: "ledger:read", summary: "The chart of accounts, by name",
            item: AccountResource.self
        ) { db, _, request in
            let found: [LedgerAccount] = try ChartStore.accounts(
                after: request.startingAfter, limit: request.fetchLimit, in: db)
            return request.page(found.map(AccountResource.init))
        }
    }

    private var balances: Endpoint {
        .whole(
            "/v1/ledger/balances", scope: "ledger:read", summary: "The balance of every account",
            filters: [
                .instant("at", doc: "Counts what happened before this moment, whenever it was booked"),
                .string("account", max: 56), .string("currency", max: 12),
            ], item: BalanceResource.self
        ) { db, call in
            let found: [AccountBalance] = try LedgerBalances.read(
                before: call.query.instant("at"), account: call.query.string("account"),
                currency: call.query.string("currency"), in: db)
            return found.map(BalanceResource.init)
        }
    }

    private var trialBalance: Endpoint {
        .read(
            "/v1/ledger/trial_balance", scope: "ledger:read", summary: "All accounts, debits against credits",
            query: [.instant("at", doc: "Counts what happened before this moment; now when left out")],
            answers: TrialBalanceResource.self
        ) { db, call in
            let at: Instant = call.query.instant("at") ?? call.now.adding(.microseconds(1))
            return TrialBalanceResource(at: at, balances: try LedgerBalances.read(before: at, in: db))
        }
    }

    private var statement: Endpoint {
        .read(
            "/v1/ledger/statements", scope: "ledger:read",
            summary: "What happened on an account in a period, oldest first",
            query: [
                .string("account", max: 56, required: true), .string("currency", max: 12, required: true),
                .instant("from", required: true), .instant("to", required: true, doc: "Not in the period itself"),
                .int("limit", range: 1...100, doc: "How many lines at most; 20 when left out"),
                .string("starting_after", max: 200, doc: "`next` of the page before"),
            ], answers: LedgerStatement.self, snapshot: true
        ) { db, call in
            let (from, to): (Instant, Instant) = (
                call.query.instant("from") ?? .epoch, call.query.instant("to") ?? call.now
            )
            guard from <= to else { throw Problem.invalid("to", code: "before_from", "must not be before `from`") }
            let token: String? = call.query.string("starting_after")
            let after: StatementPlace? = token.flatMap { StatementPlace(cursor: $0) }
            guard token == nil || after != nil else {
                throw Problem.invalid("starting_after", code: "invalid_cursor", "is not the `next` of a page")
            }
            return try StatementStore.read(
                call.query.string("account") ?? "", call.query.string("currency") ?? "", from: from, to: to,
                after: after, limit: call.query.int("limit") ?? 20, in: db)
        }
    }

    private var entries: Endpoint {
        .whole(
            "/v1/ledger/entries", scope: "ledger:read", summary: "The lines booked for a payment",
            filters: [.id("payment_id", as: PaymentID.self, required: true)], item: JournalLineRecord.self
        ) { db, call in
            guard let payment: PaymentID = call.query.id("payment_id") else { return [] }
            return try LedgerStore.lines(of: payment, in: db)
        }
    }

    private var entry: Endpoint {
        .read(
            "/v1/ledger/entries/{id}", scope: "ledger:read", summary: "Read a journal entry", answers: BookedEntry.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: JournalEntryID = try call.id()
            guard let entry: BookedEntry = try EntryStore.find(id, in: db) else {
                throw Problem.notFound("journal entry", id.rawValue)
            }
            return entry
        }
    }

    private var reverse: Endpoint {
        .write(
            .post, "/v1/ledger/entries/{id}/reverse", scope: "ledger:write", summary: "Undo a journal entry",
            body: ReversalInput.self, answers: BookedEntry.self,
            problems: ["404 not_found", "409 entry_reversed", "409 entry_is_reversal", "409 entry_written_off"]
        ) { db, call, input in
            .created(
                try BookByHand.reverse(
                    try call.id(), reason: input.reason, actor: call.principal.id, at: call.now, in: db))
        }
    }

    private var adjust: Endpoint {
        .write(
            .post, "/v1/ledger/adjustments", scope: "ledger:write", summary: "Book a balanced entry by hand",
            body: AdjustmentInput.self, answers: BookedEntry.self, problems: ["422 invalid_request"]
        ) { db, call, input in
            .created(try BookByHand.adjust(input, actor: call.principal.id, at: call.now, in: db))
        }
    }
}
