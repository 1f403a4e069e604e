import BillingCore
import Crypto
import HTTPKit
import JSON
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentRouting
import PaymentWallets
import Postgres
import Synchronization
import Telemetry

/// Accepts a wallet's token: it is checked and opened here, marked as seen, and what its one charge needs is kept sealed,
/// all in one transaction. A token that is refused leaves an audit line and nothing else; of a flood only so many a minute.
struct AttachWallet: Sendable {
    /// Why a token is refused.
    private struct Refusal: Error {
        let reason: String
    }

    let reader: any WalletReader
    let seal: CredentialSeal
    let providers: PaymentProviders
    let pool: PostgresPool
    let fingerprint: CardFingerprint
    private let lines = RefusalLines()
    private let refused: Counter = Metrics.shared.counter(
        "wallet_tokens_refused_total", help: "Wallets' tokens that did not pass a check")

    init(
        reader: any WalletReader, seal: CredentialSeal, providers: PaymentProviders, pool: PostgresPool,
        fingerprint: CardFingerprint
    ) {
        self.reader = reader
        self.seal = seal
        self.providers = providers
        self.pool = pool
        self.fingerprint = fingerprint
    }

    /// - Throws: ``AttachPaymentMethod/Failure`` or ``Problem``.
    func callAsFunction(
        _ call: Call, _ customer: CustomerID, _ wallet: WalletInput
    ) async throws -> Reply<PaymentMethodResource> {
        return try await auditing(wallet, of: customer, at: call.now) { db in
            // The key first: a repeat of the request is answered, not taken for a replay of the token.
            let claim: IdempotencyClaim? = call.claim()
            if let claim {
                let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
                if case .replay(let stored) = result { return Reply(replaying: stored) }
                guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
            }
            let method: PaymentMethodRecord = try accept(wallet, of: customer, at: call.now, in: db)
            let reply = Reply(status: 201, PaymentMethodResource(method))
            if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
            return reply
        }
    }

    /// Runs a transaction that accepts a token; one that is refused leaves an audit line and nothing else.
    /// - Throws: ``Problem`` 422 with the reason.
    func auditing<Answer: Sendable>(
        _ wallet: WalletInput, of customer: CustomerID, at now: Instant,
        _ work: @escaping @Sendable (borrowing PostgresTransaction) throws -> Answer
    ) async throws -> Answer {
        do {
            return try await pool.transactionRetrying { db in try work(db) }
        } catch let refusal as Refusal {
            refused.increment()
            if lines.mayWrite() {
                try await pool.transactionRetrying { db in
                    try WalletStore.refuse(wallet.type.rawValue, refusal.reason, of: customer, at: now, in: db)
                }
            }
            throw Problem.invalid(
                "wallet.token", code: "wallet_token_refused", "the token is refused: \(refusal.reason)")
        }
    }

    /// Opens a token, marks it as seen, and keeps what its one charge needs; within ``auditing(_:of:at:_:)``.
    /// - Parameter isRepeat: Whether who hands over a token that became this method has handed it over before; they are given
    ///   the method again.
    /// - Throws: ``AttachPaymentMethod/Failure`` or ``Problem``.
    func accept(
        _ wallet: WalletInput, of customer: CustomerID, at now: Instant, in db: borrowing PostgresTransaction,
        isRepeat: (PaymentMethodID, borrowing PostgresTransaction) throws -> Bool = { _, _ in false }
    ) throws -> PaymentMethodRecord {
        guard try PaymentMethodStore.lockCustomer(customer, in: db) else {
            throw AttachPaymentMethod.Failure.unknownCustomer
        }
        let takers: [any PaymentProvider] = providers.opening(wallet.type)
        guard !takers.isEmpty else {
            throw Problem.invalid("wallet", code: "wallet_not_accepted", "no provider here takes this wallet's cards")
        }
        let credential: WalletCredential = try open(wallet, at: now)
        let method: PaymentMethodRecord = method(credential, of: customer, by: takers.map(\.name), at: now)
        guard try WalletStore.see(credential.singleUse, as: method.id, in: db) else {
            guard let known: PaymentMethodID = try WalletStore.method(of: credential.singleUse, in: db),
                try isRepeat(known, db), let kept: PaymentMethodRecord = try PaymentMethodStore.find(known, in: db)
            else { throw Refusal(reason: "replayed") }
            return kept
        }
        try PaymentMethodStore.insert(method, in: db)
        let others: [MethodToken] = takers.dropFirst().map { MethodToken(provider: $0.name, token: Self.noToken) }
        try MethodTokenStore.insert(others, of: method.id, at: now, in: db)
        try WalletStore.keep(
            credential, sealed: try seal.seal(credential.card, for: method.id.rawValue), of: method.id, in: db)
        return method
    }

    private func open(_ wallet: WalletInput, at now: Instant) throws -> WalletCredential {
        let opened: WalletCredential?
        do throws(WalletTokenError) {
            opened = try reader.read(wallet.type, wallet.token.serialized, at: now)
        } catch {
            throw Refusal(reason: error.code)
        }
        guard let credential: WalletCredential = opened else {
            throw Problem.invalid("wallet.type", code: "wallet_not_configured", "this wallet is not accepted here")
        }
        let today = CivilDate(dayNumber: Int((now.seconds - 43_200) / 86_400))
        guard (credential.expiry.year, credential.expiry.month) >= (today.year, today.month) else {
            throw Refusal(reason: "expired_card")
        }
        return credential
    }

    /// No provider knows a token of it: without its credential it cannot be charged.
    private static let noToken = ""

    private func method(
        _ credential: WalletCredential, of customer: CustomerID, by providers: [String], at now: Instant
    ) -> PaymentMethodRecord {
        PaymentMethodRecord(
            id: PaymentMethodID.new(at: now), customerID: customer, brand: credential.number.brand,
            bin: credential.number.issuerDigits, last4: credential.number.last4, expMonth: credential.expiry.month,
            expYear: credential.expiry.year, fingerprint: fingerprint(credential.number), provider: providers[0],
            providerToken: Self.noToken, isDefault: false, createdAt: now, providers: providers)
    }
}

/// How many audit lines of refused tokens an instance writes, in real time: whoever has a link's code can have tokens refused
/// without end, and a flood of them does not fill the disk.
private final class RefusalLines: Sendable {
    private static let maxPerMinute = 600
    private let written = Mutex<(since: ContinuousClock.Instant, lines: Int)>((.now, 0))

    func mayWrite() -> Bool {
        let now: ContinuousClock.Instant = .now
        return written.withLock { written in
            if now - written.since >= .seconds(60) { written = (now, 0) }
            written.lines += 1
            return written.lines <= Self.maxPerMinute
        }
    }
}

/// Tells cards apart without telling their numbers to whoever lacks the key.
struct CardFingerprint: Sendable {
    let key: SymmetricKey

    func callAsFunction(_ number: CardNumber) -> String {
        let code: HMAC<SHA256>.MAC = HMAC<SHA256>.authenticationCode(for: Array(number.digits.utf8), using: key)
        return code.prefix(12).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
