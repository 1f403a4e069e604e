package import HTTPKit
package import PaymentAuthentication
package import PaymentContract
package import BillingCore
import Crypto
package import Logging
package import Messaging
package import PaymentDomain
import PaymentExchange
package import PaymentLinks
package import PaymentRouting
package import Postgres

/// What Payment does, wired to its providers: everything but HTTP.
package struct PaymentUseCases: Sendable {
    /// The callers of this process.
    package let waiters: PaymentWaiters
    /// Books what the provider said.
    package let outcomes: RecordOutcomes
    /// `POST /v1/payments`.
    package let create: CreatePayment
    /// `POST /v1/payments/{id}/confirm`.
    package let confirm: ConfirmPayment
    /// `POST /v1/payment_methods`.
    package let attach: AttachPaymentMethod
    /// `POST /v1/payments/{id}/captures`.
    package let capture: CapturePayment
    /// `POST /v1/payments/{id}/cancel`.
    package let cancel: CancelPayment
    /// `POST /v1/payments/{id}/review`.
    package let review: ReviewPayment
    /// `POST /v1/refunds`.
    package let refund: RefundPayment
    /// `POST /v1/payments/{id}/authentication`; `nil` where 3-D Secure is not run here.
    package let authenticate: AuthenticatePayment?
    /// The same on a page of this service; `nil` where there is none.
    package let authenticateOnPage: AuthenticateOnPage?
    /// Has providers keep methods.
    package let keep: KeepPaymentMethod
    /// `POST /v1/payment_methods/{id}/tokens`.
    package let keepToken: KeepMethodToken
    /// `POST /v1/payment_methods/{id}/detach`, and what follows at the provider.
    package let remove: RemoveMethods
    /// `POST /v1/payments/{id}/sync`, and what webhooks lead to.
    package let sync: SyncPayment
    /// Moves on what stopped on its way.
    package let sweep: SweepPayments
    /// Follows providers' webhooks.
    package let news: HandleNews
    /// What Payment listens to.
    package let consumer: EventConsumer

    init(
        pool: PostgresPool, providers: PaymentProviders, clock: any WallClock, policy: SweepPolicy,
        actions: ActionPolicy = ActionPolicy(seconds: 86_400),
        confirmation: ActionPolicy = ActionPolicy(seconds: 86_400), fingerprintKey: SymmetricKey,
        acquirers: [String] = [],
        wallets: any WalletReader = ConfiguredWallets(), credentialKey: SymmetricKey = SymmetricKey(size: .bits256),
        directory: ThreeDSServer? = nil, pages: ChallengePages? = nil, risk: RiskPolicy = .standard,
        sca: AssessAuthentication = AssessAuthentication(), route: RoutePayment? = nil,
        cascade: CascadePayment? = nil, exchange: BookExchange = BookExchange(policy: SettlementPolicy()),
        logger: Logger
    ) {
        let seal = CredentialSeal(key: credentialKey)
        let fingerprint = CardFingerprint(key: fingerprintKey)
        waiters = PaymentWaiters(pool: pool)
        outcomes = RecordOutcomes(
            pool: pool, waiters: waiters, clock: clock, policy: actions, cascade: cascade, exchange: exchange,
            pages: directory == nil ? nil : pages)
        let charge = ChargePayments(
            providers: providers, record: outcomes, waiters: waiters, seal: seal, pool: pool, clock: clock,
            logger: logger)
        let verdicts = ApplyVerdicts(
            charge: charge, waiters: waiters, policy: risk, assess: sca, route: route, providers: providers)
        capture = CapturePayment(providers: providers, exchange: exchange, pool: pool, clock: clock)
        cancel = CancelPayment(providers: providers, capture: capture, pool: pool, waiters: waiters, clock: clock)
        review = ReviewPayment(capture: capture, cancel: cancel, pool: pool)
        refund = RefundPayment(providers: providers, exchange: exchange, pool: pool, clock: clock)
        sync = SyncPayment(charge: charge, pool: pool, policy: policy)
        news = HandleNews(
            pool: pool, sync: sync, capture: capture,
            refunds: FollowRefunds(refund: refund, pool: pool, clock: clock),
            releases: FollowReleases(capture: capture, pool: pool, clock: clock),
            late: FollowLateCharges(providers: providers, record: outcomes, pool: pool))
        let record = RecordPayments(pool: pool, providers: providers)
        let answer = AnswerWhenSettled(waiters: waiters, pool: pool)
        let onPage = PageMethods(providers: providers, pool: pool)
        create = CreatePayment(record: record, pages: onPage, answer: answer, confirmation: confirmation)
        confirm = ConfirmPayment(record: record, pages: onPage, answer: answer, asksIssuers: directory != nil)
        keep = KeepPaymentMethod(providers: providers, pool: pool, clock: clock, actions: actions)
        keepToken = KeepMethodToken(providers: providers, pool: pool)
        remove = RemoveMethods(providers: providers, pool: pool, logger: logger)
        attach = AttachPaymentMethod(
            providers: providers, keep: keep,
            wallet: AttachWallet(
                reader: wallets, seal: seal, providers: providers, pool: pool, fingerprint: fingerprint),
            pool: pool, fingerprint: fingerprint, acquirers: acquirers,
            numbers: directory == nil ? nil : seal, clock: clock)
        authenticate = directory.map {
            AuthenticatePayment(
                server: $0, credentialSeal: seal, publicURL: pages?.publicURL ?? "", pool: pool, clock: clock)
        }
        authenticateOnPage = authenticate.flatMap { authenticate in
            pages.map { AuthenticateOnPage(authenticate: authenticate, publicURL: $0.publicURL) }
        }
        sweep = SweepPayments(
            pool: pool, verdicts: verdicts, charge: charge, capture: capture, cancel: cancel, refund: refund,
            keep: keep, remove: remove, clock: clock, policy: policy, logger: logger)
        consumer = PaymentConsumers(verdicts: verdicts).consumer
    }

    /// Wires them with a fingerprint key that lasts as long as this value.
    package init(
        pool: PostgresPool, providers: PaymentProviders, clock: any WallClock, policy: SweepPolicy,
        wallets: any WalletReader = ConfiguredWallets(), directory: ThreeDSServer? = nil,
        pages: ChallengePages? = nil, risk: RiskPolicy = .standard,
        sca: AssessAuthentication = AssessAuthentication(), acquirers: [String] = [],
        route: RoutePayment? = nil, cascade: CascadePayment? = nil, logger: Logger
    ) {
        self.init(
            pool: pool, providers: providers, clock: clock, policy: policy,
            fingerprintKey: SymmetricKey(size: .bits256), acquirers: acquirers, wallets: wallets,
            directory: directory, pages: pages, risk: risk, sca: sca, route: route, cascade: cascade, logger: logger)
    }
}

extension PaymentUseCases {
    /// What they answer over HTTP.
    package var endpoints: [Endpoint] {
        PaymentRoutes(
            create: create, confirm: confirm, capture: capture, cancel: cancel, sync: sync
        ).endpoints
            + PaymentMethodRoutes(attach: attach, keep: keep, keepToken: keepToken, remove: remove).endpoints
            + [DefaultMethodRoute().endpoint]
            + RefundRoutes(refund: refund).endpoints
            + ReviewRoutes(review: review).endpoints
            + authenticationEndpoints
    }

    /// What issuers and their pages ask of 3-D Secure.
    package var authenticationEndpoints: [Endpoint] {
        AuthenticationRoutes(authenticate: authenticate, onPage: authenticateOnPage).endpoints
    }

    /// The page on which customers authenticate.
    package func authenticationPages(_ page: AuthenticationPage) -> [Endpoint] {
        AuthenticationPageRoutes(page: page, authenticate: authenticateOnPage).endpoints
    }
}
