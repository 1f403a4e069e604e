import BillingCore
import PaymentAuthentication
import HTTPKit
import PaymentContract
import PaymentLinks
import PaymentRecords
import Postgres
import Synchronization

/// What an attempt at a link's payment is paid with.
struct LinkMeans: Sendable {
    /// A card that was given on the page.
    let card: ChargeableMethod?
    /// A method that is used once, on a page of its provider's.
    let page: SingleUseMethod?
    let chargeable: ChargeableMethod
    /// The payment that it pays: the slot's, which is tried again, or a new one. That of a plan has an id of its own.
    let payment: PaymentID

    init(card: ChargeableMethod, for payment: PaymentID) {
        self.card = card
        page = nil
        chargeable = card
        self.payment = payment
    }

    init(page: SingleUseMethod, for payment: PaymentID) {
        card = nil
        self.page = page
        chargeable = page.chargeable
        self.payment = payment
    }

    /// A card whose customer nobody has authenticated yet, entered or out of a wallet as it is printed.
    var isUnprovenCard: Bool { card.map { $0.type == "card" && !$0.isAuthenticatedByWallet } ?? false }

    /// Takes a wallet's card for the one payment that it pays.
    /// - Throws: ``Problem`` when it is not to be had any more.
    func take(of amount: Money, at now: Instant, in db: borrowing PostgresTransaction) throws {
        guard chargeable.isOfWallet,
            let obstacle = try WalletStore.take(chargeable.id, for: payment, of: amount, at: now, in: db)
        else { return }
        throw RecordPayments.Failure.wallet(obstacle).problem
    }
}

extension PayLink {
    /// What a new attempt is paid with; it needs an active link with room for one more success.
    func means(
        of input: PayLinkInput, after current: LinkAttempt?, _ standing: LinkStanding, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> LinkMeans {
        let payment: PaymentID = current?.triedAgain(by: input)?.id ?? PaymentID.new(at: call.now)
        let means: LinkMeans
        switch input.choice {
        case .card(let id):
            let found: ResolvedMethod? = try PaymentMethodStore.resolve(
                [(standing.link.customerID, id)], wallets: true, onPage: true, in: db
            ).first
            guard let card: ChargeableMethod = found?.method, try !PaymentMethodStore.isSpent(card.id, in: db) else {
                throw try Self.obstacle(to: id, in: db)
            }
            try requireActive(standing, at: call.now)
            means = LinkMeans(card: card, for: payment)
        case .page(let choice):
            let once: SingleUseMethod = try page(choice, for: payment, standing, input.session, call, in: db)
            means = LinkMeans(page: once, for: payment)
        }
        let slot: String = standing.link.slot(of: input.session)
        guard try !LinkUseStore.isFull(standing.link, for: slot, in: db) else { throw Problem.linkReserved }
        return means
    }

    /// Why a method of this visit cannot pay: its provider is still about it, does not keep it, or it is used up.
    private static func obstacle(
        to method: PaymentMethodID, in db: borrowing PostgresTransaction
    ) throws -> Problem {
        let status: PaymentMethodRecord.Status? = try PaymentMethodStore.find(method, in: db)?.status
        return switch status {
        case .pending?:
            .conflict("payment_method_pending", "The provider is still about the method: ask again in a moment.")
        case .failed?:
            .invalid("payment_method_id", code: "account_refused", "the provider does not take this account")
        case .active?, .requiresAction?, .detached?, nil: .notFound("payment method", method.rawValue)
        }
    }

    /// The method of the first provider that can, bound to this visit; the customer comes back to the link's page.
    private func page(
        _ choice: PageChoice, for payment: PaymentID, _ standing: LinkStanding, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> SingleUseMethod {
        let link: LinkRecord = standing.link
        let known: String? = try LinkStore.country(of: link.customerID, in: db)
        let payer: ChargePayer? = choice.payer ?? known.map { ChargePayer(country: $0) }
        let offer: LinkOffer = try require(standing, choice.type, country: payer?.country, at: call.now, in: db)
        guard !offer.isHandedOver else { throw Self.unsupported }
        try ChargePayer.require(offer.payer, of: payer, at: "method.payer")
        try Self.requirePatience(link, session, call, in: db)
        guard
            let provider: any PaymentProvider = settings.providers.first(
                that: LinkSettings.wish(choice.type, link.amount, payer?.country))
        else { throw Self.unsupported }
        let method = SingleUseMethod(
            id: PaymentMethodID.new(at: call.now), customerID: link.customerID, type: choice.type,
            provider: provider.name, returnURL: settings.returnAddress(of: link.code, from: payment), payer: payer)
        try Self.bind(method.id, to: link.id, session, call, in: db)
        return method
    }

    func requireActive(_ standing: LinkStanding, at now: Instant) throws {
        let status: LinkStatus = standing.status(at: now)
        guard status == .active else { throw Problem.linkState(status) }
    }

    /// A way to pay that the link's page offers now.
    /// - Parameter country: The payer's; the customer's when left out.
    @discardableResult
    func require(
        _ standing: LinkStanding, _ type: String, country: String? = nil, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> LinkOffer {
        try requireActive(standing, at: now)
        let link: LinkRecord = standing.link
        let country: String? = try country ?? LinkStore.country(of: link.customerID, in: db)
        let offers: [LinkOffer] = try settings.offers(on: link, country: country, at: now, in: db)
        guard let offer = offers.first(where: { $0.type == type }) else { throw Self.unsupported }
        return offer
    }

    /// Thieves try many methods, customers few.
    static func requirePatience(
        _ link: LinkRecord, _ session: LinkSession, _ call: Call, in db: borrowing PostgresTransaction
    ) throws {
        let wait: Int? = try LinkUseStore.secondsUntilNextMethod(
            of: link, session: session, from: Visitor.of(call.clientAddress), in: db)
        if let wait { throw VisitLimits.tooManyMethods(seconds: wait) }
    }

    /// Binds a method to the visit that has given it.
    static func bind(
        _ method: PaymentMethodID, to link: PaymentLinkID, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws {
        try LinkUseStore.bind(
            method, to: link, session: session, from: Visitor.of(call.clientAddress), in: db)
    }

    /// Only a card that was given on this page in this visit pays.
    func requireOwn(_ input: PayLinkInput, _ link: LinkRecord, in db: borrowing PostgresTransaction) throws {
        guard case .card(let card) = input.choice,
            try !LinkUseStore.isBound(card, to: link.id, session: input.session, in: db)
        else { return }
        throw Problem.invalid(
            "payment_method_id", code: "unknown_payment_method", "no such card was given on this page")
    }

    static var unsupported: Problem {
        .refused("unsupported_method", "This link cannot be paid in this way.")
    }
}

/// How often a provider is asked because somebody looks at a page, counted by this instance.
final class AskingPace: Sendable {
    /// Payments that are remembered; past that all are asked about once more.
    private static let maxPayments = 20_000
    private let pause: Duration
    private let asked = Mutex<[PaymentID: ContinuousClock.Instant]>([:])

    init(pause: Duration) { self.pause = pause }

    /// Whether it is time to ask about a payment; whoever hears yes asks.
    func isDue(_ id: PaymentID) -> Bool {
        let now: ContinuousClock.Instant = .now
        return asked.withLock { asked in
            if let last: ContinuousClock.Instant = asked[id], now - last < pause { return false }
            if asked.count >= Self.maxPayments { asked = asked.filter { now - $0.value < pause } }
            if asked.count >= Self.maxPayments { asked.removeAll() }
            asked[id] = now
            return true
        }
    }
}
