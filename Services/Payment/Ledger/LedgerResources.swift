import BillingCore
package import JSON
import PaymentDomain
package import PaymentRecords

/// An account of the chart.
struct AccountResource: JSONOutput {
    let account: LedgerAccount

    func write(to o: inout ObjectWriter) {
        o.field("object", "ledger_account")
        o.field("account", account.name)
        o.field("class", account.accountClass, doc: "asset, liability, income, contra_income, expense or equity")
        o.field("normal_side", AccountClass(of: account.name)?.normalSide, doc: "Where it grows")
        o.field("pattern", account.pattern, doc: "The chart's line it belongs to")
    }

    static var sample: Self {
        Self(
            account: LedgerAccount(
                name: "assets:provider:sandbox", pattern: "assets:provider:{name}", accountClass: "asset"))
    }
}

/// What stands on an account.
struct BalanceResource: JSONOutput {
    let balance: AccountBalance

    func write(to o: inout ObjectWriter) {
        o.field("object", "account_balance")
        o.field("account", balance.account)
        o.field("currency", balance.currency)
        o.sum("balance", balance.balance, doc: "Minor units; debits positive")
        o.sum("debits", balance.debits, doc: "The sum of all debits")
        o.sum("credits", balance.credits, doc: "The sum of all credits")
    }

    static var sample: Self {
        Self(
            balance: AccountBalance(
                account: "assets:provider:sandbox", currency: "USD", debits: 1_299, credits: 300))
    }
}

/// All accounts, each with its balance on its side, and the sums of both sides.
struct TrialBalanceResource: JSONOutput {
    let at: Instant
    let balances: [AccountBalance]

    func write(to o: inout ObjectWriter) {
        o.field("object", "trial_balance")
        o.field("at", at, doc: "Counts what happened before this moment, whenever it was booked")
        o.field("accounts", balances.map { TrialBalanceLine(balance: $0) })
        o.field("totals", totals)
    }

    /// The sums of both sides in each currency, which are equal.
    private var totals: [TrialBalanceTotal] {
        let currencies: [String] = Set(balances.map(\.currency)).sorted()
        return currencies.map { currency in
            let lines: [AccountBalance] = balances.filter { $0.currency == currency }
            return TrialBalanceTotal(
                currency: currency, debit: lines.reduce(0) { $0 + max($1.balance, 0) },
                credit: lines.reduce(0) { $0 - min($1.balance, 0) })
        }
    }

    static var sample: Self { Self(at: .sample, balances: [BalanceResource.sample.balance]) }
}

/// One account of a trial balance.
struct TrialBalanceLine: JSONOutput {
    let balance: AccountBalance

    func write(to o: inout ObjectWriter) {
        o.field("account", balance.account)
        o.field("class", AccountClass(of: balance.account))
        o.field("currency", balance.currency)
        o.sum("debit", max(balance.balance, 0), doc: "The balance, when it is a debit")
        o.sum("credit", -min(balance.balance, 0), doc: "The balance, when it is a credit")
    }

    static var sample: Self { Self(balance: BalanceResource.sample.balance) }
}

/// Both sides of a trial balance in one currency.
struct TrialBalanceTotal: JSONOutput {
    let currency: String
    let debit: Int128
    let credit: Int128

    func write(to o: inout ObjectWriter) {
        o.field("currency", currency)
        o.sum("debit", debit)
        o.sum("credit", credit, doc: "Equal to the debit, always")
    }

    static var sample: Self { Self(currency: "USD", debit: 999, credit: 999) }
}

extension LedgerStatement: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "ledger_statement")
        o.field("account", account)
        o.field("currency", currency)
        o.field("from", from)
        o.field("to", to)
        o.sum("opening_balance", opening, doc: "Minor units, debits positive: before `from`")
        o.sum("closing_balance", closing, doc: "Before `to`: the opening balance of what follows")
        o.field("data", lines)
        o.field("has_more", hasMore)
        o.field(
            "next", hasMore ? lines.last?.place.cursor : nil,
            doc: "`starting_after` of the next page, when there is one")
    }

    package static var sample: Self {
        Self(
            account: "assets:provider:sandbox", currency: "USD", from: .sample, to: .sample, opening: 0, closing: 999,
            lines: [.sample], hasMore: false)
    }
}

extension StatementLine: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "statement_line")
        o.field("entry_id", place.entryID)
        o.field("kind", kind)
        o.field("reference", reference, doc: "What the entry books: an attempt, a capture, a refund")
        o.field("payment_id", paymentID)
        o.field("occurred_at", place.occurredAt)
        o.field("amount", amount, doc: "Minor units; debits positive")
        o.sum("balance", balance, doc: "After this line")
    }

    package static var sample: Self {
        Self(
            place: StatementPlace(occurredAt: .sample, entryID: .sample, position: 1), kind: "payment",
            reference: AttemptID.sample.rawValue, paymentID: .sample, amount: 999, balance: 999)
    }
}

extension BookedEntry: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "journal_entry")
        o.field("id", id)
        o.field("kind", kind)
        o.field("reference", reference, doc: "What it books")
        o.field("payment_id", paymentID)
        o.field("occurred_at", occurredAt)
        o.field("reverses", reverses, doc: "The entry it undoes")
        o.field("reversed_by", reversedBy, doc: "The entry that undoes it")
        o.field("actor", actor, doc: "Who booked it by hand")
        o.field("reason", reason, doc: "Why it was booked by hand")
        o.field("lines", lines)
    }

    package static var sample: Self {
        Self(
            id: .sample, kind: "payment", reference: AttemptID.sample.rawValue, paymentID: .sample, occurredAt: .sample,
            actor: nil, reason: nil, reversedBy: nil, lines: [.sample])
    }
}

extension BookedLine: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("account", account)
        o.field("currency", currency)
        o.field("amount", amount, doc: "Minor units; debits positive")
    }

    package static var sample: Self { Self(account: "assets:provider:sandbox", currency: "USD", amount: 999) }
}

extension JournalLineRecord: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "journal_line")
        o.field("entry_id", entryID)
        o.field("kind", kind)
        o.field("occurred_at", occurredAt)
        o.field("account", account)
        o.field("currency", currency)
        o.field("amount", amount, doc: "Minor units; debits positive")
    }

    package static var sample: Self {
        Self(
            entryID: .sample, kind: "payment", occurredAt: .sample, account: "assets:provider:sandbox", currency: "USD",
            amount: 999)
    }
}
