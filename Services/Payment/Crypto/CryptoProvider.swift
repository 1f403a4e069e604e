package import BillingCore
import Logging
import PaymentChains
package import PaymentContract
package import PaymentDomain
package import Postgres

/// Takes payments in one asset: every attempt gets an address of its own, and the chain says what came of it.
///
/// The provider's books are ours: an address is stored, with its quote, before anybody sees it, and the watcher moves
/// what is stored. So a question that is asked again gets the same address, and no two attempts share one.
package struct CryptoProvider: PaymentProvider {
    package let name: String
    package let capabilities: ProviderCapabilities
    private let accepted: AcceptedAsset
    private let addresses: AddressSource
    private let pool: PostgresPool
    private let clock: any WallClock
    private let terms: CryptoTerms

    package init(
        _ accepted: AcceptedAsset, addresses: AddressSource, pool: PostgresPool, clock: any WallClock,
        terms: CryptoTerms
    ) {
        name = accepted.name
        capabilities = ProviderCapabilities(
            methods: [
                ProviderCapabilities.Method(
                    type: accepted.name, separateCapture: false, partialCapture: false, multipleCapture: false,
                    partialRefund: true, offSession: false)
            ], currencies: Set(Currency.all.map(\.code)))
        self.accepted = accepted
        self.addresses = addresses
        self.pool = pool
        self.clock = clock
        self.terms = terms
    }

    /// Gives the attempt its address and quote, or says how it stands when it has one.
    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        guard case .redirect(let method, _) = request.source, method == name, request.capture else {
            return .declined(ProviderDecline(code: CryptoDecline.methodUnsupported))
        }
        return try await stored { db in
            if let known = try CryptoChargeStore.find(request.idempotencyKey, in: db) {
                return try known.chargeAnswer(accepted.asset)
            }
            return try open(request, at: clock.now, db)
        }
    }

    /// How the attempt stands; one that was never stored is opened now.
    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await charge(request)
    }

    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        .refused(code: CryptoDecline.methodUnsupported)
    }

    /// Gives an attempt up: what arrives from now on is not for it. Not while money is on its way, something on the address
    /// is unexplained, not all of it was read, or nobody can see what has come: the chain decides then, in its time.
    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await stored { db in
            guard let charge = try CryptoChargeStore.lock(address: request.reference, of: name, in: db) else {
                return .refused(code: "unknown_charge")
            }
            if charge.answer == .captured { return .refused(code: "captured") }
            if charge.answer == nil {
                guard charge.standing.pending.isZero, charge.unexplained.isZero, charge.isAllRead,
                    try ChainStore.isInSight(accepted.asset.chain, seconds: terms.blindSeconds, in: db)
                else { return .refused(code: CryptoDecline.unclear) }
                try CryptoChargeStore.answer(
                    charge.attemptID, .declined(CryptoDecline.canceled), units: nil, at: clock.now, in: db)
            }
            return .released
        }
    }

    package func reading(of decline: ProviderDecline) -> DeclineReading {
        DeclineReading(CryptoDecline.meaning(of: decline.code))
    }

    /// Stores what a person is to send back; the chain says when it has arrived.
    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await stored { db in
            guard let charge = try CryptoChargeStore.lock(address: request.reference, of: name, in: db) else {
                return .refused(code: "unknown_charge")
            }
            if let known = try InstructionStore.find(request.idempotencyKey, in: db) { return known.refundAnswer }
            guard let units = charge.capturedUnits else { return .refused(code: "not_captured") }
            let before: (value: Int64, units: BaseUnits) = try InstructionStore.askedFor(of: charge.attemptID, in: db)
            let share: BaseUnits? = RefundShare.units(
                of: units, price: charge.price, refunded: before, refunding: request.amount)
            guard let amount = share, !amount.isZero else { return .refused(code: CryptoDecline.amountUnsupported) }
            try InstructionStore.insert(
                InstructionRecord(
                    id: request.idempotencyKey, attemptID: charge.attemptID, paymentID: charge.paymentID,
                    provider: name, reason: .merchant, amount: amount, value: request.amount, address: nil,
                    createdAt: clock.now), in: db)
            return .pending(reference: request.idempotencyKey.rawValue)
        }
    }

    /// Takes the next address, stores it with its quote, and only then shows it.
    private func open(
        _ request: ChargeRequest, at now: Instant, _ db: borrowing PostgresTransaction
    ) throws -> ChargeAnswer {
        guard try ChainStore.isInSight(accepted.asset.chain, seconds: terms.blindSeconds, in: db) else {
            return .declined(ProviderDecline(code: CryptoDecline.chainUnavailable))
        }
        guard let rate = try ToldRates.rate(of: accepted, in: request.amount.currency, db),
            rate.isUsable(at: now, age: terms.rateAge)
        else { return .declined(ProviderDecline(code: CryptoDecline.rateUnavailable)) }
        guard let quote = quote(request.amount, at: rate.rate, now) else {
            return .declined(ProviderDecline(code: CryptoDecline.amountUnsupported))
        }
        let index: UInt32 = try CryptoChargeStore.nextIndex(of: addresses.account, in: db)
        // Whoever asked under the same key meanwhile has held the account's row before us.
        if let known = try CryptoChargeStore.find(request.idempotencyKey, in: db) {
            return try known.chargeAnswer(accepted.asset)
        }
        let declineAt: Instant = quote.expiresAt + terms.grace
        try CryptoChargeStore.insert(
            NewCryptoCharge(
                attemptID: request.idempotencyKey, paymentID: request.paymentID, asset: accepted,
                account: addresses.account, index: index, address: try addresses.address(index), quote: quote,
                declineAt: declineAt, watchUntil: declineAt + terms.watch), in: db)
        guard let stored = try CryptoChargeStore.find(request.idempotencyKey, in: db) else {
            throw UnreadableRecord("a charge that was just stored")
        }
        return try stored.chargeAnswer(accepted.asset)
    }

    private func quote(_ price: Money, at rate: ExactDecimal, _ now: Instant) -> Quote? {
        do throws(Quote.Failure) {
            return try Quote(
                price: price, asset: accepted.asset, rate: rate, spreadBasisPoints: terms.spreadBasisPoints, at: now,
                lifetime: terms.lifetime)
        } catch {
            return nil
        }
    }

    /// Whatever keeps the database from answering leaves the outcome unknown, as with an outside provider.
    private func stored<Answer: Sendable>(
        _ work: @Sendable @escaping (borrowing PostgresTransaction) throws -> Answer
    ) async throws(ProviderFault) -> Answer {
        do { return try await pool.transactionRetrying(work) } catch {
            throw .unusable("the records of \(name): \(error)")
        }
    }
}

