import BillingCore
import Messaging
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import Postgres

/// Follows what providers tell of refunds: ours are finished, those made at a provider's own pages are read back from it
/// and booked, those that failed after they were booked are undone. Why a crash at any line is safe: a refund of ours is
/// finished as the sweeper would finish it; another one is stored, booked and published in one transaction, once under the
/// provider's name of it.
struct FollowRefunds: Sendable {
    /// A refund that cannot be booked yet; it may be later.
    enum NotYet: Error {
        /// The charge's own outcome may not be recorded yet.
        case chargeUnknown(String)
        /// A refund of ours, which the provider will refuse, may hold the amount.
        case tooMuch(left: Int64)
        /// The provider has taken money back, and a dispute that it does so for may not be known yet, or not be settled.
        case perhapsDisputed
    }

    /// How long a dispute is waited for that money was taken back for: they are followed every minute, and may be told late.
    static let disputeWait: Duration = .seconds(3_600)

    /// What the record of a refund says that was not asked for here.
    static let reason = "made at the provider"

    let refund: RefundPayment
    let pool: PostgresPool
    let clock: any WallClock

    /// - Throws: `Refusal.park` when what is booked and what the provider says part; ``NotYet`` or a provider's fault when
    ///   the same news may be settled later.
    func callAsFunction(_ told: ProviderRefund, at provider: String) async throws {
        let known: RefundRecord? = try await pool.transaction(readOnly: true) { db in
            try Self.standing(told, at: provider, in: db)
        }
        switch known?.status {
        case .processing?: if let id = known?.id { _ = try await refund.finish(id) }
        case .succeeded?: if let id = known?.id { try await bounce(id, told, at: provider) }
        case .failed?: if let id = known?.id { try await compare(id, told, at: provider) }
        case nil: try await adopt(told, at: provider)
        }
    }

