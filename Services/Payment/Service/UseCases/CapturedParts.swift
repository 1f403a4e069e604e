import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

extension PaymentProviders {
    /// What a payment's provider can do with its method; `nil` where that is not known here: the provider says it itself.
    func method(
        of payment: PaymentRecord, in db: borrowing PostgresTransaction
    ) throws -> ProviderCapabilities.Method? {
        guard let id: PaymentMethodID = payment.paymentMethodID,
            let method: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db)
        else { return nil }
        return capabilities(of: payment.provider)?.method(method.type)
    }

    /// Whether a payment's provider can be asked for a part of it, in minor units, to the last digit.
    func counts(_ amount: Int64, of payment: PaymentRecord) -> Bool {
        let part = Money(minor: amount, currency: payment.amount.currency)
        return capabilities(of: payment.provider)?.refusalOfPart(part) == nil
    }
}

extension Problem {
    /// 422: a part of a payment has last digits that its provider does not count.
    static var uncountedAmount: Problem {
        .invalid(
            "amount", code: ProviderCapabilities.Obstacle.amount.rawValue,
            "has last digits that the payment's provider does not count")
    }
}
