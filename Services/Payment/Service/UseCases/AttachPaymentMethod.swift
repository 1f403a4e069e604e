import PaymentRouting
import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentSandbox
import Postgres

/// Attaches a payment method to a customer: a card of the sandbox's, a wallet's token, or a method that a provider
/// keeps. A card's number lives for the length of this call.
package struct AttachPaymentMethod: Sendable {
    enum Failure: Error, Equatable { case unknownCustomer }

    let providers: PaymentProviders
    let keep: KeepPaymentMethod
    let wallet: AttachWallet
    let pool: PostgresPool
    let fingerprint: CardFingerprint
    /// Further sandbox acquirers that can charge the card.
    let acquirers: [String]
    /// Seals card numbers where a directory server of 3-D Secure is to be told them; `nil` where none are kept.
    let numbers: CredentialSeal?
    let clock: any WallClock

    /// - Returns: 201 with the method; 202 while the provider is still about it.
    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: CreatePaymentMethodInput) async throws -> Reply<
        PaymentMethodResource
    > {
        do {
            return try await News.patiently(News.patience, until: { $0 is Failure }) {
                if let token: WalletInput = input.wallet { return try await wallet(call, input.customerID, token) }
                if let kept: KeptMethodInput = input.kept { return try await keep(call, input, kept) }
                guard let card: CardInput = input.card else {
                    throw Problem.invalid("card", code: "required", "is needed")
                }
                let method: PaymentMethodRecord = record(
                    of: card, for: input.customerID, isDefault: input.isDefault, agreed: input.acceptance, at: call.now)
                return try await pool.transactionRetrying { db in try store(method, card, call.claim(), in: db) }
            }
        } catch Failure.unknownCustomer {
            throw Problem.invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        }
    }

    /// What is kept of a card.
    /// - Throws: ``Problem`` for one that has expired, and where cards are not entered here.
    func method(
        _ card: CardInput, of customer: CustomerID, isDefault: Bool, at now: Instant
    ) throws(Problem) -> PaymentMethodRecord {
        try admit(card, at: now)
        return record(of: card, for: customer, isDefault: isDefault, agreed: nil, at: now)
    }

    private func admit(_ card: CardInput, at now: Instant) throws(Problem) {
        guard providers.capabilities(of: "sandbox") != nil else {
            throw Problem.invalid(
                "card", code: "card_not_accepted", "cards are entered on the provider's form: give provider and token")
        }
        guard !card.isExpired(at: now) else {
            throw Problem.invalid("card.exp_year", code: "expired_card", "the card has expired")
        }
    }

    private func record(
        of card: CardInput, for customer: CustomerID, isDefault: Bool, agreed: AcceptanceInput?, at now: Instant
    ) -> PaymentMethodRecord {
        let id = PaymentMethodID.new(at: now)
        return PaymentMethodRecord(
            id: id, customerID: customer, brand: card.number.brand,
            bin: card.number.issuerDigits, last4: card.number.last4, expMonth: card.expMonth, expYear: card.expYear,
            fingerprint: fingerprint(card.number), provider: "sandbox",
            providerToken: SandboxProvider.token(of: card.number), isDefault: isDefault,
            country: SandboxProvider.country(of: card.number), createdAt: now, providers: ["sandbox"] + acquirers,
            mandate: agreed?.mandate(of: id, at: now)
        )
    }

    /// What further acquirers know a card by.
    private func tokens(of card: CardInput) -> [MethodToken] {
        acquirers.map { MethodToken(provider: $0, token: SandboxProvider.token(of: card.number, at: $0)) }
    }

    private func store(
        _ method: PaymentMethodRecord, _ card: CardInput, _ claim: IdempotencyClaim?,
        in db: borrowing PostgresTransaction
    ) throws -> Reply<PaymentMethodResource> {
        if let claim {
            let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
            if case .replay(let stored) = result { return Reply(replaying: stored) }
            guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
        }
        // A repeat has its answer, whether the card has expired meanwhile or not.
        try admit(card, at: method.createdAt)
        try insert(method, card, in: db)
        let reply = Reply(status: 201, PaymentMethodResource(method))
        if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
        return reply
    }

    /// Stores a card's method with its event and, where a directory server is to be told it, its number under seal; in the
    /// caller's transaction.
    /// - Throws: ``Failure``.
    func insert(
        _ method: PaymentMethodRecord, _ card: CardInput, in db: borrowing PostgresTransaction
    ) throws {
        guard try PaymentMethodStore.lockCustomer(method.customerID, in: db) else { throw Failure.unknownCustomer }
        try PaymentMethodStore.insert(method, in: db)
        try MethodTokenStore.insert(tokens(of: card), of: method.id, at: method.createdAt, in: db)
        if let numbers {
            let sealed: [UInt8] = try numbers.seal(card.walletCard, for: method.id.rawValue)
            try AuthenticationStore.keepNumber(sealed, of: method.id, in: db)
        }
        // Told as of now: what was billed while the request waited may not have seen the method.
        try Outbox.append([PaymentEvents.attached(method, at: clock.now)], in: db)
    }
}

extension CardInput {
    /// What is sealed of it: never the code.
    fileprivate var walletCard: WalletCard {
        WalletCard(wallet: nil, number: number, expMonth: expMonth, expYear: expYear, cryptogram: nil, eci: nil)
    }
}
