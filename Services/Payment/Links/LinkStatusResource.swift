package import BillingCore
import HTTPKit
package import JSON
import PaymentChains
import PaymentContract
import PaymentDomain
import PaymentInstalments
package import PaymentRecords
package import Postgres

/// What a page is told of its link and its payment: no more than who pays should see.
package struct LinkStatusResource: JSONOutput {
    let status: LinkStatus
    /// Whether nothing can begin here because payments of other visits have taken all places.
    let isReserved: Bool
    /// Whether nothing is owed any more: the invoice was withdrawn.
    let isWithdrawn: Bool
    let payment: LinkPaymentResource?

    /// - Parameters:
    ///   - session: The page's visit. On a link for one payment every visitor learns how that stands, and may finish or give
    ///     up what it waits for; its method is shown only to the visit that gave it.
    ///   - origin: Which payment somebody came back from, perhaps in another tab or browser: a visit without a payment
    ///     learns how that one stands, and may finish it. It may do nothing else with it.
    package init(
        _ standing: LinkStanding, session: LinkSession, cameFrom origin: PaymentID? = nil, settings: LinkSettings,
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let (state, link): (LinkStatus, LinkRecord) = (standing.status(at: now), standing.link)
        let slot: String = link.slot(of: session)
        status = state
        isReserved = try state == .active && LinkUseStore.isFull(link, for: slot, in: db)
        isWithdrawn = standing.isWithdrawn
        let own: LinkUse? = try LinkUseStore.payment(of: link.id, slot: slot, in: db)
        var shown: LinkUse? = own
        if own == nil, let origin { shown = try LinkUseStore.payment(inPlaceOf: origin, of: link.id, in: db) }
        // What was taken for a withdrawn invoice goes back: nobody has paid by it.
        guard let use: LinkUse = shown, let payment: PaymentRecord = try PaymentStore.find(use.paymentID, in: db),
            !standing.isWithdrawn || payment.status != .succeeded
        else {
            self.payment = nil
            return
        }
        let method: PaymentMethodRecord? = try payment.paymentMethodID.flatMap { id in
            try PaymentMethodStore.find(id, in: db)
        }
        let isMine: Bool =
            try method.map { try LinkUseStore.isBound($0.id, to: link.id, session: session, in: db) } ?? false
        let action = LinkActionResource(
            payment, decimals: settings.assets.first { $0.type == method?.type }?.decimals,
            qrPath: settings.qr == nil || own == nil
                ? nil : "/pay/\(link.code.text)/transfer.svg?session=\(session.text)")
        let plan: PlanRecord? =
            try link.methods.contains(.instalments) ? PlanStore.find(of: payment.id, in: db) : nil
        // The payment of an invoice ends as paid or failed: a page's attempt of which no provider has heard fails by itself.
        let isUnsent: Bool = try PaymentStore.isUnsent(payment, in: db)
        let canEnd: Bool = payment.waitsElsewhere || (link.invoiceID == nil && isUnsent)
        let triedAt: Instant = try PaymentStore.beginning(of: payment.attemptID, in: db) ?? payment.createdAt
        // What is still to be assessed, or is being given up, is over soon.
        let isAsked: Bool = payment.status == .processing && !isUnsent
        let isDebit: Bool = method?.type == LinkMethod.sepaDebit.rawValue
        self.payment = LinkPaymentResource(
            payment: payment, triedAt: triedAt, method: isMine ? method : nil, action: action,
            plan: isMine ? plan.map(PagePlanResource.init) : nil,
            canBeGivenUp: own != nil && plan == nil && canEnd,
            isSlow: isAsked && (isDebit || triedAt.adding(Self.patience) <= now),
            hasCoins: try link.methods.contains(.crypto) && payment.status != .succeeded
                && settings.hasCoins?(payment.id, db) ?? false)
    }

    /// What a provider has not decided by then it may take days about. What nobody has heard of fails soon.
    private static let patience: Duration = .seconds(60)

    /// The payment, where it waits for its customer elsewhere: whoever shows it asks the provider first.
    package var waitingElsewhere: PaymentID? {
        payment.flatMap { $0.payment.waitsElsewhere ? $0.payment.id : nil }
    }

    init(status: LinkStatus, payment: LinkPaymentResource?) {
        self.status = status
        isReserved = false
        isWithdrawn = false
        self.payment = payment
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "payment_link_status")
        o.field("status", status, doc: "The link's")
        o.field(
            "reserved", isReserved,
            doc: "Whether payments of other visits, under way or made, have taken all places: none can begin now")
        o.field(
            "withdrawn", isWithdrawn,
            doc: "Whether its invoice was withdrawn: nobody owes it, and what was taken goes back")
        o.field("payment", payment, doc: "null until the page has begun one")
    }

    package static var sample: Self { Self(status: .completed, payment: .sample) }
}

/// A payment as its page shows it.
struct LinkPaymentResource: JSONOutput {
    /// What a page tells apart.
    enum Phase: String, CaseIterable, Sendable {
        case processing
        case requiresAction = "requires_action"
        case succeeded
        case failed
        case canceled
    }

    let payment: PaymentRecord
    /// When the last attempt began; that of an invoice is older than any visit.
    let triedAt: Instant
    /// What this visit pays with; `nil` for any other visit.
    let method: PaymentMethodRecord?
    let action: LinkActionResource?
    /// What this visit has agreed to pay in instalments, of which the payment is the first.
    let plan: PagePlanResource?
    /// Whether this visit may give the payment up, to pay in another way.
    let canBeGivenUp: Bool
    /// Whether it may take days once it is under way, whoever visits.
    let isSlow: Bool
    /// Whether coins have come for it that have neither paid it nor gone back.
    let hasCoins: Bool

