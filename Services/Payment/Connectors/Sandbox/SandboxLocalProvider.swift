package import BillingCore
package import PaymentContract
import PaymentDomain
package import Postgres

/// The sandbox's methods beside cards: wallets, banks and lenders whose page is one of ours, and debits of bank accounts.
///
/// Repeats are safe by the attempt's key: what is asked under it is begun once, and asking again tells how it stands. As with
/// PayPal's orders, what a customer has authorized on the page is taken when it is asked for, or asked about, after that; and
/// what a bank has answered to a debit is known then. A look-up changes nothing.
package struct SandboxLocalProvider: SandboxKeeper {
    /// Its name in records and account names.
    package static let name = "sandbox_local"
    /// Where the page of a charge is, below the public address; its reference follows.
    package static let pagePath = "/pay/sandbox/"

    private static let methods: [ProviderCapabilities.Method] = [
        .payPal(offSession: false), .venmo(offSession: false), .ideal, .sepaDebit, .klarna, .afterpay, .affirm,
    ]

    package var name: String { Self.name }
    package let capabilities: ProviderCapabilities
    package let pool: PostgresPool
    package let clock: any WallClock
    private let publicURL: String
    private let disputesAfter: Duration

    /// A provider whose books are in the pool's schema.
    /// - Parameters:
    ///   - publicURL: Where customers reach the page, without a slash at its end.
    ///   - disputesAfter: How long after a debit was paid a disputing account disputes it, by the business clock.
    ///   - others: Kinds of methods that a configured provider offers: what that one refuses is not to be taken here.
    ///     Charges that have begun here go on.
    package init(
        pool: PostgresPool, clock: any WallClock, publicURL: String, disputesAfter: Duration = .seconds(86_400),
        except others: Set<String> = []
    ) {
        capabilities = ProviderCapabilities(
            methods: Self.methods.filter { !others.contains($0.type) },
            currencies: Set(PayPalAmount.currencies.map(\.code)).union(StripeAmount.currencies.map(\.code)))
        self.pool = pool
        self.clock = clock
        self.publicURL = publicURL
        self.disputesAfter = disputesAfter
    }

    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        guard let source: SandboxLocalSource = source(of: request) else {
            return .declined(ProviderDecline(code: Decline.genericDecline.code))
        }
        let (now, disputesAfter): (Instant, Duration) = (clock.now, disputesAfter)
        let charge: SandboxLocalCharge? = try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxLocalBooks.begin(request, from: source, at: now, disputesAfter: disputesAfter, in: db)
                return try SandboxLocalBooks.advance(request, at: now, in: db)
            }
        }
        guard let charge else { throw .unusable("the charge is not in the books") }
        return answer(charge)
    }

    /// The same: it is begun once, and asked about ever after.
    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await charge(request)
    }

    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        let key: AttemptID = request.idempotencyKey
        let charge: SandboxLocalCharge? = try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxLocalBooks.find(key, in: db) }
        }
        return charge.map(answer)
    }

    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        let now: Instant = clock.now
        return try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxBooks.capture(request, at: now, by: Self.name, in: db)
            }
        }
    }

    /// Also closes the page of a customer who has not authorized yet.
    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await reachable {
            try await pool.transactionRetrying { db in try SandboxLocalBooks.release(request, in: db) }
        }
    }

    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        let now: Instant = clock.now
        return try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxBooks.refund(request, by: Self.name, at: now, in: db)
            }
        }
    }

    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.refund(named: reference, in: db) }
        }
    }

    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.holds(reference, in: db) }
        }
    }

    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.takings(of: reference, in: db) }
        }
    }

    /// What a charge is taken from; `nil` for what this is no provider of. What is not offered any more counts: the charge
    /// may have begun before.
    private func source(of request: ChargeRequest) -> SandboxLocalSource? {
        switch request.source {
        case .redirect(let type, _):
            Self.methods.contains { $0.type == type && !$0.tokenOnly } ? .page : nil
        case .stored(let token, _): SandboxAccount(rawValue: token).map { .account($0) }
        case .walletCard: nil
        }
    }

    private func answer(_ charge: SandboxLocalCharge) -> ChargeAnswer {
        guard charge.answer.outcome == .requiresAction else {
            return charge.answer.charge(under: charge.key, heldUntil: charge.heldUntil)
        }
        guard !charge.isDebit else { return .pending(reference: charge.reference) }
        return .actionRequired(
            reference: charge.reference, .redirect(url: publicURL + Self.pagePath + charge.reference))
    }
}

/// The customer's page.
extension SandboxLocalProvider {
    /// Whether the page of a charge waits for its customer; `nil` where there is no page of the name.
    /// - Throws: ``ProviderFault`` while the books do not answer.
    package func isWaiting(_ reference: String) async throws(ProviderFault) -> Bool? {
        try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxLocalBooks.isWaiting(reference, in: db) }
        }
    }

    /// What the customer has chosen on the page. It counts once: a page that waits no more stays as it is.
    /// - Throws: ``ProviderFault`` while the books do not answer.
    package func choose(_ reference: String, authorized: Bool) async throws(ProviderFault) {
        let now: Instant = clock.now
        try await reachable {
            try await pool.transactionRetrying { db in
                try SandboxLocalBooks.choose(reference, authorized: authorized, at: now, in: db)
            }
        }
    }
}

/// Bank accounts, by the names of ``SandboxAccount``.
extension SandboxLocalProvider: ProviderBankAccounts {
    /// The number is not kept: the token only says how the bank answers.
    package func token(
        of account: BankAccount, as method: PaymentMethodID
    ) async throws(ProviderFault) -> String {
        SandboxAccount(account.iban).rawValue
    }

    package func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        guard request.type == "sepa_debit", let account = SandboxAccount(rawValue: request.token) else {
            return .declined(ProviderDecline(code: "invalid_account"))
        }
        return .saved(
            SavedMethod(
                token: account.rawValue, customer: nil, brand: nil, last4: account.last4, expMonth: nil, expYear: nil,
                fingerprint: nil))
    }

    package func saved(
        _ request: SaveMethodRequest, reference: String
    ) async throws(ProviderFault) -> SaveMethodAnswer {
        try await save(request)
    }

    package func look(at token: String) async throws(ProviderFault) -> VaultedMethod? {
        SandboxAccount(rawValue: token).map { _ in VaultedMethod(type: "sepa_debit") }
    }

    /// Nothing is kept.
    package func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        .forgotten
    }
}
