package import BillingCore
package import BillingEvents
package import Messaging
package import Postgres

/// Learns whom invoices are addressed to.
package struct CustomerCreatedConsumer: Sendable {
    /// Needs nothing.
    package init() {}

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(CustomerCreatedV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Takes over the customers.
    package func handle(
        _ events: [Envelope<CustomerCreatedV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        var latest: [CustomerID: BilledCustomer] = [:]
        for body in events.map(\.body) {
            latest[body.customerID] = BilledCustomer(
                id: body.customerID, name: body.name, email: body.email, country: body.country, timeZone: body.timeZone)
        }
        try db.enqueue(CustomerStore.put(Array(latest.values), at: now))
    }
}

/// Keeps name and mail address of customers up to date.
package struct CustomerUpdatedConsumer: Sendable {
    /// Needs nothing.
    package init() {}

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(CustomerUpdatedV1.self) { events, db, context in try handle(events, in: db, at: context.now) }
    }

    /// Takes over the changes; of several for one customer the last counts.
    /// - Throws: `Refusal.park` for a customer whose creation was never told.
    package func handle(
        _ events: [Envelope<CustomerUpdatedV1>], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        var known: [CustomerID: BilledCustomer] = try CustomerStore.lock(events.map(\.body.customerID), in: db)
        for body in events.map(\.body) {
            guard var customer = known[body.customerID] else {
                throw Refusal.park(reason: "customer \(body.customerID) is changed but was never created")
            }
            customer.name = body.name
            customer.email = body.email
            known[body.customerID] = customer
        }
        try db.enqueue(CustomerStore.put(Array(known.values), at: now))
    }
}
