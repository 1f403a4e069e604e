package import BillingCore
package import PaymentChains
package import PaymentContract
package import Postgres

/// An attempt at a payment in a crypto asset, as stored: its address, its quote and what has become of it.
package struct CryptoCharge: PostgresRecord, Sendable {
    /// The last word on an attempt; it stays, whatever the chain does afterwards.
    package enum Answer: Sendable, Hashable {
        case captured
        /// In the words of the decline: `quote_expired`, `underpaid`, `paid_late`, `canceled`.
        case declined(String)

        package var text: String {
            switch self {
            case .captured: "captured"
            case .declined(let code): code
            }
        }
    }

    package let attemptID: AttemptID
    package let paymentID: PaymentID
    package let provider: String
    package let address: String
    package let price: Money
    package let rate: ExactDecimal
    package let spreadBasisPoints: Int
    package let expected: BaseUnits
    package let quotedAt: Instant
    package let expiresAt: Instant
    package let policy: WatchPolicy
    /// When an attempt that is not paid is declined.
    package let declineAt: Instant
    package let watchUntil: Instant
    package let standing: StoredStanding
    package let answer: Answer?
    package let answeredAt: Instant?
    /// What was applied when it was captured, and what came in time on top of it before a refund was asked for.
    package let capturedUnits: BaseUnits?
    package let closedAt: Instant?
    /// What is on the address beyond the transfers that were seen.
    package let unexplained: BaseUnits
    /// Whether the last look that judged it read all that can have been paid in time.
    package let isAllRead: Bool
    /// Whether the ledger has all that is owed to the payer.
    package let isSurplusBooked: Bool
    /// When the last look began that was told what the address has; `nil` where none was.
    package let balanceAt: Instant?
    /// From which height on the node has told nothing of a transfer that was seen to wait.
    package let untoldSince: UInt64?

    package static let columns: SQL = """
        c.attempt_id, c.payment_id, c.provider, c.address, c.amount, c.currency, c.rate, c.spread_basis_points, \
        c.expected, c.quoted_at, c.expires_at, c.tolerance_basis_points, c.late_rule, c.least_refund, \
        c.confirmations, c.decline_at, c.watch_until, c.outcome, c.received, c.pending, c.late, c.applied, c.held, \
        c.refundable, c.missing, c.answer, c.answered_at, c.captured_units, c.closed_at, c.unexplained, \
        c.is_all_read, c.booked_surplus = c.held + c.refundable, c.balance_at, c.untold_since
        """

    /// Takes a charge over as it is.
    init(
        attemptID: AttemptID, paymentID: PaymentID, provider: String, address: String, price: Money,
        rate: ExactDecimal, spreadBasisPoints: Int, expected: BaseUnits, quotedAt: Instant, expiresAt: Instant,
        policy: WatchPolicy, declineAt: Instant, watchUntil: Instant, standing: StoredStanding
    ) {
        self.attemptID = attemptID
        self.paymentID = paymentID
        self.provider = provider
        self.address = address
        self.price = price
        self.rate = rate
        self.spreadBasisPoints = spreadBasisPoints
        self.expected = expected
        self.quotedAt = quotedAt
        self.expiresAt = expiresAt
        self.policy = policy
        self.declineAt = declineAt
        self.watchUntil = watchUntil
        self.standing = standing
        answer = nil
        answeredAt = nil
        capturedUnits = nil
        closedAt = nil
        unexplained = .zero
        isAllRead = true
        isSurplusBooked = true
        balanceAt = nil
        untoldSince = nil
    }

    package init(row: inout PostgresRow) throws {
        attemptID = try row.next()
        paymentID = try row.next()
        provider = try row.next()
        address = try row.next()
        price = Money(minor: try row.next(), currency: try row.next())
        rate = try row.next()
        spreadBasisPoints = try row.next()
        expected = try row.next()
        quotedAt = try row.next()
        expiresAt = try row.next()
        policy = try Self.policy(&row)
        declineAt = try row.next()
        watchUntil = try row.next()
        standing = try StoredStanding(row: &row)
        let word: String? = try row.next()
        answer = word.map { $0 == Answer.captured.text ? .captured : .declined($0) }
        answeredAt = try row.next()
        capturedUnits = try row.next()
        closedAt = try row.next()
        unexplained = try row.next()
        isAllRead = try row.next()
        isSurplusBooked = try row.next()
        balanceAt = try row.next()
        let untold: Int64? = try row.next()
        untoldSince = untold.map { UInt64($0) }
    }

    private static func policy(_ row: inout PostgresRow) throws -> WatchPolicy {
        let tolerance: Int = try row.next()
        let late: WatchPolicy.LateRule = try row.nextCase()
        let least: BaseUnits = try row.next()
        let tiers: String = try row.next()
        guard let parsed = ConfirmationTiers.parse(tiers) else {
            throw UnreadableRecord("not tiers of confirmations")
        }
        return try WatchPolicy(tiers: parsed, toleranceBasisPoints: tolerance, leastRefund: least, late: late)
    }

    /// What the address waits for. After a decline late money cannot complete the attempt any more: where it would
    /// have been accepted, a person decides.
    package var terms: WatchTerms {
        get throws {
            var policy: WatchPolicy = self.policy
            if case .declined = answer, policy.late == .accept {
                policy = try WatchPolicy(
                    tiers: policy.tiers, toleranceBasisPoints: policy.toleranceBasisPoints,
                    leastRefund: policy.leastRefund, late: .hold)
            }
            // Nodes write addresses in lower case; ours are shown with a checksum in the case of their letters.
            return WatchTerms(
                address: address.lowercased(), expected: expected, opensAt: quotedAt, expiresAt: expiresAt,
                policy: policy)
        }
    }

    /// The provider's word as it stands.
    /// - Parameter asset: What it is paid in.
    package func chargeAnswer(_ asset: CryptoAsset) throws -> ChargeAnswer {
        switch answer {
        case .captured: .captured(ProviderCharge(reference: address))
        case .declined(let code): .declined(ProviderDecline(code: code, reference: address))
        case nil: .actionRequired(reference: address, .transfer(try transfer(asset)))
        }
    }

    /// What the payer is asked for: what is missing, counting what is on its way. When nothing is, the URI has no amount.
    package func transfer(_ asset: CryptoAsset) throws -> CryptoTransfer {
        let missing: BaseUnits = standing.missing
        return CryptoTransfer(
            asset: asset.symbol, address: address, amount: missing.description,
            uri: try asset.uri(to: address, amount: missing.isZero ? nil : missing), expiresAt: expiresAt)
    }
}
