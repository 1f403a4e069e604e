import BillingCore
import Crypto
import Foundation
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

@Suite("Links paid by bank debit") struct LinkDebitTests {
    private static let creditor = LinkCreditor(name: "Nordlicht Audio GmbH", identifier: "DE98ZZZ09999999999")
    private static let iban = "DE89370400440532013000"
    private static let account = #"{"iban":"de89 3704 0044 0532 0130 00","name":"Ada","email":"ada@example.com"}"#
    private static let mandate = #"{"accepted":true,"language":"de"}"#

    private static func visit(_ world: PaymentWorld) async throws -> Visit {
        Visit(world.code(try await world.link(await world.customer())))
    }

    /// `POST /pay/{code}/bank_account`.
    private static func hand(
        _ world: PaymentWorld, _ visit: Visit, account: String = account, mandate: String = mandate,
        creditor: LinkCreditor? = creditor, by pay: PayLink? = nil
    ) async throws -> (status: Int, id: String) {
        let body = #"{"session":"\#(visit.session)","bank_account":\#(account),"mandate":\#(mandate)}"#
        let pay: PayLink = pay ?? world.payLink(creditor: creditor)
        let reply: Reply<LinkCardResource> = try await pay.keepAccount(
            world.page(visit, "bank_account", body), world.read(body))
        return (reply.status, try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? "")
    }

    private static let saved = SaveMethodAnswer.saved(
        SavedMethod(
            token: "sd_1", customer: "cus_1", brand: nil, last4: "3000", expMonth: nil, expYear: nil,
            fingerprint: "fp"))

