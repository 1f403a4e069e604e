import PaymentAuthentication
import PaymentRecords
import BillingCore
import PaymentContract
import BillingEvents
import HTTPKit
import Messaging
import PaymentDomain
import Postgres

/// A payment asked for over HTTP.
struct PaymentOrder: Sendable {
    /// What is asked for.
    enum Step: Sendable, Equatable {
        /// A payment is recorded and charged.
        case charge
        /// A payment is recorded, and can be confirmed until then.
        case record(until: Instant)
        /// A recorded payment is charged: one that waits for its confirmation, or, where a method is named, another attempt at
        /// one that has failed.
        case confirm(byName: Bool)
    }

    let id: PaymentID
    let customerID: CustomerID
    let paymentMethodID: PaymentMethodID?
    /// A method that is used once, in the place of a stored one.
    let page: SingleUseMethod?
    let amount: Money
    let captureMethod: CaptureMethod
    let description: String?
    let metadata: String
    /// Where the customer comes back to from an authentication.
    var returnURL: String?
    /// How the customer agreed to later charges of the method without them; `nil` where they did not.
    var acceptance: AcceptanceInput?
    /// Whether nobody is there to authenticate.
    var offSession: Bool = false
    var step: Step = .charge
    let claim: IdempotencyClaim?
    /// The request's trace, which the payment's events continue.
    let traceparent: String?
    let now: Instant

    /// Until when the payment can be confirmed that is only recorded.
    fileprivate var confirmBy: Instant? {
        if case .record(let until) = step { until } else { nil }
    }

    /// Whether it begins an attempt.
    fileprivate var isCharged: Bool { confirmBy == nil }

    /// Whether its payment was recorded before.
    var isConfirmation: Bool {
        if case .confirm = step { true } else { false }
    }

    /// Whether it needs no method yet.
    fileprivate var isOpen: Bool { !isCharged && paymentMethodID == nil }
}

/// Records payments before anything happens to them: intent, idempotency key and event in one transaction, many orders
/// at a time.
struct RecordPayments: Sendable {
    enum Failure: Error, Equatable {
        case unknownCustomer, noPaymentMethod, unknownPaymentMethod
        /// The method's provider cannot do what is asked.
        case unsupported(ProviderCapabilities.Obstacle)
        /// The method is used once, or never without the customer: there are no later charges to agree to.
        case noLaterCharges
        /// The wallet's card cannot pay this.
        case wallet(WalletStore.Obstacle)
        /// The payment cannot be confirmed.
        case unconfirmable(ContinuePayment.Failure)

        /// Whether news that is on its way may take the reason away.
        var mayPass: Bool {
            switch self {
            case .noLaterCharges, .wallet, .unconfirmable: false
            case .unknownCustomer, .noPaymentMethod, .unknownPaymentMethod, .unsupported: true
            }
        }
    }

    /// Payments that keep coming faster than this travel together, from here to the answer: a pass through five services
    /// costs the same for one payment as for ten. One that comes alone does not wait, and neither do a few.
    private static let interval: Duration = .milliseconds(22)
    private static let burst: Int = 8

    private let group: GroupCommit<PaymentOrder, ProviderIntent<PaymentID>>

    init(pool: PostgresPool, providers: PaymentProviders) {
        group = GroupCommit(pool, maxBatch: 100, interval: Self.interval, burst: Self.burst) { db, orders in
            try Self.record(orders, providers, in: db)
        }
    }

    /// Records one order; it shares a transaction with what else is waiting.
    /// - Throws: ``Failure`` when it refers to what is not there, ``Problem`` when its key is taken.
    func callAsFunction(
        _ order: PaymentOrder, deadline: ContinuousClock.Instant
    ) async throws -> ProviderIntent<PaymentID> {
        try await group.submit(order, deadline: deadline)
    }

