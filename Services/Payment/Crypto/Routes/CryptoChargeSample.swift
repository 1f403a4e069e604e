import BillingCore
import JSON
import PaymentChains

extension CryptoCharge {
    /// An example for documents.
    static var sample: CryptoCharge {
        let expected = BaseUnits(155_400)
        return CryptoCharge(
            attemptID: .sample, paymentID: .sample, provider: "bitcoin",
            address: "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", price: Money(minor: 9_999, currency: .usd),
            rate: ExactDecimal(65_000), spreadBasisPoints: 100, expected: expected, quotedAt: .sample,
            expiresAt: .sample + .seconds(900), policy: .careful, declineAt: .sample + .seconds(1_020),
            watchUntil: .sample + .seconds(2_592_000), standing: StoredStanding(waitingFor: expected))
    }
}
