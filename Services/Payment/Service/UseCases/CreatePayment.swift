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
    /// How long a caller waits: five seconds who does not say, and none longer than any request may take, or than the
    /// answer is of use to them.
    static let waits = WaitLimits(usual: .seconds(5), longest: .seconds(120))

    let record: RecordPayments
    let providers: PaymentProviders
    let waiters: PaymentWaiters
    let pool: PostgresPool

    /// - Returns: 201 with the settled payment, or 202 with its state when the wait is over. Where a provider was asked
    ///   meanwhile, `Server-Timing` says how long it took.
    /// - Throws: ``Problem``.
    package func callAsFunction(_ call: Call, _ input: CreatePaymentInput) async throws -> Reply<PaymentResource> {
        let id = PaymentID.new(at: call.now)
        let once: SingleUseMethod?
        do {
            once =
                if let wanted: PageMethodInput = input.page { try await page(wanted, of: input, at: call.now) } else {
                    nil
                }
        } catch let problem as Problem {
            return try await repeated(call, otherwise: problem)
        }
        let order = PaymentOrder(
            id: id, customerID: input.customerID, paymentMethodID: input.paymentMethodID, page: once,
            amount: input.amount,
            captureMethod: input.captureMethod, description: input.description, metadata: input.metadataJSON,
            returnURL: input.returnURL, acceptance: input.acceptance, offSession: input.offSession,
            claim: call.claim(resourceID: id.rawValue), traceparent: call.trace.traceparent, now: call.now)
        waiters.expect(id, claim: order.claim)
        defer { waiters.forget(id) }
        switch try await recordPatiently(order, deadline: call.deadline) {
        case .replay(let stored): return Reply(replaying: stored)
        case .recorded(let recorded):
            // Half a second is left for storing the answer.
            let untilDeadline: Duration = ContinuousClock.now.duration(to: call.deadline) - .milliseconds(500)
            let patience: Duration = min(Self.waits.wait(call.preferWait), max(untilDeadline, .zero))
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

    /// The answer to a request that was taken before: what it got stands, whatever can be paid with by now.
    /// - Throws: ``Problem``: `problem`, where its key is new; nothing is stored under it then.
    private func repeated(_ call: Call, otherwise problem: Problem) async throws -> Reply<PaymentResource> {
        guard let claim: IdempotencyClaim = call.claim() else { throw problem }
        let result: ClaimResult = try await pool.transactionRetrying { db in
            let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
            guard result != .fresh else { throw problem }
            return result
        }
        switch result {
        case .replay(let stored): return Reply(replaying: stored)
        case .open(resourceID: let recorded?): return try await answer(PaymentID(unchecked: recorded), claim)
        default: throw result.problem ?? Problem.idempotencyTwin
        }
    }

    /// The page method of a provider that can do what is asked.
    /// - Throws: ``Problem`` that names the field which no provider can serve, or what is missing of who pays.
    private func page(
        _ page: PageMethodInput, of input: CreatePaymentInput, at now: Instant
    ) async throws -> SingleUseMethod {
        let payer: ChargePayer? = try await payer(of: page, in: input)
        let wish: ProviderCapabilities.Wish = Self.wish(page, of: input, from: payer?.country)
        guard let provider: any PaymentProvider = providers.first(that: wish) else {
            throw ProviderCapabilities.Obstacle.problem(providers.obstacle(to: wish))
        }
        let method: ProviderCapabilities.Method? = provider.capabilities.method(page.type)
        try ChargePayer.require(method?.payer ?? [], of: payer, at: "payer")
        return SingleUseMethod(
            id: PaymentMethodID.new(at: now), customerID: input.customerID, type: page.type, provider: provider.name,
            returnURL: page.returnURL, payer: payer)
    }

    private static func wish(
        _ page: PageMethodInput, of input: CreatePaymentInput, from country: String?
    ) -> ProviderCapabilities.Wish {
        ProviderCapabilities.Wish(
            type: page.type, currency: input.amount.currency.code, amount: input.amount.minor, country: country,
            separateCapture: input.captureMethod == .manual, onPage: true)
    }

    /// Who pays. Where the request does not say, and the method has to be told the country, it is the customer's, if that is
    /// known.
    /// - Throws: ``Problem`` for a customer that is not known.
    private func payer(of page: PageMethodInput, in input: CreatePaymentInput) async throws -> ChargePayer? {
        if let payer: ChargePayer = page.payer?.payer { return payer }
        let provider: (any PaymentProvider)? = providers.first(that: Self.wish(page, of: input, from: nil))
        guard provider?.capabilities.method(page.type)?.payer.contains(.country) == true else { return nil }
        do {
            let known: String? = try await News.patiently(
                News.patience, until: { $0 as? RecordPayments.Failure == .unknownCustomer }
            ) {
                try await country(of: input.customerID)
            }
            return known.map { ChargePayer(country: $0) }
        } catch let failure as RecordPayments.Failure { throw failure.problem }
    }

    private func country(of customer: CustomerID) async throws -> String? {
        let found: String?? = try await pool.transaction(readOnly: true) { db in
            try db.first("SELECT country FROM customers WHERE id = \(customer)") { row in try row.next() as String? }
        }
        guard let found else { throw RecordPayments.Failure.unknownCustomer }
        return found
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
            let retries: [PaymentID: Instant] = try AttemptStore.retryTimes(of: [payment], in: db)
            let reply = PaymentResource(payment.with(retryAt: retries[id])).reply
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
