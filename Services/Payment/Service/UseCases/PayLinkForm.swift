import BillingCore
import HTTPKit
import Messaging
import PaymentContract
import PaymentLinks
import PaymentRecords
import Postgres

extension PayLink {
    /// Keeps what a provider's form on the page, or a wallet's sheet for the provider, gave for a card, bound to this visit. It
    /// pays once, and is nobody's to charge again unless its customer agrees to that with the payment
    /// (``keepForPlan(_:at:in:)``, ``KeepAgreedMethods``). Handed over once more, it gives the same method.
    ///
    /// The provider is asked before anything is stored: it charges nothing and keeps nothing by that.
    /// - Throws: ``Problem``; nothing is stored then.
    func keep(
        _ entered: FormCardInput, _ code: LinkCode, _ call: Call, _ session: LinkSession
    ) async throws -> Reply<LinkCardResource> {
        let (taker, customer): (any ProviderCardForm, CustomerID) = try await pool.transaction(
            readOnly: true, deadline: call.deadline
        ) { db in
            let standing: LinkStanding = try find(code, in: db)
            return (try form(of: entered, standing, session, call, in: db), standing.link.customerID)
        }
        let card: EnteredCard = try await Self.card(entered, of: customer, at: taker)
        return try await pool.transactionRetrying(deadline: call.deadline) { db in
            let standing: LinkStanding = try lock(code, in: db)
            let link: LinkRecord = standing.link
            if let known = try LinkUseStore.method(card.token, of: link.id, session: session, in: db) {
                guard let method = try PaymentMethodStore.find(known, in: db) else { throw Self.unsupported }
                return Reply(status: 201, LinkCardResource(method: method))
            }
            guard try form(of: entered, standing, session, call, in: db).name == taker.name else {
                throw Self.unsupported
            }
            let method: PaymentMethodRecord = Self.method(card, of: link.customerID, at: taker.name, call.now)
            guard try PaymentMethodStore.lockCustomer(link.customerID, in: db) else {
                throw AttachPaymentMethod.Failure.unknownCustomer
            }
            try PaymentMethodStore.insert(method, in: db)
            try Self.bind(method.id, to: link.id, session, call, in: db)
            return Reply(status: 201, LinkCardResource(method: method))
        }
    }

    /// Makes a card that was given to pay once one that is kept, since its customer agrees to later charges with the payment that
    /// begins in the same transaction. A card that is kept already stays as it is.
    /// - Throws: ``Problem`` for one that its provider was not told to be able to keep.
    func keepForPlan(_ card: ChargeableMethod, at now: Instant, in db: borrowing PostgresTransaction) throws {
        guard let method: PaymentMethodRecord = try PaymentMethodStore.find(card.id, in: db), method.isSingleUse else {
            return
        }
        guard try PaymentMethodStore.keep(card.id, in: db), let kept = try PaymentMethodStore.find(card.id, in: db)
        else {
            throw Self.unsupported
        }
        try Outbox.append([PaymentEvents.attached(kept, at: now)], in: db)
    }

    /// What the customer agrees to with the attempt besides the payment: that its method is charged again later. It is kept when
    /// the payment has gone through (``KeepAgreedMethods``).
    /// - Throws: ``Problem`` where the link does not ask for it, or the method is one that cannot be charged again.
    func agreement(
        _ input: PayLinkInput, _ means: LinkMeans, _ link: LinkRecord, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> PageAgreement? {
        guard let agreed: LaterCharges = input.agreement else { return nil }
        guard link.keepMethod != .never else {
            throw Problem.invalid("agreement", code: "not_asked", "the link asks for no agreement to later charges")
        }
        guard let card = means.card, !card.isOfWallet, let method = try PaymentMethodStore.find(card.id, in: db),
            !method.isSingleUse || method.providerCustomer != nil
        else {
            throw Problem.invalid(
                "agreement", code: "unsupported_method", "goes with a method that can be charged again")
        }
        return Self.given(agreed.language, call)
    }

    /// Whose form the link's page shows now, or whom it has Google make tokens for.
    private func form(
        of entered: FormCardInput, _ standing: LinkStanding, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> any ProviderCardForm {
        try require(standing, entered.wallet?.rawValue ?? LinkMethod.card.rawValue, at: call.now, in: db)
        try Self.requirePatience(standing.link, session, call, in: db)
        let country: String? = try LinkStore.country(of: standing.link.customerID, in: db)
        let amount: Money = standing.link.amount
        let taker: (any ProviderCardForm)? =
            switch entered.wallet {
            case nil: settings.cardForm(amount, country: country)
            case .googlePay?: settings.googleGateway(amount, country: country)
            }
        guard let taker else { throw Self.unsupported }
        return taker
    }

    private static func card(
        _ entered: FormCardInput, of customer: CustomerID, at taker: any ProviderCardForm
    ) async throws(Problem) -> EnteredCard {
        let card: EnteredCard?
        do throws(ProviderFault) {
            switch entered.wallet {
            case nil: card = try await taker.entered(entered.token, for: entered.keep ? customer : nil)
            case .googlePay?: card = try await taker.entered(googlePay: entered.token)
            }
        } catch {
            if case .rejected = error { throw refused }
            throw .unavailable()
        }
        guard let card else { throw refused }
        return card
    }

    private static func method(
        _ entered: EnteredCard, of customer: CustomerID, at provider: String, _ now: Instant
    ) -> PaymentMethodRecord {
        let id = PaymentMethodID.new(at: now)
        return PaymentMethodRecord(
            id: id, customerID: customer, brand: entered.card.brand, last4: entered.card.last4,
            expMonth: entered.card.expMonth, expYear: entered.card.expYear,
            // As that of a method the provider keeps (``KeptMethodStore``): one card is one card.
            fingerprint: entered.fingerprint.map { "\(provider):\($0)" } ?? id.rawValue, provider: provider,
            providerToken: entered.token,
            providerCustomer: entered.customer, isDefault: false, isSingleUse: true, createdAt: now)
    }

    private static var refused: Problem {
        .invalid("form.token", code: "token_refused", "the provider knows no such card, or it was used before")
    }
}
