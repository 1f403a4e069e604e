package import BillingCore
package import HTTPKit
package import PaymentContract
import PaymentDomain
import PaymentRecords
package import Postgres

/// A plan that a customer has agreed to.
package struct PlanOrder: Sendable {
    let customerID: CustomerID
    /// `nil` for the customer's default of the day.
    let paymentMethodID: PaymentMethodID?
    /// The purchase.
    let amount: Money
    /// Their name.
    let terms: String
    /// The fingerprint of what the customer saw; `nil` where nobody says.
    let offer: String?
    let description: String?
    /// JSON.
    let metadata: String
    /// Where the customer comes back to from an authentication.
    let returnURL: String?
    /// The provider is told with the first payment that the method is kept for the later ones.
    let keepsMethod: Bool

    package init(
        customerID: CustomerID, paymentMethodID: PaymentMethodID?, amount: Money, terms: String, offer: String?,
        description: String?, metadata: String, returnURL: String? = nil, keepsMethod: Bool = false
    ) {
        self.customerID = customerID
        self.paymentMethodID = paymentMethodID
        self.amount = amount
        self.terms = terms
        self.offer = offer
        self.description = description
        self.metadata = metadata
        self.returnURL = returnURL
        self.keepsMethod = keepsMethod
    }
}

/// Agrees a plan: the plan is stored as `pending` together with its first payment. What is due on the day of
/// the purchase is paid as an ordinary payment, which the customer is there for; where nothing is, the plan runs at once.
package struct AgreePlan: Sendable {
    /// Why it is refused.
    package enum Failure: Error, Equatable {
        case unknownTerms
        case unknownCustomer
        case noPaymentMethod
        case unknownPaymentMethod
        case unavailable(InstalmentProduct.Unavailable)
        /// The provider of the method cannot do what the plan asks of it.
        case unsupported(ProviderCapabilities.Obstacle)
        /// It never charges one of the parts.
        case uncollectable(UncollectablePart)
        /// What the customer saw is not what is offered now.
        case otherOffer
    }

    private let settings: InstalmentSettings
    private let providers: PaymentProviders

    /// Offers what the settings say.
    /// - Parameter providers: Say what they can do, and which amounts they never charge.
    package init(settings: InstalmentSettings, providers: PaymentProviders) {
        self.settings = settings
        self.providers = providers
    }

    /// - Throws: ``Failure``; nothing is stored then.
    package func callAsFunction(
        _ order: PlanOrder, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PlanRecord {
        guard let product = settings.products.first(where: { $0.name == order.terms }) else {
            throw Failure.unknownTerms
        }
        let offer: InstalmentOffer
        do { offer = try product.offer(for: order.amount, on: CivilDate(of: now)) } catch let why
            as InstalmentProduct.Unavailable
        { throw Failure.unavailable(why) }
        guard order.offer == nil || order.offer == offer.fingerprint(terms: product.name) else {
            throw Failure.otherOffer
        }
        let method: ChargeableMethod = try Self.method(order, in: db)
        try check(offer, of: order.customerID, with: method, in: db)
        var record: PlanRecord = try Self.record(order, product, offer, at: now)
        guard let first = record.plan.instalments.firstIndex(where: { $0.status == .due }) else {
            try PlanWriter.insert(record, product, in: db)
            var work = PlanWork(record, at: now)
            try work.activate()
            try PlanWriter.save([work], in: db)
            return work.record
        }
        let payment = PaymentID.new(at: now)
        record.awaited = payment
        record.nextStepAt = now.adding(.seconds(settings.actionHours * 3_600))
        try PlanWriter.insert(record, product, in: db)
        let instalment: Instalment = record.plan.instalments[first]
        try InstalmentPayments.begin(
            payment, for: record.parts[first].id, of: record, try instalment.owed(),
            described: record.describe(instalment.number), with: method, keepsMethod: order.keepsMethod,
            returnURL: order.returnURL, at: now, in: db)
        return try PlanStore.find(record.id, in: db) ?? record
    }

    private static func method(
        _ order: PlanOrder, in db: borrowing PostgresTransaction
    ) throws -> ChargeableMethod {
        let resolved: ResolvedMethod? = try PaymentMethodStore.resolve(
            [(order.customerID, order.paymentMethodID)], in: db
        ).first
        if let method: ChargeableMethod = resolved?.method { return method }
        guard resolved?.customerIsKnown == true else { throw Failure.unknownCustomer }
        throw order.paymentMethodID == nil ? Failure.noPaymentMethod : Failure.unknownPaymentMethod
    }

    /// Every part is one that the provider charges without the customer, on its day and with the fee for coming late.
    private func check(
        _ offer: InstalmentOffer, of customer: CustomerID, with method: ChargeableMethod,
        in db: borrowing PostgresTransaction
    ) throws {
        var parts: [(number: Int?, amount: Money)] = []
        for part in offer.schedule {
            let amount: Money = try part.amount()
            parts.append((number: part.number, amount: amount))
            parts.append((number: part.number, amount: try amount.adding(try offer.terms.late.fee(on: amount))))
        }
        let obstacle: PlanObstacle? = try PlanObstacle.first(
            among: parts, of: customer, with: method, offSession: true, at: providers, in: db)
        switch obstacle {
        case .unsupported(let obstacle)?: throw Failure.unsupported(obstacle)
        case .uncollectable(let part)?: throw Failure.uncollectable(part)
        case nil: break
        }
    }

    private static func record(
        _ order: PlanOrder, _ product: InstalmentProduct, _ offer: InstalmentOffer, at now: Instant
    ) throws -> PlanRecord {
        let plan: InstalmentPlan = try InstalmentPlan.open(offer).plan
        return PlanRecord(
            id: InstalmentPlanID.new(at: now), customerID: order.customerID, methodID: order.paymentMethodID,
            termsName: product.name, dunning: product.dunning, status: .pending, plan: plan,
            parts: plan.instalments.map { _ in PlanPart(id: InstalmentID.new(at: now)) }, overpaid: 0, entries: 0,
            description: order.description, metadata: order.metadata, createdAt: now)
    }
}

extension AgreePlan.Failure: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .unknownTerms: .invalid("terms", code: "unknown_terms", "there are no terms of this name")
        case .unknownCustomer: .invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        case .noPaymentMethod:
            .invalid("payment_method_id", code: "no_payment_method", "the customer has no default payment method")
        case .unknownPaymentMethod:
            .invalid("payment_method_id", code: "unknown_payment_method", "the customer has no such payment method")
        case .unavailable(let why): why.problem
        case .unsupported(.currency):
            .invalid("currency", code: "unsupported_currency", "cannot be charged with the method")
        case .unsupported(.amount):
            .invalid("amount", code: "unsupported_amount", "has a part of less or more than the method takes")
        case .unsupported(let obstacle):
            .invalid("payment_method_id", code: obstacle.rawValue, obstacle.ofMethod)
        case .uncollectable(let part): part.problem
        case .otherOffer:
            .conflict("instalment_offer_changed", "The terms or the day have changed since the offer was made.")
        }
    }
}

extension InstalmentProduct.Unavailable: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .currency:
            .invalid("currency", code: "currency_not_allowed", "the terms are not offered in this currency")
        case .below(let least):
            .invalid("amount", code: "amount_too_small", "must be at least \(least) under the terms")
        case .above(let most): .invalid("amount", code: "amount_too_large", "must be at most \(most) under the terms")
        case .tooSmall: .invalid("amount", code: "amount_too_small", "cannot be split under the terms")
        }
    }
}
