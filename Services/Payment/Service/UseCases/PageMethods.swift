import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Finds methods that customers use once, on a page of the provider's.
struct PageMethods: Sendable {
    /// What is to be paid with one.
    struct Purchase: Sendable {
        let customerID: CustomerID
        let amount: Money
        let captureMethod: CaptureMethod
    }

    let providers: PaymentProviders
    let pool: PostgresPool

    /// The page method of a provider that can do what is asked.
    /// - Throws: ``Problem`` that names the field which no provider can serve, or what is missing of who pays.
    func callAsFunction(
        _ page: PageMethodInput, returnURL: String, for purchase: Purchase, at now: Instant
    ) async throws -> SingleUseMethod {
        let payer: ChargePayer? = try await payer(of: page, purchase)
        let wish: ProviderCapabilities.Wish = Self.wish(page, purchase, from: payer?.country)
        guard let provider: any PaymentProvider = providers.first(that: wish) else {
            throw ProviderCapabilities.Obstacle.problem(providers.obstacle(to: wish))
        }
        let method: ProviderCapabilities.Method? = provider.capabilities.method(page.type)
        try ChargePayer.require(method?.payer ?? [], of: payer, at: "payer")
        return SingleUseMethod(
            id: PaymentMethodID.new(at: now), customerID: purchase.customerID, type: page.type,
            provider: provider.name, returnURL: returnURL, payer: payer)
    }

    private static func wish(
        _ page: PageMethodInput, _ purchase: Purchase, from country: String?
    ) -> ProviderCapabilities.Wish {
        ProviderCapabilities.Wish(
            type: page.type, currency: purchase.amount.currency.code, amount: purchase.amount.minor, country: country,
            separateCapture: purchase.captureMethod == .manual, onPage: true)
    }

    /// Who pays. Where the request does not say, and the method has to be told the country, it is the customer's, if that is
    /// known.
    /// - Throws: ``Problem`` for a customer that is not known.
    private func payer(of page: PageMethodInput, _ purchase: Purchase) async throws -> ChargePayer? {
        if let payer: ChargePayer = page.payer?.payer { return payer }
        let provider: (any PaymentProvider)? = providers.first(that: Self.wish(page, purchase, from: nil))
        guard provider?.capabilities.method(page.type)?.payer.contains(.country) == true else { return nil }
        do {
            let known: String? = try await News.patiently(
                News.patience, until: { $0 as? RecordPayments.Failure == .unknownCustomer }
            ) {
                try await country(of: purchase.customerID)
            }
            return known.map { ChargePayer(country: $0) }
        } catch let failure as RecordPayments.Failure { throw failure.problem }
    }

    private func country(of customer: CustomerID) async throws -> String? {
        let found: String?? = try await pool.transaction(readOnly: true) { db in
            try db.first("SELECT country FROM customers WHERE id = \(customer)") { row in try row.next() as String? }
        }
        guard let found else { throw RecordPayments.Failure.unknownCustomer }
        return found
    }
}
