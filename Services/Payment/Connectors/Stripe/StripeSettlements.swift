package import BillingCore
import JSON
package import PaymentContract
package import PaymentDomain

/// Balance transactions as settlement lines, with what they are about, so that our own ids are at hand.
extension StripeAdapter: ProviderSettlements {
    /// How many lines a page has, where what they are about is not too long.
    static let settlementPage = 100

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
        form.add("starting_after", window.page)
        form.add("expand", .list([.text("data.source")]))
        let read: (fields: StripeFields?, limit: Int) = try await client.list(
            "/v1/balance_transactions", form, most: Self.settlementPage)
        guard let page: StripeFields = read.fields else {
            throw .rejected(code: "resource_missing")
        }
        var lines: [SettlementLine] = []
        var last: String?
        for fields in try page.list("data") {
            let entry = try StripeBalanceEntry(fields)
            last = entry.id
            // It is part of its charge's line, wherever in the list that is.
            guard entry.category != StripeBalanceEntry.partialCaptureReversal else { continue }
            let object: StripeFields? = try fields.optionalFields("source")
            let rest: StripeBalanceEntry? = try await reversal(of: entry, object)
            let whole: StripeBalanceEntry = if let rest { try entry.joined(with: rest) } else { entry }
            lines.append(try whole.line(about: object))
        }
        return ProviderSettlementPage(lines: lines, next: try page.flag("has_more") ? last : nil)
    }

    /// What takes back the rest of a charge's movement that is over the whole authorization, though a part was
    /// captured. With API versions before `basil` Stripe made both movements with the capture
    /// (docs.stripe.com/reports/reporting-categories), and a refund for the second; since then there is one, over what
    /// was captured (docs.stripe.com/changelog/basil/2025-03-31).
    /// - Returns: `nil` where all was captured, and where the movement is over the captured part alone. That is seen by the
    ///   amounts where nothing was converted; otherwise the refunds are read.
    private func reversal(
        of entry: StripeBalanceEntry, _ object: StripeFields?
    ) async throws(ProviderFault) -> StripeBalanceEntry? {
        guard entry.category == "charge", let object, try object.text("object") == "charge",
            let whole: Int64 = try object.optionalInteger("amount"),
            let captured: Int64 = try object.optionalInteger("amount_captured"), captured > 0, captured < whole
        else { return nil }
        let part: Money = try object.money("amount_captured")
        guard entry.amount.currency != part.currency || entry.amount.minor > part.minor else { return nil }
        let refund: StripeFields? = try await firstRefund(
            of: try object.id(of: "charge"), expanding: "data.balance_transaction"
        ) { (refund: StripeFields) throws(ProviderFault) -> Bool in
            let movement: StripeFields? = try refund.optionalFields("balance_transaction")
            return try movement?.text("reporting_category") == StripeBalanceEntry.partialCaptureReversal
        }
        guard let refund, let movement = try refund.optionalFields("balance_transaction") else { return nil }
        let rest = try StripeBalanceEntry(movement)
        guard rest.amount.isNegative else { throw movement.unusable("amount", "is not negative") }
        // By what was taken back of how much, since the movements may be in another currency than the charge.
        let told: Int128 = Int128(entry.amount.minor) * Int128(try refund.integer("amount"))
        let back: Int128 = -Int128(rest.amount.minor)
        return told > back * Int128(captured) + back * Int128(whole - captured) / 2 ? rest : nil
    }
}

extension StripeBalanceEntry {
    /// The category of what a capture left of its authorization.
    static let partialCaptureReversal = "partial_capture_reversal"

    /// The entry and another one as one, under the name of the first.
    func joined(with rest: StripeBalanceEntry) throws(ProviderFault) -> StripeBalanceEntry {
        do throws(MoneyError) {
            return StripeBalanceEntry(
                id: id, type: type, category: category, source: source, amount: try amount.adding(rest.amount),
                fee: try fee.adding(rest.fee), net: try net.adding(rest.net), exchangeRate: exchangeRate,
                created: created, availableOn: availableOn, isAvailable: isAvailable)
        } catch {
            throw .unusable("balance transaction \(rest.id) does not add up with \(id)")
        }
    }

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
        var name = "amount"
        if category == "charge", try object.text("object") == "charge",
            try object.optionalInteger("amount_captured") ?? 0 > 0
        {
            name = "amount_captured"
        }
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
