import SubscriptionDomain
import Testing

@Suite("Moves between statuses") struct StatusTests {
    /// Every move there is; whatever is not listed must be refused.
    static let table: [String: Set<StatusReason>] = [
        "incomplete > active": [.firstPayment],
        "incomplete > incomplete_expired": [.signupExpired],
        "incomplete > canceled": [.cancelRequested, .invoiceVoided],
        "trialing > active": [.trialConverted],
        "trialing > past_due": [.paymentFailed, .actionRequired],
        "trialing > canceled": [.cancelRequested, .periodEnded, .invoiceVoided],
        "active > past_due": [.paymentFailed, .actionRequired],
        "active > canceled": [.cancelRequested, .periodEnded, .invoiceVoided],
        "past_due > active": [.paymentRecovered],
        "past_due > unpaid": [.retriesExhausted],
        "past_due > canceled": [.dunningExhausted, .cancelRequested, .invoiceVoided],
        "unpaid > active": [.paymentRecovered],
        "unpaid > canceled": [.dunningExhausted, .cancelRequested, .invoiceVoided],
    ]

    @Test("exactly the listed moves exist, each for its reasons only", arguments: SubscriptionStatus.allCases)
    func exhaustive(_ from: SubscriptionStatus) {
        for to in SubscriptionStatus.allCases {
            let expected: Set<StatusReason> = Self.table["\(from.rawValue) > \(to.rawValue)"] ?? []
            for reason in StatusReason.allCases {
                #expect(from.allows(to, because: reason) == expected.contains(reason), "\(from) > \(to): \(reason)")
            }
        }
    }

    @Test("nothing leaves a final status, and every other status can end", arguments: SubscriptionStatus.allCases)
    func finality(_ status: SubscriptionStatus) {
        let next = SubscriptionStatus.allCases.filter { !status.reasons(to: $0).isEmpty }
        #expect(next.isEmpty == status.isFinal)
        if !status.isFinal { #expect(next.contains(.canceled)) }
    }

    @Test("every reason is used by some move") func reasonsAreUsed() {
        let used: Set<StatusReason> = Self.table.values.reduce(into: []) { $0.formUnion($1) }
        #expect(used == Set(StatusReason.allCases))
    }
}
