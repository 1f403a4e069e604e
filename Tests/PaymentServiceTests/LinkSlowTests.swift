import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("What a link's page is told of a payment that is not over") struct LinkSlowTests {
    /// A visit that pays by Klarna, which Fraud lets pass.
    private static func begun(_ world: PaymentWorld) async throws -> (Visit, PaymentRecord) {
        let customer: CustomerID = await world.customer()
        try await world.execute("UPDATE customers SET country = 'DE' WHERE id = \(customer)")
        let visit = Visit(world.code(try await world.link(customer)))
        let seen: JSONValue = try await world.pay(visit, by: "klarna")
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        await world.decide(try await world.payment(id))
        return (visit, try await world.payment(id))
    }

    @Test("what a provider has not decided in a minute may take days, whatever it is paid with") func slow()
        async throws
    {
        let pages = PagesProvider()
        pages.begin(with: .pending(reference: "pg_slow"))
        try await withPayments(beside: [pages]) { world in
            let (visit, payment) = try await Self.begun(world)
            try await eventually(within: .seconds(20), "the provider is asked") {
                try await world.number("SELECT count(*) FROM payments WHERE provider_reference = 'pg_slow'") == 1
            }
            world.clock.advance(by: .seconds(59))
            #expect(try await world.look(visit)["payment"]?["slow"] == .bool(false))
            world.clock.advance(by: .seconds(1))
            for visitor: Visit in [visit, Visit(visit.code)] {
                #expect(try await world.look(visitor)["payment"]?["slow"] == .bool(true))
            }
            pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_slow")))
            try await world.work.sync(attempt: payment.attemptID)
            #expect(try await world.look(visit)["payment"]?["slow"] == .bool(false))
        }
    }

    @Test("what is still to be assessed, or is being given up, is not slow") func soonOver() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (visit, payment) = try await Self.begun(world)
            #expect(try await world.settled(payment.id).status == .requiresAction)
            world.clock.advance(by: .seconds(61))
            for status: PaymentStatus in [.created, .canceling] {
                try await world.execute("UPDATE payments SET status = \(status.rawValue) WHERE id = \(payment.id)")
                #expect(try await world.look(visit)["payment"]?["slow"] == .bool(false))
            }
        }
    }

    @Test("coins that have come for it and do not pay it are told, until it is paid") func coins() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (visit, payment) = try await Self.begun(world)
            #expect(try await world.settled(payment.id).status == .requiresAction)
            let told: [PayLink] = [true, false].map { hasCoins in
                let settings = LinkSettings(
                    publicURL: "https://pay.example", isSandbox: true, offered: LinkMethod.allCases,
                    providers: world.providers, hasCoins: { _, _ in hasCoins })
                return PayLink(
                    pool: world.database, work: world.work, settings: settings, limits: VisitLimits(), pause: .zero)
            }
            func received() async throws -> [JSONValue?] {
                var seen: [JSONValue?] = []
                for pay in told { seen.append(try await world.look(visit, pay)["payment"]?["coins_received"]) }
                return seen
            }
            #expect(try await received() == [.bool(true), .bool(false)])
            try await world.giveUp(visit)
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await received() == [.bool(true), .bool(false)])
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.status == .succeeded)
            #expect(try await received() == [.bool(false), .bool(false)])
        }
    }
}
