import BillingCore
package import PaymentChains

/// Confirmations by amount as text: `1000000:1,100000000:3,6`, amounts in base units, the last without one.
package enum ConfirmationTiers {
    /// Reads tiers; `nil` when the text is none. Whether they make sense is for ``WatchPolicy`` to say.
    package static func parse(_ text: String) -> [WatchPolicy.Tier]? {
        var tiers: [WatchPolicy.Tier] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides: [Substring] = part.split(separator: ":", omittingEmptySubsequences: false)
            guard sides.count <= 2, let last = sides.last, let confirmations = UInt64(last) else { return nil }
            guard sides.count == 2 else {
                tiers.append(WatchPolicy.Tier(upTo: nil, confirmations: confirmations))
                continue
            }
            guard let bound = BaseUnits(sides[0]) else { return nil }
            tiers.append(WatchPolicy.Tier(upTo: bound, confirmations: confirmations))
        }
        return tiers
    }

    /// Writes them so that they can be read back.
    package static func text(_ tiers: [WatchPolicy.Tier]) -> String {
        tiers.map { tier in
            (tier.upTo.map { "\($0):" } ?? "") + String(tier.confirmations)
        }.joined(separator: ",")
    }
}

extension BaseUnits {
    /// Digits, or `nil`.
    package init?(_ text: some StringProtocol) {
        do throws(MoneyError) { try self.init(parsing: text) } catch { return nil }
    }
}
