import PaymentRecords
import PaymentRouting
import BillingCore
import PaymentSandbox
import BillingEvents
import Crypto
package import HTTPKit
import Messaging
import PaymentDomain
import Postgres

/// Hands a card to the provider and stores what may be known of it. The number lives for the length of this call.
package struct AttachPaymentMethod: Sendable {
    enum Failure: Error, Equatable { case unknownCustomer }

    let pool: PostgresPool
    /// Keys the fingerprint, so that it says nothing of the number to whoever lacks the key.
    let fingerprintKey: SymmetricKey
    /// Further sandbox acquirers that can charge the card.
    let acquirers: [String]

    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(_ call: Call, _ input: CreatePaymentMethodInput) async throws -> Reply<
        PaymentMethodResource
    > {
        guard !input.card.isExpired(at: call.now) else {
            throw Problem.invalid("card.exp_year", code: "expired_card", "the card has expired")
        }
        let method = PaymentMethodRecord(
            id: PaymentMethodID.new(at: call.now), customerID: input.customerID, brand: input.card.number.brand,
            bin: input.card.number.issuerDigits, last4: input.card.number.last4, expMonth: input.card.expMonth,
            expYear: input.card.expYear,
            fingerprint: fingerprint(of: input.card.number), provider: "sandbox",
            providerToken: SandboxProvider.token(of: input.card.number),
            isDefault: input.isDefault, createdAt: call.now)
        let tokens: [MethodToken] = acquirers.map {
            MethodToken(provider: $0, token: SandboxProvider.token(of: input.card.number, at: $0))
        }
        do {
            return try await News.patiently(CreatePayment.newsPatience, until: { $0 is Failure }) {
                try await pool.transactionRetrying { db in try Self.store(method, tokens, call.claim(), in: db) }
            }
        } catch Failure.unknownCustomer {
            throw Problem.invalid("customer_id", code: "unknown_customer", "there is no customer with this id")
        }
    }

    private static func store(
        _ method: PaymentMethodRecord, _ tokens: [MethodToken], _ claim: IdempotencyClaim?,
        in db: borrowing PostgresTransaction
    ) throws -> Reply<PaymentMethodResource> {
        if let claim {
            let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
            if case .replay(let stored) = result { return Reply(replaying: stored) }
            guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
        }
        guard try PaymentMethodStore.lockCustomer(method.customerID, in: db) else { throw Failure.unknownCustomer }
        try PaymentMethodStore.insert(method, in: db)
        try MethodTokenStore.insert(tokens, of: method.id, at: method.createdAt, in: db)
        let body = PaymentMethodAttachedV1(
            paymentMethodID: method.id, customerID: method.customerID, brand: method.brand, last4: method.last4,
            expMonth: Int64(method.expMonth), expYear: Int64(method.expYear), fingerprint: method.fingerprint,
            isDefault: method.isDefault)
        try Outbox.append(body, key: method.customerID.rawValue, at: method.createdAt, in: db)
        let reply = Reply(status: 201, PaymentMethodResource(method))
        if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
        return reply
    }

    private func fingerprint(of number: CardNumber) -> String {
        let code: HMAC<SHA256>.MAC = HMAC<SHA256>.authenticationCode(
            for: Array(number.digits.utf8), using: fingerprintKey)
        return code.prefix(12).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
