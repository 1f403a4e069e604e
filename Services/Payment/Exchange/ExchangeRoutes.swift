import BillingCore
public import HTTPKit
import JSON
public import PaymentDomain
import Postgres

/// `/v1/exchange_rates`.
package struct ExchangeRoutes: Sendable {
    let rates: RatesInForce

    package init(rates: RatesInForce) { self.rates = rates }

    package var endpoints: [Endpoint] { [create, list, read, quote] }

    private var create: Endpoint {
        .write(
            .post, "/v1/exchange_rates", scope: "exchange_rates:write", summary: "Give an exchange rate",
            body: ExchangeRateInput.self, answers: ExchangeRateResource.self, tellsLocation: true,
            problems: ["422 invalid_request"]
        ) { db, call, input in
            let rate: ExchangeRate = try input.rate(on: call.now.utcDay)
            let stored: StoredRate = try RateStore.add(rate, actor: call.principal.id, at: call.now, in: db)
            return .created(ExchangeRateResource(stored: stored), location: "/v1/exchange_rates/\(stored.id)")
        }
    }

    private var list: Endpoint {
        .list(
            "/v1/exchange_rates", scope: "exchange_rates:read", summary: "List exchange rates, newest first",
            filters: [
                .string("source", max: 40, doc: "ecb, manual or provider:<name>"), .currency("from"), .currency("to"),
                .civilDate("date"),
            ], item: ExchangeRateResource.self
        ) { db, call, request in
            let rows: [StoredRate] = try RateStore.list(
                source: call.query.string("source"), from: call.query.currency("from"), to: call.query.currency("to"),
                date: call.query.civilDate("date"), after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(rows.map { ExchangeRateResource(stored: $0) })
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/exchange_rates/{id}", scope: "exchange_rates:read", summary: "Read an exchange rate",
            answers: ExchangeRateResource.self, problems: ["404 not_found"]
        ) { db, call in
            let id: ExchangeRateID = try call.id()
            guard let stored: StoredRate = try RateStore.find(id, in: db) else {
                throw Problem.notFound("exchange rate", id.rawValue)
            }
            return ExchangeRateResource(stored: stored)
        }
    }

    private var quote: Endpoint {
        let rates: RatesInForce = rates
        let limit: Int = ExchangeRate.spreadLimitBasisPoints
        return .read(
            "/v1/exchange_rates/quote", scope: "exchange_rates:read", summary: "What an amount is in another currency",
            query: [
                .currency("from", required: true), .currency("to", required: true),
                .int("amount", range: 1...Int.max, required: true, doc: "Minor units of `from`"),
                .int(
                    "spread_basis_points", range: 1 - limit...limit,
                    doc: "Hundredths of a percent put on the result: 150 asks for 1.5 % more; 0 when left out"),
                .civilDate("date", doc: "By the rate in force on this day; today when left out, never a day to come"),
            ], answers: ExchangeQuoteResource.self,
            problems: ["409 exchange_rate_stale", "422 no_exchange_rate", "422 invalid_request"]
        ) { db, call in
            guard let from = call.query.currency("from"), let to = call.query.currency("to"), from != to else {
                throw Problem.invalid("to", code: "same_currency", "must be another currency than `from`")
            }
            let today: CivilDate = call.now.utcDay
            let day: CivilDate = call.query.civilDate("date") ?? today
            guard day <= today else {
                throw Problem.invalid("date", code: "in_the_future", "must not be in the future")
            }
            let rate: ExchangeRate = try rates.rate(from: from, to: to, on: day, in: db)
            let given = Money(minor: Int64(call.query.int("amount") ?? 0), currency: from)
            return ExchangeQuoteResource(
                conversion: try rate.convert(
                    given, spreadBasisPoints: call.query.int("spread_basis_points") ?? 0, rounding: .halfEven))
        }
    }
}

extension ExchangeError: ProblemConvertible {
    /// The answer for this failure.
    public var problem: Problem {
        switch self {
        case .stale(let published, let missed):
            .conflict(
                "exchange_rate_stale",
                "The newest rate is of \(published), and at least \(missed) publications have been missed since.")
        case .noRate(let from, let to):
            .refused("no_exchange_rate", "There is no rate from \(from.code) to \(to.code).")
        case .sameCurrency: .invalid("to", code: "same_currency", "must be another currency")
        case .rateNotPositive: .invalid("rate", code: "not_positive", "must be above zero")
        case .spreadOutOfRange: .invalid("spread_basis_points", code: "out_of_range", "takes less than all")
        case .wrongCurrency: .invalid("amount", code: "wrong_currency", "is not in the rate's currency")
        case .amount: .invalid("amount", code: "out_of_range", "does not fit 64 bits after the exchange")
        }
    }
}
