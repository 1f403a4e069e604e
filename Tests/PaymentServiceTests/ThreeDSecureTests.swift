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

@Suite("3-D Secure") struct ThreeDSecureTests {
    @Test(
        "the issuer's first word decides: a yes is charged with its indicator, anything else is declined",
        arguments: [
            ("Y", "05", "issuer"), ("A", "06", "issuer"), ("N", nil, "merchant"), ("R", nil, "merchant"),
            ("U", nil, "merchant"), (nil, nil, "merchant"),
        ] as [(String?, String?, String)])
    func frictionless(_ status: String?, _ eci: String?, _ liability: String) async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            directory.answer(status)
            _ = try await world.authenticate(payment.id)
            if eci == nil {
                let failed: PaymentRecord = try await world.payment(payment.id)
                #expect(failed.status == .failed && failed.decline == .authenticationFailed)
                #expect(try await world.number("SELECT count(*) FROM sandbox_charges WHERE outcome = 'succeeded'") == 0)
            } else {
                await world.decide(try await world.payment(payment.id))
                #expect(try await world.settled(payment.id).status == .succeeded)
            }
            let last: PaymentRecord = try await world.payment(payment.id)
            #expect(
                try await world.texts(
                    """
                    SELECT coalesce(authentication->>'eci', '') || (authentication->>'liability')
                    FROM payment_attempts WHERE id = \(last.attemptID)
                    """) == [(eci ?? "") + liability])
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "the charge hands over what the authentication came to, which is kept sealed until the payment is over",
        arguments: [("Y", "05"), ("A", "06"), ("C", "05")])
    func handedOver(_ status: String, _ eci: String) async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            directory.answer(status)
            _ = try await world.authenticate(payment.id)
            if status == "C" { _ = try await #require(world.work.authenticate).result(directory.result("Y")) }
            // The answer is lost once: what the sweeper asks is the same.
            world.provider.turn(.booksAndVanishes)
            await world.decide(try await world.payment(payment.id))
            try await eventually(within: .seconds(20), "the answer is lost") { world.provider.lostAnswers > 0 }
            let kept: [String] = try await world.texts("SELECT encode(proof, 'base64') FROM three_d_secure")
            #expect(kept.count == 1 && Base64.standard.decode(DirectoryDouble.cavv) != nil)
            let rows: [String] = try await world.texts("SELECT row_to_json(t)::text FROM three_d_secure t")
            #expect(!rows.contains { $0.contains(DirectoryDouble.cavv) })
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == .succeeded)
            let proof = AuthenticationProof(
                status: status == "A" ? "A" : "Y", indicator: eci, cryptogram: DirectoryDouble.cavv,
                directoryTransaction: DirectoryDouble.directory, version: "2.2.0", challengeIndicator: "04")
            let asked: [ChargeRequest] = world.provider.asked.filter { $0.idempotencyKey == settled.attemptID }
            #expect(!asked.isEmpty && asked.allSatisfy { $0.proof == proof && $0.authenticated })
            #expect(
                try await world.texts("SELECT authentication FROM sandbox_charges WHERE outcome = 'succeeded'")
                    == ["\(proof.status) \(eci) \(DirectoryDouble.directory) 2.2.0"])
            try await PruneWallets(pool: world.database, clock: world.clock).pass()
            #expect(try await world.number("SELECT count(*) FROM three_d_secure WHERE proof IS NOT NULL") == 0)
        }
    }

    @Test("a challenge is decided by the RReq: any instance takes it, and a repeat changes nothing")
    func challenge() async throws {
        for (status, succeeds) in [("Y", true), ("N", false), ("R", false), ("U", false)] {
            let directory = DirectoryDouble()
            try await withPayments(directory: directory.server) { world in
                let payment: PaymentRecord = try await world.challenged()
                let begun: JSONValue = try await world.authenticate(payment.id)
                #expect(begun["status"] == "challenge")
                #expect(begun["url"]?.stringValue?.hasPrefix("https://pay.test/v1/three_d_secure/") == true)
                // Begun once, whoever asks again.
                #expect(try await world.authenticate(payment.id) == begun)
                #expect(directory.asked.count == 1)
                let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
                let first: [UInt8] = try await authenticate.result(directory.result(status))
                #expect(try parseJSON(first)["messageType"] == "RRes")
                #expect(try await authenticate.result(directory.result(status)) == first)
                let other: [UInt8] = try await authenticate.result(directory.result(succeeds ? "N" : "Y"))
                #expect(try parseJSON(other)["messageType"] == "Erro")
                let decided: PaymentRecord = try await world.payment(payment.id)
                #expect(decided.attempts == (succeeds ? 2 : 1), "\(status)")
                if succeeds {
                    await world.decide(decided)
                    #expect(try await world.settled(payment.id).status == .succeeded)
                } else {
                    #expect(decided.decline == .authenticationFailed, "\(status)")
                }
            }
        }
    }

    @Test("what an issuer cannot be sent is told by the name that it was given under") func unsendable() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            let problem: Problem? = await #expect(throws: Problem.self) {
                try await world.authenticate(payment.id, language: "nonsensical")
            }
            #expect(problem?.status == 422 && problem?.param == "language" && directory.asked.isEmpty)
        }
    }

    @Test("what the browser brings back decides nothing, nor does an RReq of other ids; walking away is a no")
    func forged() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            _ = try await world.authenticate(payment.id)
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            #expect(try await authenticate.returned(directory.returned("Y"), session: nil) != nil)
            #expect(try await authenticate.returned("nonsense", session: nil) == nil)
            let wrong: [UInt8] = directory.result("Y", directory: "11111111-2222-4333-8444-555555555555")
            #expect(try parseJSON(try await authenticate.result(wrong))["messageType"] == "Erro")
            #expect(try parseJSON(try await authenticate.result(Array("{}".utf8)))["messageType"] == "Erro")
            // Nobody else may say how it ended.
            await #expect(throws: ContinuePayment.Failure.elsewhere) {
                try await world.confirm(payment.id, passed: true)
            }
            #expect(try await world.payment(payment.id).status == .requiresAction)
            let looks = Looks([authenticate.look], world.database)
            #expect(try await looks.due() == [])
            #expect(try await world.payment(payment.id).status == .requiresAction)
            world.clock.advance(by: .seconds(61))
            try await looks.pass()
            #expect(try await world.payment(payment.id).decline == .authenticationFailed)
            #expect(try parseJSON(try await authenticate.result(directory.result("Y")))["messageType"] == "Erro")
            #expect(try await world.payment(payment.id).status == .failed)
        }
    }

    @Test("an AReq whose sender died is spent: the attempt is declined when its time is over") func crashed()
        async throws
    {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            try await world.execute(
                """
                INSERT INTO three_d_secure (id, payment_id, attempt_id, code, status, deadline)
                VALUES ('43163cd0-c849-4924-82c1-7bec32b94881', \(payment.id), \(payment.attemptID), 'code', 'asked',
                    \(PaymentWorld.start + .seconds(30)))
                """)
            #expect(try await world.authenticate(payment.id)["status"] == "under_way")
            #expect(directory.asked.isEmpty)
            world.clock.advance(by: .seconds(31))
            try await #require(world.work.authenticate).sweep()
            #expect(try await world.payment(payment.id).decline == .authenticationFailed)
        }
    }

    @Test("a result that overtakes the issuer's first word is to be sent again, until nobody waits for it") func early()
        async throws
    {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            let id = "43163cd0-c849-4924-82c1-7bec32b94881"
            try await world.execute(
                """
                INSERT INTO three_d_secure (id, payment_id, attempt_id, code, status, deadline)
                VALUES (\(id), \(payment.id), \(payment.attemptID), 'code', 'asked', \(PaymentWorld.start + .seconds(30)))
                """)
            let authenticate: AuthenticatePayment = try #require(world.work.authenticate)
            let early: JSONValue = try parseJSON(try await authenticate.result(directory.result("Y", of: id)))
            #expect(early["messageType"] == "Erro" && early["errorCode"] == "403")
            #expect(try await world.payment(payment.id).status == .requiresAction)
            world.clock.advance(by: .seconds(31))
            try await authenticate.sweep()
            let late: JSONValue = try parseJSON(try await authenticate.result(directory.result("Y", of: id)))
            #expect(late["errorCode"] == "301")
            #expect(try await world.payment(payment.id).decline == .authenticationFailed)
        }
    }

    @Test("a directory that does not know our serial number any more is asked for all ranges, once") func anew()
        async throws
    {
        let directory = DirectoryDouble()
        let server: ThreeDSServer = directory.server
        let card = "5200000000000007"
        #expect(await server.range(of: card, at: PaymentWorld.start) == nil)
        directory.beginAnew()
        #expect(await server.range(of: card, at: PaymentWorld.start + .seconds(86_400)) != nil)
        #expect(await server.range(of: "4000002500003155", at: PaymentWorld.start + .seconds(86_400)) != nil)
        #expect(directory.prepared == [nil, "1", nil])
    }

    @Test(
        "a directory that has told of no ranges yet has not answered; a card in none of those it told of is not enrolled"
    )
    func unheard() async {
        let directory = DirectoryDouble()
        let server: ThreeDSServer = directory.server
        let day: Instant = PaymentWorld.start + .seconds(86_400)
        directory.hideRanges()
        #expect(await server.range(of: "4000002500003155", at: PaymentWorld.start) == nil)
        #expect(server.unasked(at: PaymentWorld.start).verdict == .unavailable(.noAnswer))
        directory.hideRanges(false)
        #expect(await server.range(of: "5200000000000007", at: PaymentWorld.start) == nil)
        #expect(server.unasked(at: PaymentWorld.start).verdict == .unavailable(.notEnrolled))
        // What it told of once is known for good, however long it is silent then.
        directory.hideRanges()
        #expect(await server.range(of: "5200000000000007", at: day) == nil)
        #expect(server.unasked(at: day).verdict == .unavailable(.notEnrolled))
    }

    @Test("a payment cancelled meanwhile stays so, whatever the issuer says later") func cancelled() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            _ = try await world.authenticate(payment.id)
            try await world.cancel(payment.id)
            _ = try await #require(world.work.authenticate).result(directory.result("Y"))
            #expect(try await world.payment(payment.id).status == .canceled)
        }
    }

    @Test("the number is told to the directory server, and is sealed here") func number() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let payment: PaymentRecord = try await world.challenged()
            _ = try await world.authenticate(payment.id)
            #expect(directory.asked.first?["acctNumber"] == "4000002500003155")
            #expect(directory.asked.first?["cardExpiryDate"] == "3012")
            #expect(directory.asked.first?["purchaseAmount"] == "1299")
            let stored: [String] = try await world.texts(
                """
                SELECT encode(sealed, 'escape') FROM three_d_secure_cards
                UNION ALL SELECT row_to_json(t)::text FROM three_d_secure t
                """)
            #expect(stored.count == 2 && !stored.contains { $0.contains("4000002500003155") })
        }
    }
}

extension PaymentWorld {
    /// A payment whose bank wants the customer to authenticate.
    func challenged() async throws -> PaymentRecord {
        let payment: PaymentRecord = try await created(try await payer("4000002500003155"))
        await decide(payment)
        return try await settled(payment.id)
    }

    /// - Parameter other: Who is asked, where that is not this world's service.
    func authenticate(
        _ id: PaymentID, language: String = "de", by other: PaymentUseCases? = nil
    ) async throws -> JSONValue {
        let input: AuthenticatePaymentInput = try read(
            #"{"accept_header":"*/*","user_agent":"x","language":"\#(language)","color_depth":24,"screen_height":900,"screen_width":1600,"time_zone_minutes":-60}"#
        )
        guard let authenticate: AuthenticatePayment = (other ?? work).authenticate else { throw Absent() }
        return try parseJSON(try await authenticate(id, input).body)
    }
}
