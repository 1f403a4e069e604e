import PaymentRecords
import BillingCore
import HTTPKit
import JSON
import Postgres

/// `/v1/ledger`.
struct LedgerRoutes: Sendable {
    var endpoints: [Endpoint] { [balances, entries] }

    private var balances: Endpoint {
        .list(
            "/v1/ledger/balances", scope: "ledger:read", summary: "The balance of every account",
            item: AccountBalance.self
        ) { db, _, _ in Page(items: try LedgerStore.balances(in: db), hasMore: false) }
    }

    private var entries: Endpoint {
        .list(
            "/v1/ledger/entries", scope: "ledger:read", summary: "The lines booked for a payment",
            filters: [.id("payment_id", as: PaymentID.self, required: true)], item: JournalLineRecord.self
        ) { db, call, _ in
            guard let payment: PaymentID = call.query.id("payment_id") else { return Page(items: [], hasMore: false) }
            return Page(items: try LedgerStore.lines(of: payment, in: db), hasMore: false)
        }
    }
}

extension AccountBalance: JSONOutput {
    func write(to o: inout ObjectWriter) {
        o.field("object", "account_balance")
        o.field("account", account)
        o.field("currency", currency)
        o.field("balance", balance, doc: "Minor units; debits positive")
    }

    static var sample: Self { Self(account: "assets:provider:sandbox", currency: "USD", balance: 999) }
}

extension JournalLineRecord: JSONOutput {
    func write(to o: inout ObjectWriter) {
        o.field("object", "journal_line")
        o.field("entry_id", entryID)
        o.field("kind", kind)
        o.field("occurred_at", occurredAt)
        o.field("account", account)
        o.field("currency", currency)
        o.field("amount", amount, doc: "Minor units; debits positive")
    }

    static var sample: Self {
        Self(
            entryID: .sample, kind: "payment", occurredAt: .sample, account: "assets:provider:sandbox", currency: "USD",
            amount: 999)
    }
}
