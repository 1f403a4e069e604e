import BillingCore
package import HTTPKit
package import JSON
import Postgres

/// `/v1/crypto/payments` and `/v1/crypto/rates`.
package struct CryptoRoutes: Sendable {
    let accepted: AcceptedAssets

    package init(accepted: AcceptedAssets) { self.accepted = accepted }

    package var endpoints: [Endpoint] { [payment, rates, tellRate] }

    private var payment: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .read(
            "/v1/crypto/payments/{payment_id}", scope: "payments:read",
            summary: "Where to pay, what was seen there and what it amounts to",
            answers: CryptoPaymentResource.self, problems: ["404 not_found", "409 asset_not_configured"]
        ) { db, call in
            try CryptoPaymentResource.newest(of: try call.id("payment_id"), accepted, in: db)
        }
    }

    private var rates: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .whole(
            "/v1/crypto/rates", scope: "crypto:read", summary: "List what coins cost, as told last or as configured",
            item: RateResource.self
        ) { db, _ in
            let fixed: [RateResource] = accepted.all.flatMap { asset in
                asset.fixedRates.map { RateResource(asset: asset.name, currency: $0.key, rate: $0.value, asOf: nil) }
            }
            let told: [RateResource] = try RateResource.told(in: db).filter { told in
                accepted.find(told.asset).map { $0.fixedRates[told.currency] == nil } ?? false
            }
            return (fixed + told).sorted { ($0.asset, $0.currency.code) < ($1.asset, $1.currency.code) }
        }
    }

    private var tellRate: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .write(
            .post, "/v1/crypto/rates", scope: "crypto:write", summary: "Tell what a coin costs now",
            body: RateInput.self, answers: RateResource.self,
            problems: ["409 rate_fixed", "409 rate_outdated", "422 invalid_request"]
        ) { db, call, input in
            guard accepted.names.contains(input.asset) else {
                let names: String = accepted.names.joined(separator: ", ")
                throw Problem.invalid(
                    "asset", code: "unknown_asset", names.isEmpty ? "is not accepted here" : "must be one of \(names)")
            }
            guard accepted.find(input.asset)?.fixedRates[input.currency] == nil else {
                throw Problem.conflict("rate_fixed", "The configuration fixes this rate: it holds until that changes.")
            }
            let asOf: Instant = input.asOf ?? call.now
            guard asOf <= call.now else {
                throw Problem.invalid("as_of", code: "in_the_future", "must not be in the future")
            }
            guard try ToldRates.tell(input.rate, of: input.asset, in: input.currency, asOf: asOf, db) else {
                throw Problem.conflict("rate_outdated", "A newer rate is known: it stays in force.")
            }
            return .created(RateResource(input, asOf: asOf))
        }
    }
}

/// What a coin costs, as it is told.
package struct RateInput: JSONInput {
    let asset: String
    let currency: Currency
    let rate: ExactDecimal
    let asOf: Instant?

    package init(_ f: inout InputFields) {
        asset = f.string("asset", min: 1, max: 16, doc: "bitcoin, ethereum, or a token's name")
        currency = f.currency("currency")
        rate =
            ExactDecimal(f.decimal("rate", doc: "What one whole coin costs, in whole units of the currency")) ?? .zero
        asOf = f.optionalInstant("as_of", doc: "Since when; now when left out")
        if !f.isDescribing, !f.isFaulty("rate"), rate <= .zero {
            f.refuse("rate", code: "out_of_range", message: "must be above zero")
        }
    }
}

/// A rate as it was taken over.
package struct RateResource: JSONOutput {
    let asset: String
    let currency: Currency
    let rate: ExactDecimal
    /// `nil` for one of the configuration.
    let asOf: Instant?

    init(_ input: RateInput, asOf: Instant) {
        self.init(asset: input.asset, currency: input.currency, rate: input.rate, asOf: asOf)
    }

    init(asset: String, currency: Currency, rate: ExactDecimal, asOf: Instant?) {
        self.asset = asset
        self.currency = currency
        self.rate = rate
        self.asOf = asOf
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_rate")
        o.field("asset", asset)
        o.field("currency", currency.code)
        o.field("rate", rate.description, doc: "What one whole coin costs")
        o.field("as_of", asOf, doc: "Null for one of the configuration: it holds until that changes")
    }

    /// What was told last of each coin in each currency.
    static func told(in db: borrowing PostgresTransaction) throws -> [RateResource] {
        try db.query("SELECT provider, currency, rate, as_of FROM crypto_rates") { row in
            RateResource(
                asset: try row.next(), currency: try row.next(), rate: try row.next(), asOf: try row.next() as Instant)
        }
    }

    package static var sample: Self {
        Self(asset: "bitcoin", currency: .usd, rate: ExactDecimal(65_000), asOf: .sample)
    }
}
