package import BillingCore
import JSON
package import PaymentContract
package import PaymentDomain

/// Transaction Search v1 (developer.paypal.com/docs/api/transaction-search/v1) as settlement lines.
extension PayPalAdapter: ProviderSettlements {
    /// Any span, since it is read slice by slice.
    package var longestSettlementSpan: Duration { .seconds(31 * 86_400) }

    /// A transaction can take three hours to be listed.
    package func settlementHorizon(at now: Instant) -> Instant { now - .seconds(3 * 3_600) }

    /// A charge's transaction is its capture.
    package func chargeName(source: String?, taken: String?) -> String? {
        source.flatMap { PayPalWire.isID($0) ? PayPalNamed.capture($0).text : nil }
    }

    package func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        let slice = PayPalSlice(of: window)
        let query =
            "start_date=\(Instant(seconds: slice.from).rfc3339)&end_date=\(Instant(seconds: slice.to).rfc3339)"
            + "&fields=transaction_info&balance_affecting_records_only=Y&page_size=500&page=\(slice.page)"
        let page: JSONValue
        switch try await client.send(.get("/v1/reporting/transactions?\(query)")) {
        case .done(let json): page = try json.required()
        case .refused(let refusal):
            guard refusal.code == "RESULTSET_TOO_LARGE", let shorter: String = slice.halved else {
                throw .unusable("not readable: \(refusal.code)")
            }
            return ProviderSettlementPage(lines: [], next: shorter)
        }
        guard let details = page["transaction_details"]?.arrayValue, let pages = page["total_pages"]?.intValue else {
            throw .unusable("transactions.transaction_details")
        }
        var lines: [SettlementLine] = []
        for detail in details {
            guard let info: JSONValue = detail["transaction_info"] else { throw .unusable("transaction_info") }
            if let line = try PayPalTransaction(info).line { lines.append(line) }
        }
        return ProviderSettlementPage(lines: lines, next: slice.next(of: pages))
    }
}

/// The part of a window that is read at once. PayPal refuses spans of more than 31 days, and lists that are too long
/// (`RESULTSET_TOO_LARGE`, developer.paypal.com/api/transaction-search/v1/errors/resultset_too_large): such a part is read
/// again at half its length, and so is the rest of the window.
///
/// A transaction stays listed under the moment at which it began, also when it is completed weeks later: an electronic
/// check, a payment under review, one that has to be accepted. So each window begins earlier than it says: by some
/// days, and by a month where it holds a midnight, which one window of a day does.
struct PayPalSlice: Equatable {
    /// Of one request.
    static let longest: Int64 = 7 * 86_400
    /// No part is halved to less.
    static let shortest: Int64 = 60
    static let shortLookBack: Int64 = 6 * 86_400
    /// What nobody has accepted after thirty days goes back to its payer.
    static let longLookBack: Int64 = 30 * 86_400

    /// In seconds, as the others.
    let from: Int64
    let to: Int64
    /// Counted from 1.
    let page: Int64
    /// Of this slice and those that follow, but for the window's last.
    private let length: Int64
    private let end: Int64

    /// The slice that a window's page names (`from.length.page`; earlier releases left out the length); its first where it
    /// names none.
    init(of window: SettlementWindow) {
        let holdsMidnight: Bool = window.from.seconds / 86_400 != window.to.seconds / 86_400
        let first: Int64 = window.from.seconds - (holdsMidnight ? Self.longLookBack : Self.shortLookBack)
        let place: [Int64] = (window.page ?? "").split(separator: ".").compactMap { Int64($0) }
        let isNamed: Bool = (2...3).contains(place.count)
        from = isNamed ? place[0] : first
        length = place.count == 3 ? place[1] : Self.longest
        page = isNamed ? place[place.count - 1] : 1
        end = window.to.seconds
        to = min(from + length, end)
    }

