import BillingCore
import HTTPKit
import PaymentRecords
import Postgres

/// `POST /v1/payment_methods/{id}/default`.
struct DefaultMethodRoute: Sendable {
    let makeDefault = MakeMethodDefault()

    var endpoint: Endpoint {
        let makeDefault: MakeMethodDefault = makeDefault
        return .write(
            .post, "/v1/payment_methods/{id}/default", scope: "payment_methods:write",
            summary: "Make a method the one that renewals use; what is unpaid is collected with it at once",
            body: NoInput.self, answers: PaymentMethodResource.self, statuses: [200],
            problems: ["404 not_found", "409 method_not_chargeable"]
        ) { db, call, _ in
            .ok(PaymentMethodResource(try makeDefault(try call.id(), at: call.now, in: db)))
        }
    }
}
