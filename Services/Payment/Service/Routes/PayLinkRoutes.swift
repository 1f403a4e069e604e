import BillingCore
import HTTPKit
package import JSON
import PaymentLinks
import PaymentRecords

/// What a link's page asks for: to keep a card, to pay with it, to say how a challenge ended.
struct PayLinkRoutes: Sendable {
    let pay: PayLink

    var endpoints: [Endpoint] { [card, payment, confirm] }

    private var card: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/card", scope: nil, summary: "Hand a card over, from a link's page",
            body: LinkCardInput.self, answers: LinkCardResource.self, statuses: [201], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "429 rate_limited"]
        ) { call, input in try await pay.keep(call, input) }
    }

    private var payment: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/pay", scope: nil, summary: "Pay, from a link's page", body: PayLinkInput.self,
            answers: LinkStatusResource.self, statuses: [202], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "429 rate_limited"]
        ) { call, input in try await pay(call, input) }
    }

    private var confirm: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/confirm", scope: nil, summary: "Say how the sandbox's challenge on a link's page ended",
            body: ConfirmLinkInput.self, answers: LinkStatusResource.self, statuses: [202], needsKey: false,
            problems: ["404 not_found", "409 payment_state", "429 rate_limited"]
        ) { call, input in try await pay.confirm(call, input) }
    }
}

/// `POST /pay/{code}/card`.
package struct LinkCardInput: JSONInput {
    let session: LinkSession
    let card: CardInput

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        card = f.object("card", as: CardInput.self, doc: "The card; the number is handed to the provider and not kept")
    }
}

/// `POST /pay/{code}/pay`.
package struct PayLinkInput: JSONInput {
    let session: LinkSession
    let paymentMethodID: PaymentMethodID

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        paymentMethodID = f.id(
            "payment_method_id", as: PaymentMethodID.self,
            doc: "What handing the card over answered. The same one never begins a second attempt")
    }
}

/// `POST /pay/{code}/confirm`.
package struct ConfirmLinkInput: JSONInput {
    let session: LinkSession
    let challenge: ConfirmPaymentInput.Challenge

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        challenge = f.enumeration("challenge", of: ConfirmPaymentInput.Challenge.self, doc: "How it ended")
    }
}

extension InputFields {
    /// Reads what a page calls its visit.
    mutating func linkSession() -> LinkSession {
        required(
            "session", schema: JSONSchema.string(min: 22, max: 64), placeholder: .sample, doc: LinkSession.rule
        ) { value in
            guard let session = value.stringValue.flatMap(LinkSession.init(_:)) else {
                return .failure(Fault(code: "invalid_session", message: LinkSession.rule))
            }
            return .success(session)
        }
    }
}

/// A card as its page may see it.
package struct LinkCardResource: JSONOutput {
    let method: PaymentMethodRecord

    package func write(to o: inout ObjectWriter) {
        o.field("payment_method_id", method.id)
        o.field("brand", method.brand)
        o.field("last4", method.last4)
    }

    package static var sample: Self { Self(method: PaymentMethodResource.sample.method) }
}