    @Test("the account goes to the provider and nowhere else, the mandate is kept, and the debit takes its time")
    func paid() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        pages.begin(with: .pending(reference: "pg_debit"))
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let (status, method) = try await Self.hand(world, visit)
            #expect(status == 201)
            #expect(pages.accounts == ["\(Self.iban) Ada ada@example.com"])
            let mandates: [String] = try await world.texts(
                """
                SELECT concat_ws(' ', d.holder_name, d.creditor_id, d.terms, d.language, m.accepted_ip, m.accepted_agent,
                    m.provider_token, m.is_default::text)
                FROM payment_link_mandates d JOIN payment_methods m ON m.id = d.payment_method_id
                """)
            #expect(mandates == ["Ada DE98ZZZ09999999999 sepa-1 de 127.0.0.1 test sd_1 false"])
            for row in try await world.texts(
                """
                SELECT row_to_json(m)::text FROM payment_methods m UNION ALL SELECT row_to_json(o)::text FROM outbox o
                UNION ALL SELECT row_to_json(d)::text FROM payment_link_mandates d
                """)
            { #expect(!row.contains("37040044")) }
            let seen: JSONValue = try await world.pay(visit, method)
            let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
            await world.decide(try await world.payment(id))
            try await eventually(within: .seconds(20), "the provider is asked for the debit") {
                try await world.number("SELECT count(*) FROM payments WHERE provider_reference = 'pg_debit'") == 1
            }
            let waiting: PaymentRecord = try await world.payment(id)
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "processing")
            #expect(try await world.look(visit)["payment"]?["method"]?.stringValue == "sepa_debit")
            for visitor: Visit in [visit, Visit(visit.code)] {
                #expect(try await world.look(visitor)["payment"]?["slow"] == .bool(true), "it takes days for all")
            }
            #expect(try await world.look(Visit(visit.code))["payment"]?["method"] == .null)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_debit")))
            try await world.work.sync(attempt: waiting.attemptID)
            let paid: JSONValue = try await world.look(visit)
            #expect(paid["status"]?.stringValue == "completed" && paid["payment"]?["slow"] == .bool(false))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an action that takes long counts for no wrong code: the page stays open to its address meanwhile")
    func takingLong() async throws {
        let pages = PagesProvider()
        pages.save(as: Self.saved)
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let pay: PayLink = world.payLink(creditor: Self.creditor, limits: VisitLimits(missesPerMinute: 1))
            pages.whileKeeping {
                let seen: JSONValue = try await world.look(visit, pay)
                #expect(seen["status"]?.stringValue == "active")
            }
            #expect(try await Self.hand(world, visit, by: pay).status == 201)
            for code in ["not_found", "rate_limited"] {
                #expect(await world.refusal { try await Self.hand(world, Visit("22222222"), by: pay) } == code)
            }
            #expect(pages.accounts.count == 1)
        }
    }

    @Test("what is wrong with an account or its mandate is named, and nobody is told of it") func faults() async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            let rows: [(account: String, mandate: String, fault: String)] = [
                (
                    #"{"iban":"DE89370400440532013001","name":"A","email":"a@b.example"}"#, Self.mandate,
                    "bank_account.iban invalid_iban"
                ),
                (
                    #"{"iban":"BR1500000000000010932840814P2","name":"A","email":"a@b.example"}"#, Self.mandate,
                    "bank_account.iban unsupported_country"
                ),
                (
                    #"{"iban":"\#(Self.iban)","name":"A","email":"a@b"}"#, Self.mandate,
                    "bank_account.email invalid_email"
                ),
                (#"{"iban":"\#(Self.iban)","name":"","email":"a@b.example"}"#, Self.mandate, "bank_account.name "),
                (Self.account, #"{"language":"de"}"#, "mandate.accepted mandate_not_accepted"),
                (Self.account, #"{"accepted":true,"language":"tlh"}"#, "mandate.language "),
            ]
            for row in rows {
                let faults: InvalidInput? = await #expect(throws: InvalidInput.self) {
                    try await Self.hand(world, visit, account: row.account, mandate: row.mandate)
                }
                let named: [String] = faults?.faults.map { "\($0.param) \($0.code)" } ?? []
                #expect(named.count == 1 && named[0].hasPrefix(row.fault), "\(named) \(row.fault)")
            }
            let plain: String = await world.refusal { try await Self.hand(world, visit, creditor: nil) }
            #expect(plain == "unsupported_method")
            #expect(await world.refusal { try await world.pay(visit, by: "sepa_debit") } == "unsupported_method")
            #expect(pages.accounts.isEmpty)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }

    @Test("an account that the provider does not keep, and a provider that is away, pay nothing") func refused()
        async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let visit: Visit = try await Self.visit(world)
            pages.goAway(true)
            #expect(await world.refusal { try await Self.hand(world, visit) } == "unavailable")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
            pages.goAway(false)
            pages.save(as: .declined(ProviderDecline(code: "bank_account_closed")))
            #expect(await world.refusal { try await Self.hand(world, visit) } == "invalid_request")
            // Still under way: the page waits, and nothing is debited before the provider keeps it.
            pages.save(as: .pending(reference: "ps_1"))
            let (status, method) = try await Self.hand(world, visit)
            #expect(status == 202)
            #expect(await world.refusal { try await world.pay(visit, method) } == "payment_method_pending")
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            let (_, bad) = try await Self.hand(world, visit)
            pages.save(as: .declined(ProviderDecline(code: "bank_account_closed")))
            _ = try await world.work.keep.sync(PaymentMethodID(unchecked: bad))
            #expect(await world.refusal { try await world.pay(visit, bad) } == "invalid_request")
            pages.save(as: Self.saved)
            _ = try await world.work.keep.sync(PaymentMethodID(unchecked: method))
            try await world.pay(visit, method)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
        }
    }

    @Test("the wording that is kept by its name is the one that is shown: another text takes another name")
    func wording()
        throws
    {
        let path = "/Tests/PaymentServiceTests/LinkDebitTests.swift"
        let folder = URL(fileURLWithPath: String(#filePath.prefix(#filePath.count - path.count)))
            .appendingPathComponent("Services/Payment/Links/Page/text")
        var hash = SHA256()
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
            let texts = try parseJSON(Array(try Data(contentsOf: folder.appendingPathComponent(name))))
            hash.update(data: Array(try #require(texts["mandate_text"]?.stringValue).utf8))
        }
        let digits: String = hash.finalize().prefix(8).map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
        #expect([LinkCreditor.terms: digits] == ["sepa-1": "caae0e7998a2ee3f"])
    }
}
