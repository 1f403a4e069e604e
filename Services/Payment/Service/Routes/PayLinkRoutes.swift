import BillingCore
package import HTTPKit
package import JSON
import PaymentContract
import PaymentLinks
import PaymentRecords

/// What a link's page asks for: to keep a card, to pay, to say how a challenge ended, to pay in another way, and where the
/// payment stands.
package struct PayLinkRoutes: Sendable {
    let pay: PayLink

    package init(pay: PayLink) { self.pay = pay }

    package var endpoints: [Endpoint] { [card, account, payment, confirm, cancel, status] }

    private var card: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/card", scope: nil, summary: "Hand a card or a wallet's token over, from a link's page",
            body: LinkCardInput.self, answers: LinkCardResource.self, statuses: [201], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "422 unsupported_method", "429 rate_limited"]
        ) { call, input in try await pay.keep(call, input) }
    }

    private var account: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/bank_account", scope: nil,
            summary: "Hand a bank account over with the mandate to debit it, from a link's page",
            body: LinkAccountInput.self, answers: LinkCardResource.self, statuses: [201, 202], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "422 unsupported_method", "429 rate_limited"]
        ) { call, input in try await pay.keepAccount(call, input) }
    }

    private var payment: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/pay", scope: nil, summary: "Pay, from a link's page", body: PayLinkInput.self,
            answers: LinkStatusResource.self, statuses: [202], needsKey: false,
            problems: [
                "404 not_found", "409 payment_link_state", "409 payment_link_reserved",
                "409 instalment_offer_changed", "409 payment_method_pending", "422 unsupported_method",
                "429 rate_limited",
            ]
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

    private var cancel: Endpoint {
        let pay: PayLink = pay
        return .task(
            .post, "/pay/{code}/cancel", scope: nil,
            summary:
                "Give up what waits for the customer elsewhere, or was not sent, to pay in another way, from a link's page",
            body: CancelLinkInput.self, answers: LinkStatusResource.self, statuses: [202], needsKey: false,
            problems: ["404 not_found", "409 payment_state", "429 rate_limited"]
        ) { call, input in try await pay.cancel(call, input) }
    }

    private var status: Endpoint {
        let pay: PayLink = pay
        return .task(
            .get, "/pay/{code}/status", scope: nil, summary: "Where a link and its payment stand, for its page",
            query: [
                .string("session", max: 64, required: true, doc: "What the page calls its visit"),
                .id("payment_id", as: PaymentID.self, doc: "Which payment the customer came back from"),
            ],
            body: NoInput.self, answers: LinkStatusResource.self, problems: ["404 not_found", "429 rate_limited"]
        ) { call, _ in
            guard let session = call.query.string("session").flatMap(LinkSession.init(_:)) else {
                throw Problem.invalid("session", code: "invalid_session", LinkSession.rule)
            }
            return .ok(try await pay.status(call, session, cameFrom: call.query.id("payment_id")))
        }
    }
}

/// `POST /pay/{code}/card`.
package struct LinkCardInput: JSONInput {
    /// What is handed over.
    enum Choice: Sendable {
        case card(CardInput)
        case wallet(WalletInput)
        case form(FormCardInput)
    }

    let session: LinkSession
    let choice: Choice

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        let wallet: WalletInput? = f.optionalObject(
            "wallet", as: WalletInput.self, doc: "In the place of a card: a wallet's token, which pays once")
        let form: FormCardInput? = f.optionalObject(
            "form", as: FormCardInput.self,
            doc:
                "In the place of a card: what the provider's form on the page gave, or a wallet's sheet for the provider"
        )
        guard let instead: Choice = wallet.map(Choice.wallet) ?? form.map(Choice.form) else {
            let doc = "The number is handed to the provider and not kept"
            // The schema demands no card: a wallet or a form may stand in its place.
            var demanding: InputFields = f
            choice = .card(demanding.object("card", as: CardInput.self, doc: doc))
            if f.isDescribing { _ = f.optionalObject("card", as: CardInput.self, doc: doc) } else { f = demanding }
            return
        }
        choice = instead
        let hasCard: Bool = f.optionalObject("card", as: CardInput.self) != nil
        if hasCard || (wallet != nil && form != nil) {
            f.refuse(wallet == nil ? "form" : "wallet", code: "conflicting_fields", message: "stands alone")
        }
    }
}

/// What a provider's form on the page gave for a card, or a wallet's sheet for the provider.
struct FormCardInput: JSONInput {
    /// Wallets that make tokens for a provider on pages.
    enum Sheet: String, CaseIterable, Sendable {
        case googlePay = "google_pay"
    }

