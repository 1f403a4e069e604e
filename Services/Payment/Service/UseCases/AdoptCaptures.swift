import BillingCore
import PaymentContract
import PaymentRecords
import Postgres

/// Captures that were made at the provider's own pages, or that were asked for here and are forgotten since a restore.
extension CapturePayment {
    /// Books what the provider has captured of a payment beyond what is booked; nothing where that is all. By each name of the
    /// provider's as much is booked as was captured under it, so that it counts once, whoever looks, and however often. The
    /// last is final where nothing is held any more. One that carries an id of ours which is unknown here keeps it.
    ///
    /// A part of what is still owed is booked as any other, and a person is told: nothing else takes the rest.
    /// - Parameter payment: Its row is locked, and no capture of it is under way.
    /// - Returns: The payment as it stands then.
    /// - Throws: ``ProviderFault/unusable(_:)``, with an alarm, when more was captured than the payment is over, or in another
    ///   currency: nothing is booked then.
    func adopt(
        _ told: ProviderTakings, of payment: PaymentRecord, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> PaymentRecord {
        let booked: [String: Int64] = try CaptureStore.succeeded(of: payment.id, in: db)
        var total: Int64 = payment.amountCaptured
        var missing: [(taking: ProviderTakings.Taking, amount: Int64)] = []
        for taking in told.taken {
            let amount: Int64 = taking.amount.minor - booked[taking.reference, default: 0]
            // Less may have been read before the last of them was booked.
            guard amount > 0 else { continue }
            let (sum, overflow) = total.addingReportingOverflow(amount)
            guard !overflow, sum <= payment.amount.minor, taking.amount.currency == payment.amount.currency else {
                let fault = ProviderFault.unusable(
                    "\(taking.amount) of \(payment.id) is captured as \(taking.reference)")
                ProviderAlarms.shared.note(fault, of: payment.provider, on: .capture)
                throw fault
            }
            total = sum
            missing.append((taking, amount))
        }
        guard !missing.isEmpty else { return payment }
        if total < payment.amount.minor, try Self.isPaidWhole(payment, in: db) {
            let fault = ProviderFault.unusable("only \(total) of \(payment.id), which is paid whole, is captured")
            db.onCommit { ProviderAlarms.shared.note(fault, of: payment.provider, on: .capture, isSingular: true) }
        }
        let isOver: Bool = total == payment.amount.minor || (!told.isHeld && !told.isPending)
        for (index, part) in missing.enumerated() {
            let id: CaptureID = try Self.id(of: part.taking, at: now, in: db)
            let isFinal: Bool = isOver && index == missing.count - 1
            try CaptureStore.reserve(id, part.amount, of: payment, isFinal: isFinal, at: now, in: db)
            _ = try book(id, reference: part.taking.reference, at: now, in: db)
        }
        return try PaymentStore.find(payment.id, in: db) ?? payment
    }

    /// Whether nobody else may take a part of it: an invoice's that is not withdrawn, or a plan's.
    private static func isPaidWhole(_ payment: PaymentRecord, in db: borrowing PostgresTransaction) throws -> Bool {
        try payment.invoiceID == nil
            ? PaymentStore.isOfPlan(payment.id, in: db) : PaymentStore.isOwed(payment, in: db)
    }

    private static func id(
        of taking: ProviderTakings.Taking, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> CaptureID {
        guard let told: CaptureID = taking.captureID, try CaptureStore.find(told, in: db) == nil else {
            return CaptureID.new(at: now)
        }
        return told
    }
}
