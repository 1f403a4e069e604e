package import BillingCore
import BillingEvents
import HTTPKit
import Messaging
package import Postgres

/// Adds a customer under the caller's own id or a new one.
/// - Note: Emits `customer.created.v1` in the same transaction.
package struct CreateCustomer: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction.
    package func callAsFunction(
        _ input: NewCustomerInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Customer {
        let customer = Customer(
            id: input.id ?? .new(at: now), email: input.email, name: input.name, country: input.country,
            currency: input.currency, timeZone: input.timeZone, metadata: input.metadata, createdAt: now)
        guard try CustomerStore.insert(customer, in: db) else {
            throw Problem.conflict("customer_exists", "There is a customer with the id \(customer.id) already.")
        }
        let event = CustomerCreatedV1(
            customerID: customer.id, email: customer.email, name: customer.name, country: customer.country,
            timeZone: customer.timeZone.name)
        try Outbox.append(event, key: customer.id.rawValue, at: now, in: db)
        return customer
    }
}

/// Changes a customer's contact data and metadata.
/// - Note: Emits `customer.updated.v1` in the same transaction when the contact data changed. Locks the customer's row.
package struct UpdateCustomer: Sendable {
    /// Needs nothing.
    package init() {}

    /// Runs in the caller's transaction.
    package func callAsFunction(
        _ id: CustomerID, _ input: CustomerChangeInput, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Customer {
        guard let before: Customer = try CustomerStore.lock(id, in: db) else {
            throw Problem.notFound("customer", id.rawValue)
        }
        var customer: Customer = before
        if let email = input.email { customer.email = email }
        if let name = input.name { customer.name = name }
        for (key, value) in input.metadata ?? [:] { customer.metadata[key] = value.isEmpty ? nil : value }
        guard customer.metadata.count <= 50 else {
            throw Problem.invalid("metadata", code: "too_many", "would have more than 50 keys")
        }
        if customer == before { return customer }
        try CustomerStore.update(customer, in: db)
        if customer.email != before.email || customer.name != before.name {
            let event = CustomerUpdatedV1(customerID: id, email: customer.email, name: customer.name)
            try Outbox.append(event, key: id.rawValue, at: now, in: db)
        }
        return customer
    }
}