    /// Records one order, asking again while its customer or method is unknown and the news may still come.
    /// - Throws: ``Problem``.
    func patiently(
        _ order: PaymentOrder, deadline: ContinuousClock.Instant
    ) async throws -> ProviderIntent<PaymentID> {
        do {
            return try await News.patiently(News.patience, until: { ($0 as? RecordPayments.Failure)?.mayPass ?? false })
            {
                try await self(order, deadline: deadline)
            }
        } catch let failure as RecordPayments.Failure {
            // Who pays on a page need not be the customer: the request can say.
            if order.page != nil, case .unsupported(let obstacle) = failure {
                throw ProviderCapabilities.Obstacle.problem(obstacle)
            }
            throw failure.problem
        }
    }

    private static func record(
        _ orders: [PaymentOrder], _ providers: PaymentProviders, in db: borrowing PostgresTransaction
    ) throws -> [Result<ProviderIntent<PaymentID>, any Error>] {
        let claimants: [Int] = orders.indices.filter { orders[$0].claim != nil }
        let (stored, claims): ([ResolvedMethod], [ClaimResult]) = try IdempotencyStore.claim(
            claimants.compactMap { orders[$0].claim },
            after: PaymentMethodStore.resolution(
                of: orders.map { ($0.customerID, $0.paymentMethodID) }, wallets: true),
            ResolvedMethod.init(row:), in: db)
        let resolved: [ResolvedMethod] = zip(orders, stored).map { order, method in
            guard order.page != nil || order.isOpen else { return method }
            return ResolvedMethod(customerIsKnown: method.customerIsKnown, method: order.page?.chargeable)
        }
        var results: [Result<ProviderIntent<PaymentID>, any Error>?] = orders.map { _ in nil }
        for (index, claim) in zip(claimants, claims) { results[index] = settled(claim) }
        let countries: [CustomerID: String] = try countries(zip(orders, resolved), providers, in: db)
        var confirmed = try ConfirmedPayments(locking: orders, in: db)
        var refused: [IdempotencyClaim] = []
        for index in orders.indices where results[index] == nil {
            let isLocal: Bool = goesByCountry(orders[index], resolved[index], providers)
            let country: String? =
                orders[index].page?.payer?.country ?? (isLocal ? countries[orders[index].customerID] : nil)
            guard
                let failure: Failure = try confirmed.obstacle(to: orders[index], in: db).map(Failure.unconfirmable)
                    ?? refusal(orders[index], resolved[index], from: country, providers, in: db)
            else {
                confirmed.take(orders[index].id)
                continue
            }
            results[index] = .failure(failure)
            if let claim: IdempotencyClaim = orders[index].claim { refused.append(claim) }
        }
        try IdempotencyStore.release(refused, in: db)
        let fresh: [Int] = orders.indices.filter { results[$0] == nil }
        try agree(fresh.map { (orders[$0], resolved[$0]) }, in: db)
        try insert(fresh.filter { !orders[$0].isConfirmation }.map { (orders[$0], resolved[$0]) }, in: db)
        for index in fresh where orders[index].isConfirmation {
            try confirmed.begin(orders[index], resolved[index], in: db)
        }
        for index in fresh { results[index] = .success(.stored(orders[index].id)) }
        return results.map { $0 ?? .failure(Problem.unavailable()) }
    }

