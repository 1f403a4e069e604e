import PaymentAuthentication
import PaymentRecords
import BillingCore
import PaymentContract
package import HTTPKit
import PaymentDomain
import Postgres
import Telemetry

/// Records a payment and waits, as long as the caller wants to, until it is settled.
///
/// Safe to crash anywhere: the order, its idempotency key and its event are one transaction. A repeat of the request finds
/// either nothing, or the payment, whose way on does not depend on this caller.
package struct CreatePayment: Sendable {
    /// How long a caller waits who does not say.
    static let defaultWait: Duration = .seconds(5)

    let record: RecordPayments
    let providers: PaymentProviders
    let waiters: PaymentWaiters
    let pool: PostgresPool

    /// - Returns: 201 with the settled payment, or 202 with its state when the wait is over. Where a provider was asked
    ///   meanwhile, `Server-Timing` says how long it took.
    /// - Throws: ``Problem``.
    package func callAsFunction(_ call: Call, _ input: CreatePaymentInput) async throws -> Reply<PaymentResource> {
        let id = PaymentID.new(at: call.now)
        let order = PaymentOrder(
            id: id, customerID: input.customerID, paymentMethodID: input.paymentMethodID,
            page: try input.page.map { try page($0, of: input, at: call.now) }, amount: input.amount,
            captureMethod: input.captureMethod, description: input.description, metadata: input.metadataJSON,
            returnURL: input.returnURL, acceptance: input.acceptance, offSession: input.offSession,
            claim: call.claim(resourceID: id.rawValue), traceparent: call.trace.traceparent, now: call.now)
        waiters.expect(id, claim: order.claim)
        defer { waiters.forget(id) }
        switch try await recordPatiently(order, deadline: call.deadline) {
        case .replay(let stored): return Reply(replaying: stored)
        case .recorded(let recorded):
            let patience: Duration = call.preferWait ?? Self.defaultWait
            let reply: Reply<PaymentResource>
            if recorded == id, let settled: PaymentRecord = await waiters.wait(id, atMost: patience) {
                reply = PaymentResource(settled).reply
            } else {
                if recorded != id { try await look(for: recorded, atMost: patience) }
                reply = try await answer(recorded, order.claim)
            }
            return waiters.providerTime(id).map { reply.adding(.providerTime($0)) } ?? reply
        }
    }

    /// The page method of a provider that can do what is asked.
    /// - Throws: ``Problem`` that names the field which no provider can serve, or what is missing of who pays.
    private func page(
        _ page: PageMethodInput, of input: CreatePaymentInput, at now: Instant
    ) throws(Problem) -> SingleUseMethod {
        let wish = ProviderCapabilities.Wish(
            type: page.type, currency: input.amount.currency.code, amount: input.amount.minor,
            country: page.payer?.payer.country, separateCapture: input.captureMethod == .manual, onPage: true)
        guard let provider: any PaymentProvider = providers.first(that: wish) else {
            throw ProviderCapabilities.Obstacle.problem(providers.obstacle(to: wish))
        }
        let method: ProviderCapabilities.Method? = provider.capabilities.method(page.type)
        try ChargePayer.require(method?.payer ?? [], of: page.payer?.payer, at: "payer")
        return SingleUseMethod(
            id: PaymentMethodID.new(at: now), customerID: input.customerID, type: page.type, provider: provider.name,
            returnURL: page.returnURL, payer: page.payer?.payer)
    }

    /// Asks again while the customer is unknown and the news may still come.
    private func recordPatiently(
        _ order: PaymentOrder, deadline: ContinuousClock.Instant
    ) async throws -> RecordedOrder {
        do {
            return try await News.patiently(News.patience, until: { ($0 as? RecordPayments.Failure)?.mayPass ?? false })
            {
                try await record(order, deadline: deadline)
            }
        } catch let failure as RecordPayments.Failure {
            // Who pays on a page need not be the customer: the request can say.
            if order.page != nil, case .unsupported(let obstacle) = failure {
                throw ProviderCapabilities.Obstacle.problem(obstacle)
            }
            throw failure.problem
        }
    }

    /// Looks now and then whether a payment recorded by an earlier request has settled.
    private func look(for id: PaymentID, atMost: Duration) async throws {
        let end: ContinuousClock.Instant = .now + atMost
        while ContinuousClock.now < end, !waiters.isStopping {
            let answered: [PaymentID] = try await pool.transaction(readOnly: true) { db in
                try PaymentStore.answered([id], in: db)
            }
            if !answered.isEmpty { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// The answer as the payment stands; stored for repeats when nobody has stored one.
    private func answer(_ id: PaymentID, _ claim: IdempotencyClaim?) async throws -> Reply<PaymentResource> {
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else {
                throw Problem.notFound("payment", id.rawValue)
            }
            let reply = PaymentResource(payment).reply
            if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
            return reply
        }
    }
}

extension HeaderField {
    /// `Server-Timing` (W3C): how long providers took of the time that the answer took, in milliseconds.
    fileprivate static func providerTime(_ duration: Duration) -> HeaderField {
        let (seconds, attoseconds) = duration.components
        let microseconds: Int64 = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let rest: Substring = "\(microseconds % 1_000 + 1_000)".dropFirst()
        return HeaderField("Server-Timing", "provider;dur=\(microseconds / 1_000).\(rest)")
    }
}

extension ProviderCapabilities.Obstacle {
    /// What is said of it to the caller.
    var sentence: String {
        switch self {
        case .method: "is not a method that can be used here"
        case .currency: "cannot be charged with this method"
        case .amount: "is less or more than the method takes"
        case .country: "is not a country that the method is for"
        case .separateCapture: "cannot be manual with this method"
        case .offSession: "must be false: the method cannot be charged without the customer"
        }
    }

    static func problem(_ obstacle: Self) -> Problem {
        .invalid(obstacle.field, code: obstacle.rawValue, obstacle.sentence)
    }
}

extension RecordPayments.Failure: ProblemConvertible {
    var problem: Problem {
        switch self {
        case .unknownCustomer: .invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        case .noPaymentMethod:
            .invalid("payment_method_id", code: "no_payment_method", "the customer has no default payment method")
        case .unknownPaymentMethod:
            .invalid("payment_method_id", code: "unknown_payment_method", "the customer has no such payment method")
        // The country is the customer's own: no field of the request has it.
        case .unsupported(.country):
            .invalid(
                "payment_method_id", code: ProviderCapabilities.Obstacle.country.rawValue,
                "is not for customers of this country")
        case .unsupported(let obstacle): .invalid(obstacle.field, code: obstacle.rawValue, obstacle.sentence)
        case .noLaterCharges:
            .invalid("acceptance", code: "unsupported_method", "goes with a method that is charged again without them")
        case .wallet(.used):
            .invalid("payment_method_id", code: "wallet_used", "a wallet's card pays one payment, and has done so")
        case .wallet(.stale): .invalid("payment_method_id", code: "wallet_stale", "the wallet's token is too old")
        case .wallet(.amount): .invalid("amount", code: "wallet_amount", "is not what the customer agreed to")
        }
    }
}
