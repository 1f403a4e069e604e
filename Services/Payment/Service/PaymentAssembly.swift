import Crypto
import Foundation
public import HTTPKit
import Logging
public import Messaging
import PaymentDomain
public import Postgres
public import ServiceKit
public import BillingCore

/// Builds the Payment service out of its configuration.
public struct PaymentAssembly: ServiceAssembly {
    /// The name.
    public static let name = "payment"

    /// What it answers.
    public let endpoints: [Endpoint]
    /// What it listens to.
    public let consumers: [EventConsumer]
    /// What it does on its own.
    public let loops: [BackgroundLoop]

    /// Wires everything; reads the fingerprint key.
    public init(_ parts: ServiceParts) throws {
        let routing = try RoutingAssembly(parts)
        let work = PaymentUseCases(
            pool: parts.pool, providers: routing.providers, clock: parts.clock,
            policy: SweepPolicy(parts.configuration), fingerprintKey: try Self.fingerprintKey(parts.configuration),
            acquirers: routing.acquirers, logger: parts.logger)
        endpoints =
            PaymentRoutes(
                create: work.create, capture: work.capture, cancel: work.cancel
            ).endpoints
            + PaymentMethodRoutes(attach: work.attach).endpoints + RefundRoutes(refund: work.refund).endpoints
            + LedgerRoutes().endpoints + routing.endpoints
            + ReviewRoutes(review: work.review).endpoints
        consumers = [work.consumer]
        let sweep: SweepPayments = work.sweep
        loops = [BackgroundLoop(name: "sweep") { try await sweep.run() }] + routing.loops
    }

    /// Work under way outside the event flow.
    public static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT (SELECT count(*) FROM payments WHERE status IN ('created', 'processing', 'canceling'))
                 + (SELECT count(*) FROM payments WHERE status = 'authorized' AND authorization_expires_at <=
                        now() + (SELECT offset_microseconds FROM test_clock) * interval '1 microsecond')
                 + (SELECT count(*) FROM captures WHERE status = 'processing')
                 + (SELECT count(*) FROM refunds WHERE status = 'processing')
            """
        ) { row in try row.next() } ?? 0
    }

    /// Facts and broken invariants, see ``ServiceAssembly``.
    public static func consistency(_ db: borrowing PostgresTransaction, now: Instant) throws -> ConsistencyFacts {
        try PaymentConsistency.facts(in: db)
    }

    /// The key file's bytes; a sandbox without one draws a key that lasts as long as the process.
    private static func fingerprintKey(_ configuration: ServiceConfiguration) throws -> SymmetricKey {
        guard let path: String = configuration.encryptionKeyPath else { return SymmetricKey(size: .bits256) }
        let bytes: Data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard bytes.count >= 32 else {
            throw ServiceConfiguration.Invalid(faults: ["ENCRYPTION_KEY_PATH must name a file of at least 32 bytes"])
        }
        let derived: SymmetricKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), info: Data("card fingerprint".utf8), outputByteCount: 32)
        return derived
    }
}

extension SweepPolicy {
    init(_ configuration: ServiceConfiguration) {
        self.init(
            silenceSeconds: configuration.int("payment.fraud_timeout_seconds", default: 2),
            offSessionSilenceSeconds: configuration.int("payment.fraud_timeout_off_session_seconds", default: 60),
            lostSeconds: configuration.int("payment.lost_call_seconds", default: 5),
            fallback: FraudFallback(rawValue: configuration.text("payment.fraud_fallback", default: "review"))
                ?? .review)
    }
}
