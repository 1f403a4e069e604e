package import BillingCore
package import HTTPKit
package import PaymentContract
import PaymentDomain
import Postgres

/// `/v1/instalment_plans`.
package struct InstalmentPlanRoutes: Sendable {
    private let settings: InstalmentSettings
    private let providers: PaymentProviders

    /// Offers what the settings say, as far as the providers charge it.
    package init(settings: InstalmentSettings, providers: PaymentProviders) {
        self.settings = settings
        self.providers = providers
    }

    /// Every route.
    package var endpoints: [Endpoint] { [offers, agree, list, read, settle, cancel, reduce] }

    private var offers: Endpoint {
        let settings: InstalmentSettings = settings
        return .task(
            .post, "/v1/instalment_plans/offers", scope: "instalment_plans:read",
            summary: "What a customer would pay in instalments", body: OfferInput.self, answers: OffersResource.self,
            statuses: [200], needsKey: false, problems: ["422 invalid_request"]
        ) { call, input in .ok(OffersResource(offers: try settings.offers(input, on: CivilDate(of: call.now)))) }
    }

    private var agree: Endpoint {
        let agree = AgreePlan(settings: settings, providers: providers)
        return .write(
            .post, "/v1/instalment_plans", scope: "instalment_plans:write",
            summary: "Agree an instalment plan and take its first payment", body: AgreePlanInput.self,
            answers: PlanResource.self, problems: ["409 instalment_offer_changed", "422 invalid_request"]
        ) { db, call, input in
            Reply(status: 201, try PlanResource(try agree(input.order, at: call.now, in: db)))
        }
    }

    private var list: Endpoint {
        .list(
            "/v1/instalment_plans", scope: "instalment_plans:read", summary: "List instalment plans, newest first",
            filters: [.id("customer_id", as: CustomerID.self)], item: PlanResource.self
        ) { db, call, request in
            let rows: [PlanRecord] = try PlanStore.list(
                customer: call.query.id("customer_id"), after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try rows.map(PlanResource.init))
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/instalment_plans/{id}", scope: "instalment_plans:read",
            summary: "Read an instalment plan with its schedule", answers: PlanResource.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: InstalmentPlanID = try call.id()
            guard let record: PlanRecord = try PlanStore.find(id, in: db) else {
                throw Problem.notFound("instalment plan", id.rawValue)
            }
            return try PlanResource(record)
        }
    }

    private var settle: Endpoint {
        let change = ChangePlan(settings: settings, providers: providers)
        return .write(
            .post, "/v1/instalment_plans/{id}/settle", scope: "instalment_plans:write",
            summary: "Pay off a plan before its time, or after its default", body: SettlePlanInput.self,
            answers: PlanResource.self, statuses: [202], problems: Self.problems + ["409 settlement_not_collectable"]
        ) { db, call, input in
            let record: PlanRecord = try change.settle(
                try call.id(), with: input.paymentMethodID, at: call.now, in: db)
            return Reply(status: 202, try PlanResource(record))
        }
    }

    private var cancel: Endpoint {
        let change = ChangePlan(settings: settings, providers: providers)
        return .write(
            .post, "/v1/instalment_plans/{id}/cancel", scope: "instalment_plans:write",
            summary: "End a plan: nothing more is asked for", body: NoInput.self, answers: PlanResource.self,
            statuses: [200], problems: Self.problems
        ) { db, call, _ in .ok(try PlanResource(try change.cancel(try call.id(), at: call.now, in: db))) }
    }

    private var reduce: Endpoint {
        let change = ChangePlan(settings: settings, providers: providers)
        return .write(
            .post, "/v1/instalment_plans/{id}/reduce", scope: "instalment_plans:write",
            summary: "Take a part of the purchase back before it is paid", body: ReducePlanInput.self,
            answers: PlanResource.self, statuses: [200], problems: Self.problems
        ) { db, call, input in
            let record: PlanRecord = try change.reduce(try call.id(), by: input.amount, at: call.now, in: db)
            return .ok(try PlanResource(record))
        }
    }

    private static let problems: [String] = [
        "404 not_found", "409 instalment_plan_state", "409 instalment_plan_busy", "422 invalid_request",
    ]
}

extension InstalmentSettings {
    /// What a purchase comes to under each of the terms that take a part of it at once: a page begins a plan with a payment.
    /// - Throws: `MoneyError` when numbers do not fit.
    package func offersPaidAtOnce(for purchase: Money, at now: Instant) throws -> [OfferResource] {
        try products.filter { $0.takesAtOnce(of: purchase) }.map { product in
            OfferResource(terms: product.name, offer: try product.offer(for: purchase, on: CivilDate(of: now)))
        }
    }

    /// The offers for an amount: of the named terms, or of all that fit.
    /// - Throws: The problem when there is none.
    package func offers(_ input: OfferInput, on day: CivilDate) throws -> [OfferResource] {
        let asked: [InstalmentProduct] = products.filter { input.terms == nil || $0.name == input.terms }
        guard !asked.isEmpty else { throw AgreePlan.Failure.unknownTerms }
        var offers: [OfferResource] = []
        var refusals: [InstalmentProduct.Unavailable] = []
        for product in asked {
            do {
                offers.append(OfferResource(terms: product.name, offer: try product.offer(for: input.amount, on: day)))
            } catch let refusal as InstalmentProduct.Unavailable { refusals.append(refusal) }
        }
        // Of several reasons the one that is about the amount says the most.
        guard let refusal = refusals.first(where: { $0 != .currency }) ?? refusals.first, offers.isEmpty else {
            return offers
        }
        throw refusal
    }
}
