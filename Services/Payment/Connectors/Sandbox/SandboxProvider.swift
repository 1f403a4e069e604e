package import PaymentContract
package import BillingCore
package import PaymentDomain
package import Postgres

/// The built-in provider: answers by test card and keeps books of its own, as an outside one would. There may be several
/// of them, by name.
///
/// Whatever is asked under a key happens once, however often and from wherever it is asked for.
package struct SandboxProvider: SandboxKeeper {
    /// How long the `slow` card takes.
    static let slowAnswer: Duration = .seconds(3)
    /// How long an authorization is held; card networks hold one for about a week.
    static let holdSeconds: Int64 = 7 * 86_400

    package var name: String { acquirer.name }
    package let capabilities = ProviderCapabilities(
        methods: [
            ProviderCapabilities.Method(
                type: "card", separateCapture: true, partialCapture: true, multipleCapture: true, partialRefund: true,
                offSession: true, tokenOnly: true)
        ], currencies: Set(Currency.all.map(\.code)),
        authentication: ProviderCapabilities.Authentication(
            exemptions: Set(SCAExemption.allCases), takesProof: true), wallets: Set(Wallet.allCases))
    private let acquirer: SandboxAcquirer
    private let charges: GroupCommit<SandboxCharge, ChargeAnswer>
    package let pool: PostgresPool
    package let clock: any WallClock

    /// A provider whose books are in the pool's schema.
    /// - Parameter disputesAfter: How long after a charge a disputing card disputes it, by the business clock.
    package init(
        pool: PostgresPool, clock: any WallClock, acquirer: SandboxAcquirer = SandboxAcquirer(),
        disputesAfter: Duration = .seconds(86_400)
    ) {
        self.pool = pool
        self.clock = clock
        self.acquirer = acquirer
        charges = GroupCommit(pool, maxBatch: 200, gather: .microseconds(500)) { db, items in
            let now: Instant = clock.now
            let answers = try SandboxBooks.charge(
                items, at: acquirer, on: now, heldUntil: now + .seconds(Self.holdSeconds), in: db)
            try SandboxDisputeBooks.foresee(items, at: now + disputesAfter, in: db)
            return answers
        }
    }

    /// Whether a provider's name is one of the sandbox's that take cards: their challenge is the service's own.
    package static func owns(_ provider: String) -> Bool {
        provider.hasPrefix("sandbox") && provider != SandboxLocalProvider.name
    }

    /// What the sandbox knows a card by: the token says how the card behaves.
    package static func token(of number: CardNumber, at acquirer: String = "sandbox") -> String {
        SandboxCard(number).token(at: acquirer)
    }

    /// The country of a card's issuer; `nil` for most of the sandbox's cards.
    package static func country(of number: CardNumber) -> String? { SandboxCard.country(of: number) }

    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try reach()
        guard let card = SandboxCard(request, at: name) else {
            return .declined(ProviderDecline(code: Decline.genericDecline.code))
        }
        if card == .slow { await pause() }
        let answer: ChargeAnswer = try await book(SandboxCharge(request: request, card: card))
        if card == .timeoutThenSuccess || acquirer.fault == .silent { throw .timedOut }
        return answer
    }

    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try reach()
        guard let card = SandboxCard(request, at: name) else {
            return .declined(ProviderDecline(code: Decline.genericDecline.code))
        }
        return try await book(SandboxCharge(request: request, card: card))
    }

    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try reach()
        let now: Instant = clock.now
        let name: String = name
        return try await reachable {
            try await pool.transactionRetrying { db in try SandboxBooks.capture(request, at: now, by: name, in: db) }
        }
    }

    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try reach()
        let name: String = name
        return try await reachable {
            try await pool.transactionRetrying { db in try SandboxBooks.release(request, by: name, in: db) }
        }
    }

    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try reach()
        let name: String = name
        let now: Instant = clock.now
        return try await reachable {
            try await pool.transactionRetrying { db in try SandboxBooks.refund(request, by: name, at: now, in: db) }
        }
    }

    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        try reach()
        return try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.holds(reference, in: db) }
        }
    }

    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        try reach()
        return try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.takings(of: reference, in: db) }
        }
    }

    /// The books are read under the attempt's key.
    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        try reach()
        let name: String = name
        let key: AttemptID = request.idempotencyKey
        return try await reachable {
            try await pool.transaction(readOnly: true) { db in
                try SandboxBooks.answers(to: [key], of: name, in: db)[key]
            }
        }
    }

    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        try reach()
        return try await reachable {
            try await pool.transaction(readOnly: true) { db in try SandboxBooks.refund(named: reference, in: db) }
        }
    }

    /// Nothing is asked of an acquirer that is away or broken.
    private func reach() throws(ProviderFault) {
        switch acquirer.fault {
        case .away: throw .notSent("\(name) is away")
        case .broken: throw .unavailable(503)
        case .silent, .declines, nil: return
        }
    }

    private func book(_ charge: SandboxCharge) async throws(ProviderFault) -> ChargeAnswer {
        try await reachable { try await charges.submit(charge) }
    }

    /// A process that is told to stop does not wait for the slow card.
    private func pause() async {
        do { try await Task.sleep(for: Self.slowAnswer) } catch { return }
    }
}

/// A charge on its way into the sandbox's books.
struct SandboxCharge: Sendable {
    let request: ChargeRequest
    let card: SandboxCard
}
