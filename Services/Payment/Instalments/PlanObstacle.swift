import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Why a plan, or what pays one off, cannot be charged to a method.
enum PlanObstacle {
    /// The method's provider cannot do what is asked.
    case unsupported(ProviderCapabilities.Obstacle)
    /// It never charges one of the amounts, whatever the method.
    case uncollectable(UncollectablePart)

    /// What a plan asks of the capability matrix, as any payment does.
    /// - Parameters:
    ///   - parts: Amounts of one currency.
    ///   - offSession: Whether the customer is away when some of them are charged.
    /// - Returns: The first thing that stands in the way, one that no other amount would help first; `nil` with none, and
    ///   for a provider that is not configured.
    static func first(
        among parts: [(number: Int?, amount: Money)], of customer: CustomerID, with method: ChargeableMethod,
        offSession: Bool, at providers: PaymentProviders, in db: borrowing PostgresTransaction
    ) throws -> PlanObstacle? {
        guard let capabilities: ProviderCapabilities = providers.capabilities(of: method.provider),
            let currency: Currency = parts.first?.amount.currency
        else { return nil }
        let isLocal: Bool = capabilities.method(method.type)?.isLocal ?? false
        let country: String? = try isLocal ? Self.country(of: customer, in: db) : nil
        let ask: (Int64?) -> ProviderCapabilities.Obstacle? = { amount in
            capabilities.obstacle(
                to: ProviderCapabilities.Wish(
                    type: method.type, currency: currency.code, amount: amount, country: country,
                    offSession: offSession))
        }
        if let obstacle = ask(nil) { return .unsupported(obstacle) }
        if let part = UncollectablePart.first(among: parts, at: method.provider, of: providers) {
            return .uncollectable(part)
        }
        for part in parts {
            if let obstacle = ask(part.amount.minor) { return .unsupported(obstacle) }
        }
        return nil
    }

    private static func country(
        of customer: CustomerID, in db: borrowing PostgresTransaction
    ) throws -> String? {
        try db.first("SELECT country FROM customers WHERE id = \(customer)") { row in try row.next() as String? } ?? nil
    }
}

extension ProviderCapabilities.Obstacle {
    /// What is said of a method that cannot pay a plan.
    var ofMethod: String {
        switch self {
        case .method: "is not a method that can be used here"
        case .currency: "cannot be charged in the plan's currency"
        case .amount: "is not charged so little or so much"
        case .country: "is not for customers of this country"
        case .separateCapture: "cannot be held before it is charged"
        case .offSession: "cannot be charged without the customer"
        }
    }
}
