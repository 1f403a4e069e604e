import BillingCore
package import HTTPKit
import JSON
import Postgres

/// `/v1/payments/routing/customers/{id}`: the groups that routing rules know a customer by.
package struct CustomerGroupRoutes: Sendable {
    package init() {}

    package var endpoints: [Endpoint] {
        [
            .read(
                "/v1/payments/routing/customers/{id}", scope: "routing:read",
                summary: "Read which groups a customer belongs to", answers: CustomerGroupsResource.self,
                problems: ["404 not_found"]
            ) { db, call in
                let id: CustomerID = try call.id()
                let found: [String]? = try db.first("SELECT groups FROM customers WHERE id = \(id)") { row in
                    try row.next() as [String]
                }
                guard let groups: [String] = found else { throw Problem.notFound("customer", id.rawValue) }
                return CustomerGroupsResource(customerID: id, groups: groups)
            },
            .write(
                .put, "/v1/payments/routing/customers/{id}", scope: "routing:write",
                summary: "Say which groups a customer belongs to, for routing rules", body: CustomerGroupsInput.self,
                answers: CustomerGroupsResource.self, problems: ["404 not_found"]
            ) { db, call, input in
                let id: CustomerID = try call.id()
                let known: Int = try db.execute(
                    "UPDATE customers SET groups = \(input.groups)::text[] WHERE id = \(id)")
                guard known == 1 else { throw Problem.notFound("customer", id.rawValue) }
                return .ok(CustomerGroupsResource(customerID: id, groups: input.groups))
            },
        ]
    }
}

/// `PUT /v1/payments/routing/customers/{id}`.
struct CustomerGroupsInput: JSONInput {
    let groups: [String]

    init(_ f: inout InputFields) {
        let given: [String] = f.strings(
            "groups", count: 0...50, max: 64, required: true,
            doc: "In place of those before; an empty list takes the customer out of all")
        if given.contains("") { f.refuse("groups", code: FaultCode.tooShort, message: "must not have empty names") }
        groups = Array(Set(given)).sorted()
    }
}

/// A customer's groups.
struct CustomerGroupsResource: JSONOutput {
    let customerID: CustomerID
    let groups: [String]

    func write(to o: inout ObjectWriter) {
        o.field("object", "customer_groups")
        o.field("customer_id", customerID)
        o.field("groups", groups)
    }

    static var sample: Self { Self(customerID: .sample, groups: ["vip"]) }
}
