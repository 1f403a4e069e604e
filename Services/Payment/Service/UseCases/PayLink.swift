package import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
import PaymentDomain
package import PaymentLinks
import PaymentRecords
import PaymentSandbox
import PaymentWallets
package import Postgres
import Telemetry

/// Pays a link, from its page.
///
/// Everything about one link happens under its row's lock, and a use of it and that use's payment are one transaction: a link
/// for one payment has one, whatever is pressed twice, reloaded or opened on two devices. A crash before COMMIT leaves
/// nothing; after it the payment goes its way without the page, and the page finds it again.
package struct PayLink: Sendable {
    let pool: PostgresPool
    let attach: AttachPaymentMethod
    let sync: SyncPayment
    let cancelPayment: CancelPayment
    let settings: LinkSettings
    let limits: VisitLimits
    /// Whether issuers are asked by 3-D Secure here.
    private let asksIssuers: Bool
    private let pace: AskingPace

    /// - Parameter pause: How long a provider is left alone between two questions about one payment.
    package init(
        pool: PostgresPool, work: PaymentUseCases, settings: LinkSettings, limits: VisitLimits,
        pause: Duration = .seconds(3)
    ) {
        self.pool = pool
        attach = work.attach
        sync = work.sync
        cancelPayment = work.cancel
        asksIssuers = work.authenticate != nil
        self.settings = settings
        self.limits = limits
        pace = AskingPace(pause: pause)
    }

    /// Keeps a card, or what a wallet or a provider's form gave in its place, for the link's customer, bound to this visit. It does not become
    /// the customer's default. A wallet's token that the visit has handed over before gives the same method again.
    /// - Throws: ``Problem``; nothing is stored then but an audit line of a token that is refused.
    package func keep(_ call: Call, _ input: LinkCardInput) async throws -> Reply<LinkCardResource> {
        try await acting(call) { code in
            do {
                return try await News.patiently(News.patience, until: { $0 is AttachPaymentMethod.Failure }) {
                    switch input.choice {
                    case .card(let card): try await keep(card, code, call, input.session)
                    case .wallet(let wallet): try await keep(wallet, code, call, input.session)
                    case .form(let entered): try await keep(entered, code, call, input.session)
                    }
                }
            } catch AttachPaymentMethod.Failure.unknownCustomer { throw Problem.linkState(.deactivated) }
        }
    }

    private func keep(
        _ card: CardInput, _ code: LinkCode, _ call: Call, _ session: LinkSession
    ) async throws -> Reply<LinkCardResource> {
        try await pool.transactionRetrying(deadline: call.deadline) { db in
            let standing: LinkStanding = try lock(code, in: db)
            try require(standing, LinkMethod.card.rawValue, at: call.now, in: db)
            try Self.requirePatience(standing.link, session, call, in: db)
            let method: PaymentMethodRecord = try attach.method(
                card, of: standing.link.customerID, isDefault: false, at: call.now)
            try attach.insert(method, card, in: db)
            try Self.bind(method.id, to: standing.link.id, session, call, in: db)
            return Reply(status: 201, LinkCardResource(method: method))
        }
    }

    private func keep(
        _ wallet: WalletInput, _ code: LinkCode, _ call: Call, _ session: LinkSession
    ) async throws -> Reply<LinkCardResource> {
        let customer: CustomerID = try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
            try find(code, in: db).link.customerID
        }
        return try await attach.wallet.auditing(wallet, of: customer, at: call.now) { db in
            let standing: LinkStanding = try lock(code, in: db)
            try require(standing, wallet.type.rawValue, at: call.now, in: db)
            try Self.requirePatience(standing.link, session, call, in: db)
            let link: PaymentLinkID = standing.link.id
            var isRepeat = false
            let method: PaymentMethodRecord = try attach.wallet.accept(
                wallet, of: standing.link.customerID, at: call.now, in: db
            ) { (known: PaymentMethodID, db: borrowing PostgresTransaction) in
                isRepeat = try LinkUseStore.isBound(known, to: link, session: session, in: db)
                return isRepeat
            }
            if !isRepeat { try Self.bind(method.id, to: link, session, call, in: db) }
            return Reply(status: 201, LinkCardResource(method: method))
        }
    }

    /// Begins the payment of this use, or another attempt at it: with another card, or in a way chosen by a page that has
    /// seen the last attempt fail. Asking again for the same shows where the payment stands and begins nothing.
    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: PayLinkInput) async throws -> Reply<LinkStatusResource> {
        try await acting(call) { code in
            try await pool.transactionRetrying(deadline: call.deadline) { db in
                let standing: LinkStanding = try lock(code, in: db)
                let link: LinkRecord = standing.link
                try requireOwn(input, link, in: db)
                let slot: String = link.slot(of: input.session)
                let current: LinkAttempt? = try LinkAttempt.lock(of: link.id, slot, in: db)
                if try current?.admits(input, on: link.id, in: db) ?? true {
                    let means: LinkMeans = try means(of: input, after: current, standing, call, in: db)
                    try begin(input, means, after: current, standing, call, in: db)
                }
                return try answer(code, input.session, call, in: db)
            }
        }
    }

    /// Where a link and this visit's payment stand. A payment that waits for its customer or its bank is asked about first,
    /// so that who comes back from the provider's page sees how it ended; not with every look, though.
    /// - Parameter origin: Which payment the customer came back from; shown to a visit that has none of its own.
    /// - Throws: ``Problem``.
    package func status(
        _ call: Call, _ session: LinkSession, cameFrom origin: PaymentID? = nil
    ) async throws -> LinkStatusResource {
        let (code, seen): (LinkCode, LinkStatusResource) = try await limits.looking(call) {
            let code: LinkCode = try VisitLimits.code(call)
            let seen: LinkStatusResource = try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
                guard let standing: LinkStanding = try LinkStore.find(code, in: db) else { throw VisitLimits.Missed() }
                return try resource(standing, session, cameFrom: origin, call, in: db)
            }
            return (code, seen)
        }
        guard let waiting: PaymentID = seen.waitingElsewhere, pace.isDue(waiting) else { return seen }
        _ = try await sync(waiting)
        return try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
            try resource(try find(code, in: db), session, cameFrom: origin, call, in: db)
        }
    }

    /// Tells how the sandbox's challenge ended. No other provider takes the page's word for it, and where issuers are asked by
    /// 3-D Secure only they say.
    /// - Throws: ``Problem``; nothing is stored then.
    package func confirm(_ call: Call, _ input: ConfirmLinkInput) async throws -> Reply<LinkStatusResource> {
        try await acting(call) { code in
            try await pool.transactionRetrying(deadline: call.deadline) { db in
                let link: LinkRecord = try lock(code, in: db).link
                guard let use = try LinkUseStore.payment(of: link.id, slot: link.slot(of: input.session), in: db),
                    let payment: PaymentRecord = try PaymentStore.lock(use.paymentID, in: db)
                else { throw Problem.notFound("payment") }
                guard payment.status == .requiresAction, SandboxProvider.owns(payment.provider) else {
                    throw ContinuePayment.Failure.notWaiting(payment.status).problem
                }
                _ = try ContinuePayment.confirm(
                    payment.id, passed: input.challenge == .passed, asksIssuers: asksIssuers, at: call.now, in: db)
                return try answer(code, input.session, call, in: db)
            }
        }
    }

    /// An action on a link, within what its address may do. The link is looked up before it begins: one that takes long counts
    /// for no guess.
    func acting<Answer>(_ call: Call, _ act: (LinkCode) async throws -> Answer) async throws -> Answer {
        try await limits.act(call)
        let code: LinkCode = try await limits.looking(call) {
            let code: LinkCode = try VisitLimits.code(call)
            let found: LinkStanding? = try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
                try LinkStore.find(code, in: db)
            }
            guard found != nil else { throw VisitLimits.Missed() }
            return code
        }
        return try await act(code)
    }

    func lock(_ code: LinkCode, in db: borrowing PostgresTransaction) throws -> LinkStanding {
        guard let standing: LinkStanding = try LinkStore.lock(code, in: db) else { throw Self.missing }
        return standing
    }

    private func begin(
        _ input: PayLinkInput, _ means: LinkMeans, after current: LinkAttempt?, _ standing: LinkStanding, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws {
        let agreed: PageAgreement? = try agreement(input, means, standing.link, call, in: db)
        if let refused: PaymentRecord = current?.triedAgain(by: input) {
            try again(refused, means, standing.link, at: call.now, in: db)
            return try PageAgreementStore.note(agreed, with: means.chargeable.id, of: refused.id, in: db)
        }
        // An invoice has one payment for ever.
        guard standing.link.invoiceID == nil else { throw Self.unsupported }
        if let current, current.payment.status == .failed { try current.giveUp(at: call.now, in: db) }
        let begun: PaymentID
        if let plan: PlanChoice = input.plan {
            begun = try agree(plan, means, standing, input.session, call, in: db)
        } else {
            try first(standing.link, means, input.session, call, in: db)
            begun = means.payment
            if agreed != nil {
                try PageAgreementStore.note(agreed, with: means.chargeable.id, of: begun, in: db)
            }
        }
        // As where the refused payment itself is tried again.
        if means.isUnprovenCard, current?.payment.lackedCustomer == true {
            try PaymentStore.askForCustomer(begun, in: db)
        }
    }

    private func first(
        _ link: LinkRecord, _ means: LinkMeans, _ session: LinkSession, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws {
        let order = PaymentOrder(
            id: means.payment, customerID: link.customerID, paymentMethodID: means.card?.id,
            page: means.page, amount: link.amount, captureMethod: .automatic, description: link.description,
            metadata: metadata(of: link), returnURL: settings.address(of: link.code), claim: nil,
            traceparent: call.trace.traceparent, now: call.now)
        try means.take(of: link.amount, at: call.now, in: db)
        try RecordPayments.insert(
            [(order, ResolvedMethod(customerIsKnown: true, method: means.chargeable))], in: db)
        try LinkUseStore.use(link.id, slot: link.slot(of: session), session: session, payment: order.id, in: db)
    }

    /// A customer whose authentication the last attempt failed for want of is authenticated, whatever could be claimed. A
    /// wallet's cryptogram has done so.
    private func again(
        _ payment: PaymentRecord, _ means: LinkMeans, _ link: LinkRecord, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        try means.take(of: payment.amount, at: now, in: db)
        if let page: SingleUseMethod = means.page { try PaymentMethodStore.insertSingleUse([page], at: now, in: db) }
        let next = NextAttempt(
            payment: payment, attemptID: AttemptID.new(at: now), method: means.chargeable, authenticated: false,
            offSession: false, stepUp: means.isUnprovenCard && payment.wantsCustomer ? .due : nil)
        try PaymentStore.beginAttempts([next], at: now, in: db)
        // That of an invoice began without a page to come back to.
        if link.invoiceID != nil {
            try PaymentStore.lead(payment.id, backTo: settings.address(of: link.code), in: db)
        }
        try Outbox.append([PaymentEvents.created(next, at: now)], in: db)
    }

    func answer(
        _ code: LinkCode, _ session: LinkSession, _ call: Call, in db: borrowing PostgresTransaction
    ) throws -> Reply<LinkStatusResource> {
        .accepted(try resource(try find(code, in: db), session, call, in: db))
    }

    func find(_ code: LinkCode, in db: borrowing PostgresTransaction) throws -> LinkStanding {
        guard let standing: LinkStanding = try LinkStore.find(code, in: db) else { throw Self.missing }
        return standing
    }

    /// A link that is gone since its code was looked up.
    private static var missing: Problem { .notFound("payment link") }

    private func resource(
        _ standing: LinkStanding, _ session: LinkSession, cameFrom origin: PaymentID? = nil, _ call: Call,
        in db: borrowing PostgresTransaction
    ) throws -> LinkStatusResource {
        try LinkStatusResource(
            standing, session: session, cameFrom: origin, settings: settings, at: call.now, in: db)
    }
}
