import BillingCore
import HTTPKit
import Postgres

/// `/v1/customers`
struct CustomerRoutes: Sendable {
    let create = CreateCustomer()
    let update = UpdateCustomer()

    var endpoints: [Endpoint] {
        [
            .write(
                .post, "/v1/customers", scope: "customers:write", summary: "Create a customer",
                body: NewCustomerInput.self, answers: CustomerView.self, tellsLocation: true,
                problems: ["409 customer_exists"], post),
            .list(
                "/v1/customers", scope: "customers:read", summary: "List customers, newest first",
                filters: [.string("email", max: 254, doc: "With this address only, whatever its case")],
                item: CustomerView.self, list),
            .read(
                "/v1/customers/{id}", scope: "customers:read", summary: "Read a customer", answers: CustomerView.self,
                problems: ["404 not_found"], get),
            .write(
                .patch, "/v1/customers/{id}", scope: "customers:write", summary: "Change a customer's contact data",
                body: CustomerChangeInput.self, answers: CustomerView.self, problems: ["404 not_found"], patch),
        ]
    }

    @Sendable func post(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: NewCustomerInput
    ) throws -> Reply<CustomerView> {
        let customer: Customer = try create(input, at: call.now, in: db)
        return .created(CustomerView(customer), location: "/v1/customers/\(customer.id)")
    }

    @Sendable func list(
        _ db: borrowing PostgresTransaction, _ call: Call, _ request: ListRequest
    ) throws -> Page<CustomerView> {
        let found: [Customer] = try CustomerStore.list(
            email: call.query.string("email"), after: try request.cursor(), limit: request.fetchLimit, in: db)
        return request.page(found.map(CustomerView.init))
    }

    @Sendable func get(_ db: borrowing PostgresTransaction, _ call: Call) throws -> CustomerView {
        let id: CustomerID = try call.id()
        guard let customer: Customer = try CustomerStore.find(id, in: db) else {
            throw Problem.notFound("customer", id.rawValue)
        }
        return CustomerView(customer)
    }

    @Sendable func patch(
        _ db: borrowing PostgresTransaction, _ call: Call, _ input: CustomerChangeInput
    ) throws -> Reply<CustomerView> {
        .ok(CustomerView(try update(try call.id(), input, at: call.now, in: db)))
    }
}
