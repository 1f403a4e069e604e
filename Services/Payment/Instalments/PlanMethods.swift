import PaymentRecords
import Postgres

/// What plans are charged to.
enum PlanMethods {
    /// The method that each plan names. Where it names none, or one that is taken off its customer, their default.
    /// - Returns: One for each plan, in order; `nil` where there is nothing to charge.
    static func resolve(
        _ plans: [PlanRecord], in db: borrowing PostgresTransaction
    ) throws -> [ChargeableMethod?] {
        let named: [ResolvedMethod] = try PaymentMethodStore.resolve(
            plans.map { ($0.customerID, $0.methodID) }, in: db)
        var methods: [ChargeableMethod?] = named.map(\.method)
        let gone: [Int] = plans.indices.filter { named[$0].method == nil && plans[$0].methodID != nil }
        guard !gone.isEmpty else { return methods }
        let defaults: [ResolvedMethod] = try PaymentMethodStore.resolve(
            gone.map { (plans[$0].customerID, nil) }, in: db)
        for (index, fallback) in zip(gone, defaults) { methods[index] = fallback.method }
        return methods
    }
}