    private var phase: Phase {
        switch payment.status {
        case .requiresConfirmation, .created, .processing, .canceling, .authorized: .processing
        case .requiresAction: .requiresAction
        case .succeeded: .succeeded
        case .failed: .failed
        // A refusal is shown as one whoever gave the payment up since: the first of a plan is, at once.
        case .canceled: payment.wasRefused ? .failed : .canceled
        }
    }

    /// There was nothing to charge yet, or the customer has turned back: to them no refusal.
    private var failure: LinkFailureResource? {
        let isRefusal: Bool = payment.decline != .noPaymentMethod && payment.decline != .holdReleased
        return isRefusal ? payment.decline.map(LinkFailureResource.init) : nil
    }

    func write(to o: inout ObjectWriter) {
        o.field("id", payment.id, doc: "For the receipt")
        o.field("status", phase)
        o.field(
            "held", payment.status == .authorized,
            doc: "Whether the money is held and not taken: somebody looks at the payment first")
        o.field("slow", isSlow && phase == .processing, doc: "Whether that may take days: the page may be closed")
        o.field(
            "coins_received", hasCoins,
            doc: "Whether coins have come, or are on their way, that have neither paid it nor gone back")
        o.money("amount", payment.amount, doc: "Minor units")
        o.field("attempts", payment.attempts, doc: "How often it was tried; a page names it to try in another way")
        o.field("method", method?.type, doc: "What it is paid with; for the visit that chose it only")
        o.field("card_brand", method?.brand)
        o.field("card_last4", method?.last4)
        o.field("failure", failure, doc: "Why the last attempt was refused; null where nobody has refused anything")
        o.field("next_action", action, doc: "What the customer does now")
        o.field("cancelable", canBeGivenUp, doc: "Whether this visit may give it up, to pay in another way")
        o.field("instalments", plan, doc: "The plan whose first payment it is; for the visit that agreed only")
        o.field("created_at", triedAt, doc: "When it was begun, or last tried: for the receipt")
    }

    static var sample: Self {
        Self(
            payment: .sample, triedAt: .sample, method: nil, action: .sample, plan: .sample, canBeGivenUp: false,
            isSlow: false, hasCoins: false)
    }
}

/// What the customer does next, as their page carries it out.
struct LinkActionResource: JSONOutput {
    let action: NextAction
    let expiresAt: Instant?
    /// The page on which the customer authenticates, where there is one.
    let challengeURL: String?
    /// How much is still to be sent, in whole coins.
    let coins: String?
    let qrPath: String?

    /// `nil` when nothing is asked of the customer.
    /// - Parameters:
    ///   - decimals: Of the asset that is sent.
    ///   - qrPath: Where the image of a transfer is.
    init?(_ payment: PaymentRecord, decimals: Int?, qrPath: String?) {
        guard payment.status == .requiresAction else { return nil }
        action = payment.nextAction ?? .challenge
        expiresAt = action.transfer?.expiresAt ?? payment.actionExpiresAt
        challengeURL = payment.challengeURL
        coins = action.transfer.flatMap { transfer in
            decimals.flatMap { places in (try? BaseUnits(parsing: transfer.amount))?.coins(decimals: places) }
        }
        self.qrPath = action.transfer?.requestURI == nil ? nil : qrPath
    }

    private init(action: NextAction) {
        self.action = action
        expiresAt = nil
        challengeURL = nil
        coins = nil
        qrPath = nil
    }

    func write(to o: inout ObjectWriter) {
        o.field("type", action.kind)
        o.field("url", action.url ?? challengeURL, doc: "Where the customer goes")
        o.field("asset", action.transfer?.asset)
        o.field("address", action.transfer?.address)
        o.field("amount", coins, doc: "What is still to be sent, in whole coins")
        o.field(
            "uri", action.transfer?.requestURI,
            doc: "What a wallet opens: BIP-21 or ERC-681; null when enough is on its way")
        o.field("qr", qrPath, doc: "The same as a QR image")
        o.field("expires_at", expiresAt, doc: "Until when the customer can finish")
    }

    static var sample: Self { Self(action: .redirect(url: "https://provider.example/authorize")) }
}

extension PaymentRecord {
    /// Whether it waits for its customer at the provider, or in a wallet of theirs; the provider must let go of it before it
    /// can be paid in another way.
    package var waitsElsewhere: Bool { status == .requiresAction && canBeReleased }
}

extension CryptoTransfer {
    /// What a wallet opens to send what is missing; `nil` when enough is on its way, so that nobody pays twice.
    var requestURI: String? { amount == "0" ? nil : uri }
}

/// Why the last attempt failed, as far as the payer is told: a suspicion of fraud looks like any other refusal.
struct LinkFailureResource: JSONOutput {
    let decline: Decline

    func write(to o: inout ObjectWriter) {
        let told: Decline = decline.declineClass == .fraud ? .genericDecline : decline
        o.field("code", told.code)
        o.text(
            "decline_class", told.declineClass.rawValue,
            schema: JSONSchema.word(of: Decline.Class.told.filter { $0 != .fraud }.map(\.rawValue)))
    }

    static var sample: Self { Self(decline: .insufficientFunds) }
}