    /// The name of the page that follows, in this slice or the next; `nil` at the window's end.
    /// - Parameter pages: How many this slice has.
    func next(of pages: Int64) -> String? {
        if page < pages { return "\(from).\(length).\(page + 1)" }
        return to < end ? "\(to).\(length).1" : nil
    }

    /// The name of this slice's first half; `nil` where that would be too short.
    var halved: String? {
        let half: Int64 = (to - from) / 2
        return half < Self.shortest ? nil : "\(from).\(half).1"
    }
}

/// One transaction of a PayPal account.
struct PayPalTransaction {
    /// The settlement line; `nil` for one that has not moved money: pending or denied.
    let line: SettlementLine?

    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "transaction_info")
        let status: String = try fields.text("transaction_status")
        // A payment that was refunded in part (F) or reversed (V) has moved all the same: what went back is listed for itself.
        guard ["S", "V", "F"].contains(status) else {
            guard ["P", "D"].contains(status) else { throw .unusable("transaction_info.transaction_status") }
            line = nil
            return
        }
        let id: String = try fields.text("transaction_id")
        guard PayPalWire.isCode(id) else { throw .unusable("transaction_info.transaction_id") }
        let gross: Money = try fields.money("transaction_amount")
        // PayPal writes a fee that it keeps with a minus.
        let kept: Money = json["fee_amount"] == nil ? .zero(gross.currency) : try fields.money("fee_amount")
        let kind = Self.kind(of: try fields.text("transaction_event_code"), gross)
        let occurredAt: Instant = try Self.time(try fields.text("transaction_initiation_date"))
        do {
            line = try SettlementLine(
                provider: "paypal", id: id, kind: kind, gross: gross, fee: kept.negated(), net: gross.adding(kept),
                references: Self.references(id, kind, json), occurredAt: occurredAt)
        } catch {
            throw .unusable("transaction_info.fee_amount")
        }
    }

    /// By the transaction event codes (developer.paypal.com/docs/transaction-search/transaction-event-codes); a movement
    /// whose sign is not that of its code is an adjustment.
    static func kind(of code: String, _ gross: Money) -> SettlementLine.Kind {
        let named: SettlementLine.Kind =
            switch code {
            case "T1107": .refund
            case "T1108", "T1109": .fee
            // Reversed payments, chargebacks, and what is held or given back while PayPal looks into a dispute.
            case "T1106", "T1110", "T1111", "T1201", "T1202", "T1205", "T1207", "T1208":
                gross.isNegative ? .dispute : .disputeReversal
            case "T1101": .payoutFailure
            default:
                switch code.prefix(3) {
                case "T00": .charge
                case "T01": .fee
                case "T04": .payout
                default: .adjustment
                }
            }
        return named.allows(gross) ? named : .adjustment
    }

    /// `invoice_id` is our attempt, capture or refund; of a dispute it is that of the payment it is about.
    private static func references(
        _ id: String, _ kind: SettlementLine.Kind, _ json: JSONValue
    ) -> SettlementLine.References {
        let isOurs: Bool = kind == .charge || kind == .refund
        let names: Bool = json["paypal_reference_id_type"]?.stringValue == "TXN"
        let named: String? = names ? json["paypal_reference_id"]?.stringValue : nil
        // A withdrawal that came back is known by the one it undoes: whether that had arrived is found under its name.
        guard kind != .payoutFailure else { return SettlementLine.References(source: named ?? id) }
        return SettlementLine.References(
            own: isOurs ? json["invoice_id"]?.stringValue : nil, source: id, taken: named)
    }

    /// RFC 3339, but with an offset that may lack its colon: `2014-07-11T04:03:52+0000`.
    private static func time(_ text: String) throws(ProviderFault) -> Instant {
        let offset: Substring = text.suffix(5)
        let lacksColon: Bool = offset.first == "+" || offset.first == "-"
        let mended: String = lacksColon ? "\(text.dropLast(2)):\(text.suffix(2))" : text
        guard let instant = Instant(rfc3339: mended) else {
            throw .unusable("transaction_info.transaction_initiation_date")
        }
        return instant
    }
}