    /// The countries of customers, as far as they are known, whose methods go by it; of others it is not asked. A page that
    /// says where who pays is from goes by that.
    private static func countries(
        _ orders: some Sequence<(PaymentOrder, ResolvedMethod)>, _ providers: PaymentProviders,
        in db: borrowing PostgresTransaction
    ) throws -> [CustomerID: String] {
        let local: [CustomerID] = orders.compactMap { order, resolved in
            goesByCountry(order, resolved, providers) ? order.customerID : nil
        }
        guard !local.isEmpty else { return [:] }
        let known: [(CustomerID, String)] = try db.query(
            """
            SELECT id, country FROM customers
            WHERE id = ANY(\(local.map(\.rawValue))::text[]) AND country IS NOT NULL
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(known) { first, _ in first }
    }

    private static func goesByCountry(
        _ order: PaymentOrder, _ resolved: ResolvedMethod, _ providers: PaymentProviders
    ) -> Bool {
        guard order.page?.payer == nil, let method: ChargeableMethod = resolved.method else { return false }
        return providers.capabilities(of: method.provider)?.method(method.type)?.isLocal == true
    }

    /// Why an order cannot be recorded; of one that can be, a wallet's card is taken.
    private static func refusal(
        _ order: PaymentOrder, _ resolved: ResolvedMethod, from country: String?, _ providers: PaymentProviders,
        in db: borrowing PostgresTransaction
    ) throws -> Failure? {
        if let failure: Failure = failure(order, resolved, from: country, providers) { return failure }
        guard order.isCharged, resolved.method?.isOfWallet == true else { return nil }
        return try WalletPayment.take(order, resolved, in: db)
    }

    private static func failure(
        _ order: PaymentOrder, _ resolved: ResolvedMethod, from country: String?, _ providers: PaymentProviders
    ) -> Failure? {
        if !resolved.customerIsKnown { return .unknownCustomer }
        guard let method: ChargeableMethod = resolved.method else {
            if order.isOpen { return nil }
            return order.paymentMethodID == nil ? .noPaymentMethod : .unknownPaymentMethod
        }
        let isAgreed: Bool = order.acceptance != nil
        if isAgreed || order.offSession, method.isOfWallet {
            return isAgreed ? .noLaterCharges : .unsupported(.offSession)
        }
        let wish = ProviderCapabilities.Wish(
            type: method.type, currency: order.amount.currency.code, amount: order.amount.minor, country: country,
            separateCapture: order.captureMethod == .manual, offSession: isAgreed || order.offSession)
        return providers.capabilities(of: method.provider)?.obstacle(to: wish).map { obstacle in
            obstacle == .offSession && isAgreed ? .noLaterCharges : .unsupported(obstacle)
        }
    }

    /// The result of an order whose key was used before; `nil` when it is fresh.
    private static func settled(_ claim: ClaimResult) -> Result<ProviderIntent<PaymentID>, any Error>? {
        switch claim {
        case .fresh: nil
        case .replay(let reply): .success(.replay(reply))
        case .open(let resource):
            resource.flatMap { PaymentID($0) }.map { .success(.resumed($0)) } ?? .failure(Problem.idempotencyTwin)
        case .mismatch: .failure(Problem.idempotencyMismatch)
        case .twin: .failure(Problem.idempotencyTwin)
        }
    }

    /// Inserts payments, and asks Fraud about those that are charged at once, in the caller's transaction.
    static func insert(
        _ orders: [(PaymentOrder, ResolvedMethod)], in db: borrowing PostgresTransaction
    ) throws {
        guard !orders.isEmpty else { return }
        let payments: [NewPayment] = orders.map { order, resolved in
            NewPayment(
                id: order.id, attemptID: AttemptID.new(at: order.now), customerID: order.customerID,
                method: resolved.method, amount: order.amount, captureMethod: order.captureMethod, invoiceID: nil,
                billingID: nil, subscriptionID: nil,
                description: order.description, metadata: order.metadata, offSession: order.offSession,
                keepsMethod: order.acceptance != nil, returnURL: order.returnURL,
                confirmBy: order.confirmBy, createdAt: order.now)
        }
        try PaymentMethodStore.insertSingleUse(orders.compactMap(\.0.page), at: orders[0].0.now, in: db)
        try PaymentStore.add(payments, in: db)
        var traces: [String: String] = [:]
        for (order, _) in orders { traces[order.customerID.rawValue] = order.traceparent }
        try CausalTraces.$byKey.withValue(traces) {
            try Outbox.append(payments.compactMap(PaymentEvents.created), in: db)
        }
    }

    /// Keeps what customers agreed to with their payments, in the order of methods, so that batches take turns.
    private static func agree(
        _ orders: [(PaymentOrder, ResolvedMethod)], in db: borrowing PostgresTransaction
    ) throws {
        let agreed: [(method: PaymentMethodID, mandate: Mandate)] = orders.compactMap { order, resolved in
            guard let method: PaymentMethodID = resolved.method?.id else { return nil }
            return order.acceptance.map { (method, $0.mandate(of: method, at: order.now)) }
        }
        for (method, mandate) in agreed.sorted(by: { $0.method < $1.method }) {
            try StoredCredentialStore.agree(mandate, for: method, in: db)
        }
    }
}
