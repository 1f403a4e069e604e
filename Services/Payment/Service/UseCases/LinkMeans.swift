import BillingCore
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

    init(card: ChargeableMethod) {
        self.card = card
        page = nil
        chargeable = card
    }

    init(page: SingleUseMethod) {
        card = nil
        self.page = page
        chargeable = page.chargeable
    }
}

extension PayLink {
    /// What a new attempt is paid with; it needs an active link with room for one more success.
    func means(
        of input: PayLinkInput, _ standing: LinkStanding, _ slot: String, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> LinkMeans {
        let means: LinkMeans
        switch input.choice {
        case .card(let id):
            try require(standing, LinkMethod.card.rawValue, at: call.now)
            guard let found: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db) else {
                throw Problem.notFound("payment method", id.rawValue)
            }
            means = LinkMeans(
                card: ChargeableMethod(
                    id: found.id, type: found.type, fingerprint: found.fingerprint, provider: found.provider))
        case .page(let choice): means = LinkMeans(page: try page(choice, standing, input.session, call, in: db))
        }
        if let maxUses: Int = standing.link.maxUses {
            let others: Int = try LinkUseStore.othersAlive(than: slot, of: standing.link.id, in: db)
            guard others < maxUses else { throw Problem.linkState(.completed) }
        }
        return means
    }

    /// The method of the first provider that can, bound to this visit; the customer comes back to the link's page.
    private func page(
        _ choice: PageChoice, _ standing: LinkStanding, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> SingleUseMethod {
        let link: LinkRecord = standing.link
        let country: String? = try choice.payer?.country ?? LinkStore.country(of: link.customerID, in: db)
        try require(standing, choice.type, country: country, at: call.now)
        try Self.requirePatience(link, in: db)
        let wish = ProviderCapabilities.Wish(
            type: choice.type, currency: link.amount.currency.code, country: country)
        guard choice.type != LinkMethod.card.rawValue,
            let provider: any PaymentProvider = settings.providers.first(
                that: wish)
        else { throw Self.unsupported }
        let method = SingleUseMethod(
            id: PaymentMethodID.new(at: call.now), customerID: link.customerID, type: choice.type,
            provider: provider.name, returnURL: settings.address(of: link.code),
            payer: choice.payer ?? country.map { ChargePayer(country: $0) })
        try LinkUseStore.bind(method.id, to: link.id, session: session, in: db)
        return method
    }

    func require(_ standing: LinkStanding, _ type: String, country: String? = nil, at now: Instant) throws {
        let status: LinkStatus = standing.status(at: now)
        guard status == .active else { throw Problem.linkState(status) }
        let link: LinkRecord = standing.link
        guard settings.types(of: link.methods, link.amount.currency, country: country).contains(type) else {
            throw Self.unsupported
        }
    }

    /// Thieves try many methods, customers few.
    static func requirePatience(_ link: LinkRecord, in db: borrowing PostgresTransaction) throws {
        guard try LinkUseStore.recentMethods(of: link.id, in: db) < LinkUseStore.methodsPerHour else {
            throw VisitLimits.tooMany
        }
    }

    /// Only a card that was given on this page in this visit pays.
    func requireOwn(_ input: PayLinkInput, _ link: LinkRecord, in db: borrowing PostgresTransaction) throws {
        guard case .card(let card) = input.choice,
            try !LinkUseStore.isBound(card, to: link.id, session: input.session, in: db)
        else { return }
        throw Problem.invalid(
            "payment_method_id", code: "unknown_payment_method", "no such card was given on this page")
    }

    private static var unsupported: Problem {
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
