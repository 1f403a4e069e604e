import BillingCore
import BillingEvents
import HTTPKit
import JSON
import Postgres
import SubscriptionDomain
import SubscriptionService
import TestKit
import Testing

@Suite("Customers, plans and keys") struct CatalogTests {
    @Test("an id that is taken is refused and changes nothing") func takenIDs() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            try await world.plan()
            let customer = await #expect(throws: Problem.self) { try await world.customer() }
            let plan = await #expect(throws: Problem.self) { try await world.plan("basic", 5) }
            #expect(customer?.status == 409 && customer?.code == "customer_exists")
            #expect(plan?.status == 409 && plan?.code == "plan_exists")
            #expect(try await world.published(CustomerCreatedV1.self).count == 1)
            #expect(try await world.published(PlanCreatedV1.self).map(\.amount.minor) == [1_000])
        }
    }

    @Test("contact data changes, metadata is merged, and only contact data is told of") func update() async throws {
        try await withSubscriptions { world in
            let id = try await world.customer()
            let now = world.now
            for body in [#"{"email":"new@example.com","metadata":{"a":"1","b":"2"}}"#, #"{"metadata":{"a":""}}"#] {
                let input: CustomerChangeInput = try world.read(body)
                _ = try await world.database.transaction { db in try UpdateCustomer()(id, input, at: now, in: db) }
            }
            let customer = try await world.database.transaction { db in
                try CustomerStore.list(after: nil, limit: 5, in: db).first
            }
            #expect(customer?.email == "new@example.com" && customer?.metadata == ["b": "2"] && customer?.name == "Ada")
            #expect(try await world.published(CustomerUpdatedV1.self).count == 1)
        }
    }

    @Test("lists are newest first, page by page, whatever ids the caller chose") func paging() async throws {
        try await withSubscriptions { world in
            let names = ["zoe", "ada", "mia", "bob", "eve"]
            for name in names {
                try await world.customer(name)
                world.ticker.advance(by: .seconds(1))
            }
            var found: [String] = []
            var cursor: CustomerID?
            repeat {
                let after = cursor
                let page = try await world.database.transaction { db in
                    try CustomerStore.list(after: after, limit: 2, in: db)
                }
                found += page.map(\.id.rawValue)
                cursor = page.count == 2 ? page.last?.id : nil
            } while cursor != nil
            #expect(found == names.reversed())
        }
    }

    @Test("customers are listed by their address, whatever its case") func byEmail() async throws {
        try await withSubscriptions { world in
            for name in ["ada", "bob", "eve"] { try await world.customer(name) }
            let change: CustomerChangeInput = try world.read(#"{"email":"Bob@Example.com"}"#)
            let now = world.now
            let found = try await world.database.transaction { (db: borrowing PostgresTransaction) -> [Customer] in
                _ = try UpdateCustomer()(CustomerID(unchecked: "bob"), change, at: now, in: db)
                return try CustomerStore.list(email: "bob@example.COM", after: nil, limit: 9, in: db)
            }
            #expect(found.map(\.id.rawValue) == ["bob"])
        }
    }

    @Test("subscriptions are listed by customer and status") func filters() async throws {
        try await withSubscriptions { world in
            try await world.customer()
            let bob = try await world.customer("bob")
            try await world.plan()
            _ = try await world.active()
            _ = try await world.subscribe(customer: "bob")
            let found = try await world.database.transaction { db in
                (
                    try SubscriptionStore.list(customer: bob, status: nil, after: nil, limit: 9, in: db).count,
                    try SubscriptionStore.list(customer: bob, status: .active, after: nil, limit: 9, in: db).count,
                    try SubscriptionStore.list(customer: nil, status: nil, after: nil, limit: 9, in: db).count
                )
            }
            #expect(found == (1, 0, 2))
        }
    }

    @Test(
        "every fault of the input is named at once",
        arguments: [
            (#"{}"#, ["email", "name", "country"]),
            (#"{"email":"ada","name":"A","country":"XX","time_zone":"Mars/Base"}"#, ["time_zone", "email", "country"]),
            (#"{"email":"a@b.de","name":"A","country":"DE","surname":"B"}"#, ["surname"]),
        ])
    func customerFaults(_ body: String, _ params: [String]) throws {
        let invalid = #expect(throws: InvalidInput.self) { try decode(NewCustomerInput.self, from: parseJSON(body)) }
        #expect(Set((invalid?.faults ?? []).map(\.param)) == Set(params))
    }

    @Test(
        "a plan's price must be above zero, in a known currency, and within bounds",
        arguments: [
            #"{"name":"P","amount":0,"currency":"USD","interval":"month"}"#,
            #"{"name":"P","amount":-5,"currency":"USD","interval":"month"}"#,
            #"{"name":"P","amount":1.5,"currency":"USD","interval":"month"}"#,
            #"{"name":"P","amount":99999999999999999999,"currency":"USD","interval":"month"}"#,
            #"{"name":"P","amount":9000000000000000000,"currency":"USD","interval":"month"}"#,
            #"{"name":"P","amount":5,"currency":"XXX","interval":"month"}"#,
            #"{"name":"P","amount":5,"currency":"USD","interval":"fortnight"}"#,
            #"{"name":"P","amount":5,"currency":"USD","interval":"month","interval_count":0}"#,
            #"{"name":"P","amount":5,"currency":"USD","interval":"month","trial_days":-1}"#,
        ])
    func planFaults(_ body: String) {
        #expect(throws: InvalidInput.self) { try decode(NewPlanInput.self, from: parseJSON(body)) }
    }

    @Test("keys are told to the other services without their secret; rotation keeps the old one for a day")
    func keys() async throws {
        try await withSubscriptions { world in
            let now = world.now
            let made = try await world.database.transaction { db in
                try IssueAPIKeys.create(
                    name: "demo", scopes: ["*"], mode: "sandbox", expiresAt: nil, now: now, in: db)
            }
            #expect(made.secret.hasPrefix("sk_sandbox_"))
            let rotated = try await world.database.transaction { db in
                try IssueAPIKeys.rotate(made.record.id, mode: "sandbox", now: now, in: db)
            }
            let revoked = try await world.database.transaction { db in
                try IssueAPIKeys.revoke(rotated.record.id, now: now, in: db)
            }
            let told = try await world.published(APIKeyChangedV1.self)
            #expect(told.map(\.keyID) == [made.record.id, rotated.record.id, made.record.id, revoked.id])
            #expect(told.allSatisfy { $0.lineageID == made.record.id }, "rotation keeps the lineage")
            #expect(told[2].expiresAt == now.adding(.seconds(86_400)) && told[3].revokedAt == now)
            #expect(!told.contains { $0.display == made.secret || $0.hash.contains(made.secret) })
        }
    }
}
