package import BillingCore
import JSON
package import PaymentContract
package import PaymentDomain

/// Balance transactions as settlement lines, with what they are about, so that our own ids are at hand.
extension StripeAdapter: ProviderSettlements {
    /// Any span; a year keeps the cursor's pages to one list.
    package var longestSettlementSpan: Duration { .seconds(366 * 86_400) }

    /// Balance transactions are there at once; some minutes are left for clocks that disagree.
    package func settlementHorizon(at now: Instant) -> Instant { now - .seconds(300) }

    /// A charge is read by its PaymentIntent.
    package func chargeName(source: String?, taken: String?) -> String? {
        taken.flatMap { $0.hasPrefix("pi_") ? $0 : nil }
    }

    package func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        var created = StripeForm()
        created.add("gte", .integer(window.from.seconds))
        created.add("lt", .integer(window.to.seconds))
        var form = StripeForm()
        form.add("created", created)
        form.add("limit", .integer(100))
        form.add("starting_after", window.page)
        form.add("expand", .list([.text("data.source")]))
        guard let page = try await client.get("/v1/balance_transactions", form) else {
            throw .rejected(code: "resource_missing")
        }
        var lines: [SettlementLine] = []
        for fields in try page.list("data") {
            lines.append(try StripeBalanceEntry(fields).line(about: try fields.optionalFields("source")))
        }
        return ProviderSettlementPage(lines: lines, next: try page.flag("has_more") ? lines.last?.id : nil)
    }
}

extension StripeBalanceEntry {
    /// The entry as a settlement line.
    /// - Parameter about: The Charge, Refund, Dispute or Payout behind it, as far as Stripe showed it.
    func line(about object: StripeFields?) throws(ProviderFault) -> SettlementLine {
        let kind: SettlementLine.Kind = kind
        let intent: String? = try object?.optionalReference("payment_intent")
        let charge: String? = try object?.optionalReference("charge")
        let references = SettlementLine.References(own: try Self.own(object), source: source, taken: intent ?? charge)
        let presentment: SettlementLine.Presentment? = try presentment(object)
        do throws(SettlementLine.Fault) {
            return try SettlementLine(
                provider: "stripe", id: id, kind: kind, gross: amount, fee: fee, net: net, references: references,
                presentment: presentment, occurredAt: created, availableAt: availableOn)
        } catch {
            throw .unusable("balance transaction \(id): \(error)")
        }
    }

    /// Stripe's reporting categories (docs.stripe.com/reports/reporting-categories); a movement whose sign is not that of
    /// its category is an adjustment.
    private var kind: SettlementLine.Kind {
        let named: SettlementLine.Kind =
            switch category {
            case "charge": .charge
            case "refund": .refund
            case "dispute", "dispute_reversal": amount.isNegative ? .dispute : .disputeReversal
            case "fee", "network_cost", "tax": .fee
            case "payout": .payout
            case "payout_reversal": .payoutFailure
            default: .adjustment
            }
        return named.allows(amount) ? named : .adjustment
    }

    /// Our id in the object's metadata.
    private static func own(_ object: StripeFields?) throws(ProviderFault) -> String? {
        guard let object, let metadata = try object.optionalFields("metadata") else { return nil }
        return switch try object.text("object") {
        case "charge": try metadata.optionalText(StripeMetadata.attempt)
        case "refund": try metadata.optionalText(StripeMetadata.refund)
        default: nil
        }
    }

    /// What a converted movement was in the currency of the charge, with this movement's sign.
    private func presentment(_ object: StripeFields?) throws(ProviderFault) -> SettlementLine.Presentment? {
        guard let object, exchangeRate != nil else { return nil }
        let name: String = try object.text("object") == "charge" ? "amount_captured" : "amount"
        let shown: Money = try object.money(name)
        guard shown.currency != amount.currency else { return nil }
        do throws(MoneyError) {
            let signed: Money = shown.isNegative == amount.isNegative ? shown : try shown.negated()
            return SettlementLine.Presentment(amount: signed, rate: exchangeRate)
        } catch {
            throw object.unusable(name, "is too large")
        }
    }
}
