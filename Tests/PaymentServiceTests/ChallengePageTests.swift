import BillingCore
import HTTPKit
import JSON
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import PaymentThreeDS
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("The page on which a customer authenticates") struct ChallengePageTests {
    @Test("a payment that waits tells the page; its steps lead to the issuer, and the RReq decides") func steps()
        async throws
    {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            let code: String = try #require(payment.pageCode)
            let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
            let shown: JSONValue = try parseJSON(encodeString(PaymentResource(payment)))
            #expect(shown["next_action"]?["url"] == .string("https://pay.test/pay/authentication/\(code)"))
            #expect(try await page.standing(code)?.step == .ready)
            #expect(try await page.standing("nonsense") == nil)
            guard case .challenge(let form)? = try await page.advance(code, Self.browser)?.step else {
                Issue.record("no challenge")
                return
            }
            #expect(form.address.hasPrefix("https://acs.test/challenge"))
            // A bank's wish, not the merchant's.
            #expect(directory.asked.map { $0["threeDSRequestorChallengeInd"] } == ["04"])
            // Another tab, a reload: the same challenge, and nothing is asked again.
            #expect(try await page.advance(code, Self.browser)?.step == .challenge(form))
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            _ = try await authenticate.returned(directory.returned("Y"), session: nil)
            #expect(try await page.standing(code)?.step == .waiting)
            #expect(directory.asked.count == 1)
            _ = try await authenticate.result(directory.result("Y"))
            #expect(try await page.standing(code)?.step == .waiting)
            await world.decide(try await world.payment(payment.id))
            #expect(try await world.settled(payment.id).authentication?.liability == "issuer")
            #expect(try await page.standing(code)?.step == .over(.succeeded))
        }
    }

    @Test(
        "the issuer's script runs for ten seconds at most, and what it has reported is told", arguments: [true, false])
    func method(_ reports: Bool) async throws {
        let directory = DirectoryDouble(methodURL: "https://acs.test/method")
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            let code: String = try #require(payment.pageCode)
            let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
            guard case .method(let form, let until)? = try await page.advance(code, Self.browser)?.step else {
                Issue.record("the script does not run")
                return
            }
            #expect(form.address == "https://acs.test/method" && until == world.clock.now + .seconds(10))
            #expect(directory.asked.isEmpty)
            #expect(try await page.advance(code, Self.browser)?.step == .method(form, until: until))
            if reports {
                #expect(try await page.methodReported("e30") == nil)
                #expect(try await page.methodReported(form.fields[0].value) == code)
            } else {
                world.clock.advance(by: .seconds(10))
                // Too late: it is not waited for any more.
                _ = try await page.methodReported(form.fields[0].value)
            }
            guard case .challenge? = try await page.advance(code, Self.browser)?.step else {
                Issue.record("no challenge")
                return
            }
            #expect(directory.asked.map { $0["threeDSCompInd"] } == [reports ? "Y" : "N"])
        }
    }

    @Test(
        "where nobody can be asked the merchant's policy decides, and bears it; a risk that wants the customer stays",
        arguments: [(true, false), (false, false), (true, true)])
    func unavailable(_ charges: Bool, _ byRisk: Bool) async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(charges ? .lenient : .strict)) { world in
            for status in ["U", nil] {
                directory.answer(status)
                let customer: CustomerID = try await world.payer("4000000000000036")
                let payment: PaymentRecord = try await world.created(customer)
                await world.decide(payment, score: byRisk ? "0.8000" : "0.1000")
                let code: String = try #require(try await world.settled(payment.id).pageCode)
                let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
                _ = try await page.advance(code, Self.browser)
                let standing: PaymentRecord = try await world.payment(payment.id)
                guard charges, !byRisk else {
                    #expect(standing.decline == .authenticationFailed)
                    continue
                }
                await world.decide(standing)
                let settled: PaymentRecord = try await world.settled(payment.id)
                #expect(settled.status == .succeeded && settled.authentication?.liability == "merchant")
                #expect(
                    settled.authentication?.result == (status == nil ? "unavailable/no_answer" : "unavailable/issuer"))
            }
            #expect(try await world.violations() == [])
        }
    }

    @Test("a card that no directory knows goes on at the merchant's risk; its bank may decline it then") func unknown()
        async throws
    {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            for (card, status) in [("5200000000000031", PaymentStatus.succeeded), ("5200000000000015", .failed)] {
                let payment: PaymentRecord = try await world.created(try await world.payer(card))
                await world.decide(payment)
                let code: String = try #require(try await world.settled(payment.id).pageCode)
                let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
                #expect(try await page.advance(code, Self.browser)?.step == .waiting)
                await world.decide(try await world.payment(payment.id))
                let settled: PaymentRecord = try await world.settled(payment.id)
                #expect(settled.status == status && settled.authentication?.result == "unavailable/not_enrolled")
                #expect(settled.decline == (status == .failed ? .doNotHonor : nil))
            }
            #expect(directory.asked.isEmpty)
        }
    }

    @Test(
        "while a directory has told of no ranges it has not answered, whatever the policy makes of that",
        arguments: [true, false])
    func unheard(_ charges: Bool) async throws {
        let directory = DirectoryDouble()
        directory.hideRanges()
        try await withPayments(directory: directory.server(charges ? .lenient : .strict)) { world in
            let payment: PaymentRecord = try await world.created(try await world.payer("5200000000000031"))
            await world.decide(payment)
            let code: String = try #require(try await world.settled(payment.id).pageCode)
            let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
            _ = try await page.advance(code, Self.browser)
            if charges { await world.decide(try await world.payment(payment.id)) }
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == (charges ? .succeeded : .failed))
            #expect(settled.authentication?.result == "unavailable/no_answer" && directory.asked.isEmpty)
        }
    }

    @Test("that a card is unknown to the directory says nothing of another attempt") func staleAttempt() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            let stale: PaymentRecord = try await world.challenged()
            let next = AttemptID.new(at: PaymentWorld.start)
            try await world.execute(
                """
                INSERT INTO payment_attempts (id, payment_id, number, payment_method_id, provider, status, started_at)
                SELECT \(next), payment_id, 2, payment_method_id, provider, status, started_at FROM payment_attempts
                """)
            try await world.execute("UPDATE payments SET attempt_id = \(next), attempts = 2")
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            #expect(try await authenticate.goOn(without: stale) == nil)
            let payment: PaymentRecord = try await world.payment(stale.id)
            #expect(payment.status == .requiresAction && payment.attemptID == next)
            #expect(try await world.number("SELECT count(*) FROM three_d_secure") == 0)
            let noted: AuthenticationOutcome = try #require(try await authenticate.goOn(without: payment))
            #expect(try await world.payment(stale.id).authentication?.result == noted.verdict.name)
        }
    }

    @Test("a customer who never comes has said no when the time is over; one whose issuer was asked is waited for")
    func neverCame() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            let absent: PaymentRecord = try await world.challenged()
            world.clock.advance(by: .seconds(86_000))
            let late: PaymentRecord = try await world.challenged()
            let looks = Looks([authenticate.look], world.database)
            try await looks.pass()
            #expect(try await world.payment(absent.id).status == .requiresAction)
            world.clock.advance(by: .seconds(400))
            try await looks.pass()
            #expect(try await world.payment(absent.id).decline == .authenticationFailed)
            world.clock.advance(by: .seconds(85_900))
            _ = try await world.authenticate(late.id)
            world.clock.advance(by: .seconds(200))
            try await looks.pass()
            #expect(try await world.payment(late.id).status == .requiresAction)
        }
    }

    @Test("what decided is kept sealed: no cryptogram is in the database") func sealed() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            _ = try await world.authenticate(payment.id)
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            let answer: [UInt8] = try await authenticate.result(directory.result("Y"))
            #expect(try await authenticate.result(directory.result("Y")) == answer)
            let stored: [String] = try await world.texts(
                "SELECT row_to_json(t)::text || encode(result, 'escape') FROM three_d_secure t")
            #expect(stored.count == 1 && !stored.contains { $0.contains("authenticationValue") })
            #expect(!stored.contains { $0.contains(DirectoryDouble.cavv) })
        }
    }

    static let browser = CardholderBrowser(
        acceptHeader: "*/*", userAgent: "x", address: nil,
        script: CardholderBrowser.Script(
            language: "de", javaEnabled: false, colorDepth: 24, screenHeight: 900, screenWidth: 1_600,
            timeZoneMinutes: -60))
}

extension PaymentRecord {
    /// The code of the page that the customer is sent to.
    var pageCode: String? { challengeURL.flatMap { $0.split(separator: "/").last.map(String.init) } }
}
