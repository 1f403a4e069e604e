import AnalyticsDomain
import BillingCore
import TestKit
import Testing

@Suite("A payment told by its events") struct PaymentStateTests {
    private let id = PaymentID(unchecked: "pay_a")

    private func state(
        _ status: PaymentState.Status, _ attempt: Int64?, at seconds: Int64, of id: PaymentID? = nil
    ) throws -> PaymentState {
        try #require(
            PaymentState(
                paymentID: id ?? self.id, customerID: CustomerID(unchecked: "cus_a"),
                amount: Money(minor: 999, currency: .usd), status: status, attempt: attempt,
                at: Instant(seconds: seconds)))
    }

    private func fold(_ states: [PaymentState]) throws -> PaymentState {
        let folded: [PaymentState] = PaymentState.fold(states)
        #expect(folded.count == 1)
        return try #require(folded.first)
    }

    @Test("success at the first attempt") func first() throws {
        let payment = try fold([try state(.created, 1, at: 1), try state(.succeeded, 1, at: 2)])
        #expect(payment.status == .succeeded)
        #expect(payment.firstAttempt == .succeeded)
        #expect(payment.attempts == 1)
        #expect(payment.succeededAt == Instant(seconds: 2))
    }

    @Test("recovery at the third attempt is a failure at first and a success at last") func recovery() throws {
        let payment = try fold([
            try state(.created, 1, at: 1), try state(.failed, 1, at: 2), try state(.created, 2, at: 3),
            try state(.failed, 2, at: 4), try state(.created, 3, at: 5), try state(.succeeded, 3, at: 6),
        ])
        #expect(payment.status == .succeeded)
        #expect(payment.firstAttempt == .failed)
        #expect(payment.attempts == 3)
        #expect(payment.firstOutcomeAt == Instant(seconds: 2))
        #expect(payment.succeededAt == Instant(seconds: 6))
    }

    @Test("a payment waiting for the customer has no outcome yet") func waiting() throws {
        let payment = try fold([try state(.created, 1, at: 1), try state(.requiresAction, 1, at: 2)])
        #expect(payment.status == .requiresAction)
        #expect(payment.firstAttempt == nil)
        #expect(payment.firstOutcomeAt == nil)
    }

    @Test("giving up keeps the first failure") func canceled() throws {
        let payment = try fold([try state(.failed, 1, at: 2), try state(.canceled, nil, at: 9)])
        #expect(payment.status == .canceled)
        #expect(payment.firstAttempt == .failed)
        #expect(payment.succeededAt == nil)
    }

    @Test("the order of arrival does not matter") func permutations() throws {
        var random = Seeded()
        for round in 0..<300 {
            var states: [PaymentState] = []
            let attempts = Int64.random(in: 1...4, using: &random)
            for attempt in 1...attempts {
                states.append(try state(.created, attempt, at: attempt * 10))
                if Bool.random(using: &random) {
                    states.append(try state(.requiresAction, attempt, at: attempt * 10 + 1))
                }
                if attempt < attempts { states.append(try state(.failed, attempt, at: attempt * 10 + 2)) }
            }
            switch round % 3 {
            case 0: states.append(try state(.succeeded, attempts, at: attempts * 10 + 2))
            case 1: states.append(try state(.canceled, nil, at: attempts * 10 + 3))
            default: break
            }
            let inOrder = try fold(states)
            for _ in 0..<5 {
                let shuffled: [PaymentState] = states.shuffled(using: &random)
                #expect(try fold(shuffled) == inOrder, "seed \(random.seed)")
                let cut = Int.random(in: 0...shuffled.count, using: &random)
                let halves: [PaymentState] =
                    PaymentState.fold(Array(shuffled[..<cut])) + PaymentState.fold(Array(shuffled[cut...]))
                #expect(try fold(halves) == inOrder, "seed \(random.seed): in two batches")
            }
        }
    }

    @Test("payments are kept apart, in the order they appear") func apart() throws {
        let other = PaymentID(unchecked: "pay_b")
        let folded = PaymentState.fold([
            try state(.created, 1, at: 1), try state(.succeeded, 1, at: 2, of: other), try state(.failed, 1, at: 3),
        ])
        #expect(folded.map(\.paymentID) == [id, other])
        #expect(folded.map(\.status) == [.failed, .succeeded])
    }

    @Test("attempts that cannot be are refused", arguments: [0, -1, PaymentState.maxAttempt + 1, Int64.max] as [Int64])
    func range(attempt: Int64) {
        let state: PaymentState? = PaymentState(
            paymentID: id, customerID: CustomerID(unchecked: "cus_a"), amount: Money(minor: 1, currency: .usd),
            status: .failed, attempt: attempt, at: Instant(seconds: 0))
        #expect(state == nil)
    }

    @Test("only a cancellation has no attempt", arguments: PaymentState.Status.allCases)
    func attemptless(status: PaymentState.Status) {
        let state: PaymentState? = PaymentState(
            paymentID: id, customerID: CustomerID(unchecked: "cus_a"), amount: Money(minor: 1, currency: .usd),
            status: status, attempt: nil, at: Instant(seconds: 0))
        #expect((state != nil) == (status == .canceled))
    }
}

@Suite("An invoice told by its events") struct InvoiceStateTests {
    private func state(_ status: InvoiceState.Status, number: String? = nil, at seconds: Int64) -> InvoiceState {
        InvoiceState(
            invoiceID: InvoiceID(unchecked: "inv_a"), customerID: CustomerID(unchecked: "cus_a"),
            subscriptionID: SubscriptionID(unchecked: "sub_a"), amount: Money(minor: 999, currency: .usd),
            status: status,
            number: number, at: Instant(seconds: seconds))
    }

    @Test(
        "is finalized, then paid or void, in whatever order it is heard", arguments: [InvoiceState.Status.paid, .void])
    func order(last: InvoiceState.Status) {
        let issued = state(.finalized, number: "INV-000001", at: 1)
        let ended = state(last, at: 2)
        let forward: [InvoiceState] = InvoiceState.fold([issued, ended])
        #expect(forward == InvoiceState.fold([ended, issued]))
        #expect(forward.map(\.status) == [last])
        #expect(forward.map(\.number) == ["INV-000001"])
        #expect(forward.map(\.issuedAt) == [Instant(seconds: 1)])
        #expect(forward.map(\.paidAt) == [last == .paid ? Instant(seconds: 2) : nil])
    }
}