    let token: String
    /// Whose sheet gave the token; `nil`: the form.
    let wallet: Sheet?
    /// The card is to be charged again later, under what its customer agrees to with the payment.
    let keep: Bool

    init(_ f: inout InputFields) {
        token = f.string("token", min: 1, max: 255, doc: "The provider's name of the card; it pays once")
        keep = f.bool(
            "keep", default: false, doc: "true: for what is agreed to with the payment, instalments or later charges")
        wallet = f.optionalEnumeration(
            "wallet", of: Sheet.self, doc: "Whose sheet made the token for the provider; left out for the form's")
        if keep, wallet != nil {
            f.refuse("keep", code: "conflicting_fields", message: "goes with the form's cards")
        }
    }
}

/// `POST /pay/{code}/pay`.
package struct PayLinkInput: JSONInput {
    /// What is to be paid with.
    enum Choice: Sendable {
        case card(PaymentMethodID)
        case page(PageChoice)
    }

    let session: LinkSession
    let choice: Choice
    let attempts: Int
    /// Pay in instalments: the card pays the first one now.
    let plan: PlanChoice?
    /// What is agreed to besides: later charges of the card, or the account.
    let agreement: LaterCharges?

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        let card: PaymentMethodID? = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self,
            doc: "What handing the card over answered. The same one never begins a second attempt")
        let page: PageChoice? = f.optionalObject(
            "method", as: PageChoice.self, doc: "In the place of a card: a method that is used once")
        attempts = Int(
            f.optionalInt(
                "attempts", range: 0...1_000_000,
                doc: "Attempts the page has seen fail; only who has seen the last one begins another with method")
                ?? 0)
        plan = f.optionalObject(
            "instalments", as: PlanChoice.self,
            doc: "The plan agreed to; the card pays its first part now, the others later")
        agreement = f.optionalObject(
            "agreement", as: LaterCharges.self,
            doc: "That the card, or the account, may be charged later, too; where the link's keep_method asks for it")
        choice = page.map(Choice.page) ?? .card(card ?? .sample)
        guard !f.isDescribing else { return }
        if card == nil, page == nil {
            f.refuse("payment_method_id", code: FaultCode.required, message: "is needed, or method")
        } else if card != nil, page != nil {
            f.refuse("method", code: "conflicting_fields", message: "stands in the place of payment_method_id")
        }
        if plan != nil, page != nil {
            f.refuse("instalments", code: "conflicting_fields", message: "are paid by card")
        }
        if agreement != nil, plan != nil || page != nil {
            f.refuse("agreement", code: "conflicting_fields", message: "goes with payment_method_id alone")
        }
    }
}

/// The instalment plan that a customer agrees to.
struct PlanChoice: JSONInput {
    let terms: String
    let offer: String
    let language: PageLanguage

    init(_ f: inout InputFields) {
        terms = f.string("terms", min: 1, max: 64, doc: "The name of the terms, such as pay_in_3")
        offer = f.string("offer", min: 32, max: 32, doc: "The fingerprint of the offer that was shown")
        language = f.accepted(code: "plan_not_accepted", doc: "true: without it nothing begins")
    }
}

/// That a customer agrees to later charges of what they pay with.
struct LaterCharges: JSONInput {
    let language: PageLanguage

    init(_ f: inout InputFields) {
        language = f.accepted(code: "not_accepted", doc: "true: without it nothing begins")
    }
}

/// A method that is used once, on a page of its provider's or from the customer's own wallet.
struct PageChoice: JSONInput {
    let type: String
    let payer: ChargePayer?

    init(_ f: inout InputFields) {
        type = f.string("type", min: 1, max: 40, doc: "One of those that the page offers")
        payer =
            f.optionalObject(
                "payer", as: PayerInput.self, doc: "Who pays; the customer's country when left out")?.payer
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

/// `POST /pay/{code}/cancel`.
package struct CancelLinkInput: JSONInput {
    let session: LinkSession

    package init(_ f: inout InputFields) { session = f.linkSession() }
}

extension InputFields {
    /// Reads that what stands on a page was agreed to, and the language in which it was read.
    /// - Parameter code: The fault where it was not.
    mutating func accepted(code: String, doc: String) -> PageLanguage {
        let language: PageLanguage = enumeration("language", of: PageLanguage.self, doc: "In which it was read")
        let isAccepted: Bool = bool("accepted", default: false, doc: doc)
        if !isDescribing, !isAccepted { refuse("accepted", code: code, message: "must be true") }
        return language
    }

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