    /// The refund as it stands here, under our id or the provider's name of it.
    private static func standing(
        _ told: ProviderRefund, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> RefundRecord? {
        try db.first(
            """
            SELECT \(RefundRecord.columns) FROM refunds
            WHERE (id = \(told.refundID) OR provider_reference = \(told.reference))
                AND EXISTS (SELECT 1 FROM payments p WHERE p.id = refunds.payment_id AND p.provider = \(provider))
            """, as: RefundRecord.self)
    }

    /// A refund that is booked, and failed since: it is undone once the provider confirms it.
    private func bounce(_ id: RefundID, _ told: ProviderRefund, at provider: String) async throws {
        guard case .failed = told.state, let now = try await read(told.reference, at: provider),
            case .failed(let code) = now.state
        else { return }
        let at: Instant = clock.now
        _ = try await pool.transactionRetrying { db in
            // Before the payment, as whoever matches lines: the refund's own may be about to be booked as it stands.
            try DisputeStore.holdLines(of: provider, in: db)
            return try BounceRefund.undo(id, code: code, at: at, in: db)
        }
    }

    /// A refund that was given up: news that it went through is for a person to look at, once the provider confirms it. That
    /// it went through as a dispute's withdrawal is known.
    private func compare(_ id: RefundID, _ told: ProviderRefund, at provider: String) async throws {
        let dispute: DisputeID? = try await pool.transaction(readOnly: true) { db in
            try ReversalStore.dispute(of: told.reference, at: provider, in: db)
        }
        guard dispute == nil else { return }
        guard told.state == .succeeded, try await read(told.reference, at: provider)?.state == .succeeded else {
            return
        }
        try await pool.transactionRetrying { db in
            if try RefundStore.lock(id, in: db) != nil { try RefundRepeats.stop(id, in: db) }
        }
        throw Refusal.park(reason: "the refund \(told.reference) is given up, and went through")
    }

    private func read(_ reference: String, at provider: String) async throws -> ProviderRefund? {
        try await refund.providers.named(provider).refund(named: reference)
    }

    /// Books a refund that is not known here, once it has gone through.
    private func adopt(_ heard: ProviderRefund, at provider: String) async throws {
        let now: Instant = clock.now
        let isDisputed: Bool = try await pool.transactionRetrying { db in
            guard heard.reversedAt != nil, let id = try Self.payment(of: heard.taken, at: provider, in: db),
                let payment: PaymentRecord = try PaymentStore.lock(id, in: db)
            else { return false }
            return try Self.isDisputed(heard, of: payment, at: provider, now, in: db)
        }
        guard !isDisputed else { return }
        guard let told: ProviderRefund = try await read(heard.reference, at: provider) else {
            throw Refusal.park(reason: "the provider knows no refund \(heard.reference)")
        }
        // One that is under way has its end told later; one that failed gives nothing back.
        guard told.state == .succeeded else { return }
        try await pool.transactionRetrying { db in try book(told, heard, at: provider, now, in: db) }
    }

    /// Whether a dispute of the payment, whose row is locked, has booked already that the provider took the money back.
    /// - Throws: ``NotYet`` while that may still come out; `Refusal.park` where it cannot be told from here.
    private static func isDisputed(
        _ heard: ProviderRefund, of payment: PaymentRecord, at provider: String, _ now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        guard let reversal = Reversal(heard, of: payment.id, at: provider) else { return false }
        switch try ExplainReversal.answer(reversal, in: db) {
        case .dispute: return true
        case .unclear: throw NotYet.perhapsDisputed
        case .won(let dispute):
            throw Refusal.park(reason: "\(heard.reference) was taken back, and the dispute \(dispute) is won")
        case .nothing:
            guard now - reversal.toldAt >= disputeWait else { throw NotYet.perhapsDisputed }
            return false
        }
    }

    private func book(
        _ told: ProviderRefund, _ heard: ProviderRefund, at provider: String, _ now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard let id: PaymentID = try Self.payment(of: told.taken, at: provider, in: db),
            let payment: PaymentRecord = try PaymentStore.lock(id, in: db)
        else { throw NotYet.chargeUnknown(told.taken) }
        // The payment's lock is held: nobody else books it meanwhile.
        guard try Self.standing(told, at: provider, in: db) == nil,
            try !Self.isDisputed(heard, of: payment, at: provider, now, in: db)
        else { return }
        guard told.amount.currency == payment.amount.currency, told.amount.isPositive else {
            throw Refusal.park(reason: "the refund \(told.reference) of \(payment.id) is over \(told.amount)")
        }
        let amount: Int64 = try Self.amount(of: told, payment, in: db)
        let refund = RefundID.new(at: now)
        try RefundStore.reserve(
            refund, amount, of: payment, capture: try Self.capture(of: told, amount, payment, in: db),
            reason: Self.reason, at: now, in: db)
        _ = try self.refund.book(refund, reference: told.reference, at: now, in: db)
        let booked = Money(minor: amount, currency: told.amount.currency)
        if let reversal = Reversal(heard, over: booked, of: payment.id, at: provider) {
            try ReversalStore.insert(reversal, as: refund, in: db)
        }
    }

    /// What went back, minor units. A reversal that goes by the charge's or the capture's name is told as over all of it: what
    /// was refunded before is booked, so the rest is meant, once nothing of it is under way.
    /// - Throws: ``NotYet`` where that much is not left.
    private static func amount(
        of told: ProviderRefund, _ payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> Int64 {
        // Whatever a dispute has taken: the provider says that this money has gone, too.
        let left: Int64 = payment.amountCaptured - payment.amountRefunded
        guard told.reference == told.taken else {
            guard told.amount.minor <= left else { throw NotYet.tooMuch(left: left) }
            return told.amount.minor
        }
        let ofCapture: Int64? = try db.first(
            """
            SELECT amount - amount_refunded FROM captures
            WHERE payment_id = \(payment.id) AND status = 'succeeded' AND provider_reference = \(told.taken)
            ORDER BY 1 DESC LIMIT 1
            """
        ) { row in try row.next() }
        let rest: Int64 = min(left, ofCapture ?? left)
        if told.amount.minor <= rest { return told.amount.minor }
        let isUnderWay: Bool? = try db.first(
            "SELECT EXISTS (SELECT 1 FROM refunds WHERE payment_id = \(payment.id) AND status = 'processing')"
        ) { row in try row.next() }
        guard rest > 0, isUnderWay != true else { throw NotYet.tooMuch(left: rest) }
        return rest
    }

    private static func payment(
        of taken: String, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> PaymentID? {
        try PaymentStore.attempt(known: taken, at: provider, in: db)?.payment
    }

    /// The capture it gives back from, the one it names before others; `nil` where the charge captured at once, and where
    /// the provider gave back from several captures.
    private static func capture(
        of told: ProviderRefund, _ amount: Int64, _ payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> CaptureID? {
        guard payment.captureMethod == .manual else { return nil }
        return try db.first(
            """
            SELECT id FROM captures WHERE payment_id = \(payment.id) AND status = 'succeeded'
                AND amount - amount_refunded >= \(amount)
            ORDER BY provider_reference = \(told.taken) DESC, amount - amount_refunded, id LIMIT 1
            """
        ) { row in try row.next() }
    }
}

extension Reversal {
    /// What is told of money that the provider took back; `nil` for a refund that somebody made.
    /// - Parameter booked: What it is booked over; what is told when left out.
    fileprivate init?(
        _ told: ProviderRefund, over booked: Money? = nil, of payment: PaymentID, at provider: String
    ) {
        guard let at: Instant = told.reversedAt else { return nil }
        self.init(
            provider: provider, reference: told.reference, payment: payment, amount: booked ?? told.amount, toldAt: at,
            isOfCharge: told.reference == told.taken)
    }
}