extension InstructionRecord {
    /// The provider's word on a refund.
    var refundAnswer: RefundAnswer {
        switch status {
        case .open, .sent: .pending(reference: id.rawValue)
        // A transaction may carry out several refunds, each of which has a name of its own.
        case .confirmed: .refunded(reference: [transactionID, id.rawValue].compactMap(\.self).joined(separator: "/"))
        case .withdrawn: .refused(code: "withdrawn")
        case .canceled: .refused(code: CryptoDecline.canceled)
        }
    }
}

/// How many base units a refund gives back.
enum RefundShare {
    /// What brings all refunds to the share of what was taken that they are of the price. Refunds of the whole price add up
    /// to all that was taken, to the last unit, also where one between them was taken back.
    /// - Parameter refunded: What earlier refunds that stand gave back: minor units, and what is sent for them.
    /// - Returns: `nil` for an amount that is not a part of what is left.
    static func units(
        of taken: BaseUnits, price: Money, refunded: (value: Int64, units: BaseUnits), refunding amount: Money
    ) -> BaseUnits? {
        let (total, overflow) = refunded.value.addingReportingOverflow(amount.minor)
        guard !overflow, amount.minor > 0, refunded.value >= 0, total <= price.minor, amount.currency == price.currency
        else { return nil }
        do throws(MoneyError) {
            return try share(taken, total, price).subtracting(refunded.units)
        } catch {
            return nil
        }
    }

    private static func share(_ taken: BaseUnits, _ minor: Int64, _ price: Money) throws(MoneyError) -> BaseUnits {
        try taken.multiplied(by: UInt128(minor.magnitude))
            .divided(by: UInt128(price.minor.magnitude), roundingUp: false)
    }
}
