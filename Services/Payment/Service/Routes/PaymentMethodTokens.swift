import BillingCore
package import JSON
import PaymentContract
import PaymentRecords

/// `POST /v1/payment_methods/{id}/tokens`.
package struct KeepMethodTokenInput: JSONInput {
    let provider: String
    let token: String
    let returnURL: String?

    package init(_ f: inout InputFields) {
        provider = f.string("provider", min: 1, max: 40, doc: "Who is to keep the method, too: stripe, paypal")
        token = f.string("token", min: 1, max: 255, doc: "What the provider's form, or its vault, gave for the method")
        returnURL = f.optionalString(
            "return_url", max: 2_000,
            doc: "Where the customer comes back to when the bank wants to see them; the same in every repeat")
        if !f.isDescribing, let returnURL, WebAddress(returnURL) == nil {
            f.refuse("return_url", code: "invalid_url", message: "must be an https address, or http on loopback")
        }
    }
}

/// How a method stands at a further provider. What the provider knows it by is not shown.
package struct MethodTokenResource: JSONOutput {
    enum Status: Equatable, Sendable {
        /// Charges may go there.
        case kept
        /// The bank wants to see the customer first.
        case requiresAction(NextAction)
        /// The provider is still about it.
        case pending
    }

    let methodID: PaymentMethodID
    let provider: String
    let status: Status

    package func write(to o: inout ObjectWriter) {
        let (word, action): (String, NextAction?) =
            switch status {
            case .kept: ("kept", nil)
            case .requiresAction(let action): ("requires_action", action)
            case .pending: ("pending", nil)
            }
        o.field("object", "payment_method_token")
        o.field("payment_method_id", methodID)
        o.field("provider", provider)
        o.field("status", word, doc: "kept, requires_action or pending; while it is not kept, send the request again")
        o.field("url", action?.url, doc: "Where the customer goes when the bank wants to see them")
    }

    package static var sample: Self { Self(methodID: .sample, provider: "paypal", status: .kept) }
}
