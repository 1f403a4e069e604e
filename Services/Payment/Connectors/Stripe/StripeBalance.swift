package import PaymentContract
package import BillingCore
import JSON

/// One movement of the account's balance at Stripe, for reconciliation.
package struct StripeBalanceEntry: Sendable, Equatable {
    /// `txn_…`.
    package let id: String
    /// Stripe's kind: `charge`, `refund`, `adjustment`, `payout`, `stripe_fee`.
    package let type: String
    /// The kind by which Stripe's reports group: `charge`, `dispute`, `fee`.
    package let category: String
    /// What it is about: a Charge, a Refund, a Dispute, a Payout.
    package let source: String?
    /// Signed, in the settlement currency.
    package let amount: Money
    package let fee: Money
    /// ``amount`` less ``fee``.
    package let net: Money
    /// The rate from the charge's currency, where it was another.
    package let exchangeRate: ExactDecimal?
    package let created: Instant
    package let availableOn: Instant
    /// Whether the money can be paid out already.
    package let isAvailable: Bool
}

/// A page of the balance's movements, newest first.
package struct StripeBalancePage: Sendable, Equatable {
    package let entries: [StripeBalanceEntry]
    /// Where the next page begins; `nil` when this is the last.
    package let next: String?
}

extension StripeAdapter {
    /// Lists movements of the balance.
    /// - Parameters:
    ///   - after: ``StripeBalancePage/next`` of the page before.
    ///   - since: Only those created then or later, by the second.
    ///   - before: Only those created earlier.
    ///   - limit: 1 to 100.
    /// - Throws: ``ProviderFault``; `unusable` when an entry does not add up.
    package func balance(
        after: String? = nil, since: Instant? = nil, before: Instant? = nil, limit: Int = 100
    ) async throws(ProviderFault) -> StripeBalancePage {
        var created = StripeForm()
        if let since { created.add("gte", .integer(since.seconds)) }
        if let before { created.add("lt", .integer(before.seconds)) }
        var form = StripeForm()
        form.add("created", created)
        form.add("limit", .integer(Int64(min(max(limit, 1), 100))))
        form.add("starting_after", after)
        guard let page = try await client.get("/v1/balance_transactions", form) else {
            throw .rejected(code: "resource_missing")
        }
        var entries: [StripeBalanceEntry] = []
        for fields in try page.list("data") { entries.append(try StripeBalanceEntry(fields)) }
        let next: String? = try page.flag("has_more") ? entries.last?.id : nil
        return StripeBalancePage(entries: entries, next: next)
    }
}

extension StripeBalanceEntry {
    /// Reads it strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(_ fields: StripeFields) throws(ProviderFault) {
        id = try fields.id(of: "balance_transaction")
        type = try fields.text("type")
        category = try fields.text("reporting_category")
        source = try fields.optionalReference("source")
        amount = try fields.money("amount")
        fee = try fields.money("fee")
        net = try fields.money("net")
        exchangeRate = try Self.rate(fields)
        created = try fields.instant("created")
        availableOn = try fields.instant("available_on")
        isAvailable = try fields.text("status") == "available"
        let difference: Money
        do throws(MoneyError) {
            difference = try amount.subtracting(fee)
        } catch {
            throw fields.unusable("net", "does not add up")
        }
        guard difference == net else { throw fields.unusable("net", "does not add up") }
    }

    /// The rate, exactly as written: JSON numbers keep their characters, and small ones may come as `3.9e-05`.
    private static func rate(_ fields: StripeFields) throws(ProviderFault) -> ExactDecimal? {
        guard case .number(let text)? = fields.value["exchange_rate"] else { return nil }
        let parts: [Substring] = text.split(whereSeparator: { $0 == "e" || $0 == "E" })
        guard let mantissa = ExactDecimal(String(parts[0])), let exponent = parts.count == 1 ? 0 : Int(parts[1]),
            (-38...0).contains(exponent)
        else { throw fields.unusable("exchange_rate", "is not a plain number") }
        do throws(MoneyError) {
            return try ExactDecimal(coefficient: mantissa.coefficient, scale: mantissa.scale - exponent)
        } catch {
            throw fields.unusable("exchange_rate", "has too many digits")
        }
    }
}
