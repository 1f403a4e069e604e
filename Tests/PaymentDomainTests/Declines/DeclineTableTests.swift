import PaymentDomain
import Testing

@Suite("The table of declines") struct DeclineTableTests {
    @Test("every code stands once, every row has words") func rows() {
        let codes: [String] = DeclineReason.all.map(\.code)
        #expect(Set(codes).count == codes.count)
        for row in DeclineReason.all {
            #expect(Decline(code: row.code).reason == row)
            #expect(row.advice.hasSuffix(".") && row.message.hasSuffix("."), "\(row.code)")
        }
    }

    @Test("hard and fraud declines are never tried again, soft ones may be, action waits for somebody") func retry() {
        for row in DeclineReason.all {
            switch row.declineClass {
            case .hard, .fraud: #expect(row.retry == .never, "\(row.code)")
            case .action: #expect(row.retry == .onceCorrected, "\(row.code)")
            case .soft, .unknown: #expect(row.retry != .never, "\(row.code)")
            }
        }
    }

    @Test("what the customer can do away with asks the customer to act, and names no data that are wrong") func lifted()
    {
        let lifted: [DeclineReason] = DeclineReason.all.filter { Decline(code: $0.code).canBeLifted }
        #expect(
            lifted.map(\.code).sorted() == [
                "action_expired", "approval_needed", "blocked_by_cardholder", "call_issuer", "card_not_activated",
                "customer_declined", "pin_try_exceeded",
            ])
        #expect(lifted.allSatisfy { $0.declineClass == .action })
    }

    @Test("every class has a row, and the payer of a stolen card learns nothing") func classes() {
        #expect(Set(DeclineReason.all.map(\.declineClass)) == Set(Decline.Class.allCases))
        let told: Set<String> = Set(DeclineReason.all.map { Decline(code: $0.code).declineClass.rawValue })
        #expect(told == ["hard", "soft", "fraud", "action"], "other services know these four words")
        for code in ["lost_card", "stolen_card", "pickup_card", "fraudulent", "security_violation", "unknown"] {
            #expect(Decline(code: code).message == "The charge was declined.")
        }
    }

    @Test("an unknown code has its class, and dunning takes it as soft", arguments: ["unknown", "", "x", "51"])
    func unknown(code: String) {
        #expect(Decline(code: code).reason.declineClass == .unknown)
        #expect(Decline(code: code).declineClass == .soft)
        #expect(Decline.Class.allCases.map(\.forDunning) == [.hard, .soft, .fraud, .action, .soft])
    }

    @Test("the stricter of two rules is never, then once corrected, then the longer wait") func stricter() {
        let rules: [RetryRule] = [
            .after(.seconds(1)), .after(.seconds(2)), .onceCorrected, .never,
        ]
        for (index, rule) in rules.enumerated() {
            for (otherIndex, other) in rules.enumerated() {
                #expect(rule.stricter(other) == rules[max(index, otherIndex)])
            }
        }
    }

    @Test("no code is both read and said to tell nothing") func silent() {
        #expect(StripeDeclines.silent.isDisjoint(with: StripeDeclines.codes.keys))
        #expect(PayPalDeclines.silent.isDisjoint(with: PayPalDeclines.processorCodes.keys))
    }

    @Test("every mapping leads to a row") func targets() {
        let maps: [[String: String]] = [
            NetworkDeclines.codes, StripeDeclines.codes, PayPalDeclines.processorCodes, PayPalDeclines.issues,
            PayPalDeclines.reasons, PayPalDeclines.statuses, PayPalDeclines.visaAdvice,
        ]
        for (code, target) in maps.flatMap({ $0 }) {
            #expect(DeclineReason.table[target] != nil, "\(code) leads to \(target)")
            #expect(target != "unknown", "\(code)")
        }
    }
}
