import BillingCore
import JSON
import PaymentThreeDS
import TestKit
import Testing

@Suite("The issuer's first word") struct AnswerTests {
    /// Takes an ARes for terms that allow every status.
    private func outcome(
        _ status: String, _ terms: AuthenticationTerms, _ changes: Changes = []
    ) throws -> (Authentication, ErrorMessage?) {
        var authentication = try asked(terms)
        let error = try authentication.receive(response(authentication, status, changes), at: start)
        return (authentication, error)
    }

    @Test(
        "each status leads where the protocol says, with the liability that goes with it",
        arguments: [
            ("Y", CardScheme.visa, AuthenticationOutcome.Verdict.authenticated, "issuer"),
            ("A", .visa, .attempted, "issuer"), ("N", .visa, .notAuthenticated, "merchant"),
            ("R", .visa, .rejected, "merchant"), ("U", .visa, .unavailable(.issuer), "merchant"),
            ("I", .visa, .unavailable(.informational), "merchant"), ("Y", .mastercard, .authenticated, "issuer"),
            ("A", .mastercard, .attempted, "issuer"), ("Y", .amex, .authenticated, "issuer"),
            ("N", .mastercard, .notAuthenticated, "merchant"),
        ] as [(String, CardScheme, AuthenticationOutcome.Verdict, String)])
    func statuses(
        status: String, scheme: CardScheme, verdict: AuthenticationOutcome.Verdict, liability: String
    ) throws {
        let (authentication, error) = try outcome(
            status, try terms(scheme: scheme, preference: .dataShareOnly, decoupledMinutes: 5))
        #expect(error == nil)
        let outcome = try #require(authentication.outcome)
        #expect(outcome.verdict == verdict && outcome.liability.rawValue == liability)
        #expect((outcome.value != nil) == (status == "Y" || status == "A"))
        #expect(outcome.directoryTransaction?.description == directoryID && !outcome.wasChallenged)
    }

    @Test("policies let pass what nobody decided, never a no, never nonsense") func policies() throws {
        let table: [(AuthenticationOutcome.Verdict, String, String)] = [
            (.authenticated, "authorize", "authorize"), (.attempted, "authorize", "authorize"),
            (.notAuthenticated, "refuse", "refuse"), (.rejected, "refuse", "refuse"),
            (.unavailable(.issuer), "refuse", "authorize_unauthenticated"),
            (.unavailable(.informational), "authorize_unauthenticated", "authorize_unauthenticated"),
            (.unavailable(.notEnrolled), "refuse", "authorize_unauthenticated"),
            (.unavailable(.noAnswer), "refuse", "authorize_unauthenticated"),
            (.unavailable(.refusedRequest), "refuse", "refuse"), (.unavailable(.unusableAnswer), "refuse", "refuse"),
        ]
        let (sample, _) = try outcome("N", try terms())
        let base = try #require(sample.outcome)
        for (verdict, strict, lenient) in table {
            let outcome = AuthenticationOutcome(base, verdict)
            #expect(outcome.permission(.strict).rawValue == strict, "\(verdict)")
            #expect(outcome.permission(.lenient).rawValue == lenient, "\(verdict)")
        }
    }

    @Test("an indicator that does not go with the status leaves the liability with the merchant") func indicators()
        throws
    {
        let (weak, _) = try outcome("Y", try terms(), [("eci", "07")])
        #expect(weak.outcome?.verdict == .authenticated && weak.outcome?.liability == .merchant)
        let (crossed, _) = try outcome("A", try terms(), [("eci", "05")])
        #expect(crossed.outcome?.liability == .merchant)
        let (foreign, error) = try outcome("Y", try terms(), [("eci", "02")])
        #expect(foreign.outcome?.verdict == .unavailable(.unusableAnswer) && error?.detail == "eci")
    }

    @Test("each required element that is missing is named in the Erro, and nothing is authenticated") func missing()
        throws
    {
        let always = [
            "threeDSServerTransID", "messageVersion", "acsTransID", "dsTransID", "acsReferenceNumber",
            "dsReferenceNumber", "transStatus",
        ]
        let required: [String: [String]] = [
            "Y": always + ["authenticationValue", "eci"], "A": always + ["authenticationValue", "eci"],
            "C": always + ["acsURL", "acsChallengeMandated", "authenticationType"], "D": always + ["acsDecConInd"],
            "U": always + ["transStatusReason"],
        ]
        for (status, names) in required {
            for name in names {
                let (authentication, error) = try outcome(status, try terms(decoupledMinutes: 5), [(name, nil)])
                #expect(error?.code == .missing && error?.detail == name, "\(status) \(name)")
                #expect(authentication.outcome?.verdict == .unavailable(.unusableAnswer), "\(status) \(name)")
                let sent = try parseJSON(try #require(error).serialized)
                #expect(sent["messageType"] == "Erro" && sent["errorComponent"] == "S")
            }
        }
    }

    @Test("an ACS that its directory server has given no id is believed all the same") func withoutOperator() throws {
        let (authentication, error) = try outcome("Y", try terms(), [("acsOperatorID", nil)])
        #expect(error == nil && authentication.outcome?.verdict == .authenticated)
    }

    @Test(
        "elements in the wrong form are named too",
        arguments: [
            ("Y", "authenticationValue", "AAAA"), ("Y", "authenticationValue", .null), ("Y", "authenticationValue", 1),
            ("Y", "authenticationValue", "mK225wGt2bLnnLB0UlRky0oHLn=="), ("Y", "eci", "5"), ("Y", "eci", "99"),
            ("Y", "acsTransID", "43163CD0-C849-4924-82C1-7BEC32B94881"), ("Y", "dsTransID", ""),
            ("Y", "transStatus", "y"), ("Y", "transStatus", "X"), ("Y", "acsOperatorID", ""),
            ("Y", "acsReferenceNumber", .string(String(repeating: "x", count: 33))), ("Y", "messageExtension", "x"),
            ("C", "acsURL", "javascript:alert(1)"), ("C", "acsURL", "http://acs.example/"),
            ("C", "acsChallengeMandated", "X"), ("C", "authenticationType", "2"), ("U", "transStatusReason", "1"),
            ("D", "acsDecConInd", "N"), ("Y", "cardholderInfo", .string(String(repeating: "x", count: 129))),
        ] as [(String, String, JSONValue)])
    func malformed(status: String, name: String, value: JSONValue) throws {
        let (authentication, error) = try outcome(status, try terms(decoupledMinutes: 5), [(name, value)])
        #expect(error?.code == .malformed && error?.detail == name)
        #expect(authentication.outcome?.verdict == .unavailable(.unusableAnswer))
    }

    @Test("answers of another transaction, version or question are not ours") func foreign() throws {
        let table: [(String, Changes, ErrorMessage.Code)] = [
            ("Y", [("threeDSServerTransID", .string(otherID))], .unknownTransaction),
            ("Y", [("messageVersion", "2.1.0")], .contradiction),
            ("Y", [("messageVersion", "2.3.1")], .unsupportedVersion),
            ("Y", [("messageType", "RReq")], .invalidMessage), ("D", [], .contradiction), ("I", [], .contradiction),
            (
                "Y",
                [("messageExtension", [["name": "x", "id": "x", "criticalityIndicator": true, "data": "x"]])],
                .unknownCriticalExtension
            ),
        ]
        for (status, changes, code) in table {
            let (authentication, error) = try outcome(status, try terms(), changes)
            #expect(error?.code == code, "\(status) \(changes)")
            #expect(authentication.outcome?.verdict == .unavailable(.unusableAnswer))
        }
        let (merchant, error) = try outcome("C", try terms(channel: .merchant(.otherPayment)))
        #expect(error?.code == .contradiction && merchant.outcome?.permission(.lenient) == .refuse)
        let (old, decoupled) = try outcome("I", try terms(version: .v210, preference: .noChallenge))
        #expect(decoupled?.code == .contradiction && old.outcome?.value == nil)
    }

    @Test("an extension that may be passed over is passed over, and so are elements nobody knows") func extensions()
        throws
    {
        let (authentication, error) = try outcome(
            "Y", try terms(),
            [
                ("messageExtension", [["name": "x", "id": "x", "criticalityIndicator": false, "data": [:]]]),
                ("broadInfo", ["any": "thing"]), ("whatever", .null),
            ])
        #expect(error == nil && authentication.outcome?.verdict == .authenticated)
    }

    @Test("a refusal stands whatever else is wrong with the message", arguments: ["N", "R"])
    func refusals(status: String) throws {
        let broken: [Changes] = [
            [("transStatusReason", nil)], [("acsTransID", nil)], [("dsTransID", "x")], [("messageVersion", "2.1.0")],
            [("acsOperatorID", 7)], [("eci", .null)], [("messageExtension", "x")],
        ]
        for changes in broken {
            let (authentication, error) = try outcome(status, try terms(), changes)
            #expect(error == nil)
            #expect(authentication.outcome?.verdict == (status == "R" ? .rejected : .notAuthenticated), "\(changes)")
            #expect(authentication.outcome?.permission(.lenient) == .refuse)
        }
    }

    @Test("an Erro ends it as our fault, and what is no message as theirs") func errors() throws {
        var refused = try asked(try terms())
        let erro = ErrorMessage(
            .malformed, detail: "acctNumber", about: "AReq", component: .directoryServer, transaction: refused.id)
        #expect(try refused.receive(erro.serialized, at: start) == nil)
        #expect(refused.outcome?.verdict == .unavailable(.refusedRequest))
        let nonsense = [
            "", "{", "[]", "null", "<html>", "{\"messageType\":\"ARes\",", "{\"a\":1,\"a\":2}", "\u{FEFF}{}",
        ]
        for text in nonsense {
            var authentication = try asked(try terms())
            let error = try authentication.receive(Array(text.utf8), at: start)
            #expect(error != nil && authentication.outcome?.verdict == .unavailable(.unusableAnswer), "\(text)")
        }
        var huge = try asked(try terms())
        _ = try huge.receive([UInt8](repeating: 0x20, count: 1 << 20), at: start)
        #expect(huge.outcome?.verdict == .unavailable(.unusableAnswer))
    }

    @Test("an answer is taken once, and only in time") func once() throws {
        var authentication = try asked(try terms())
        let bytes = response(authentication, "Y")
        _ = try authentication.receive(bytes, at: start)
        #expect(throws: AuthenticationFault.illegalStep) { try authentication.receive(bytes, at: start) }
        var late = try asked(try terms())
        #expect(late.deadline == start + .seconds(30))
        let tooLate: Instant = start + .seconds(30)
        #expect(try late.receive(response(late, "Y"), at: tooLate) == nil)
        #expect(late.outcome?.verdict == .unavailable(.noAnswer))
        for now in [start, tooLate] {
            var failed = try asked(try terms())
            try failed.askFailed(at: now)
            #expect(failed.outcome?.verdict == .unavailable(.noAnswer))
        }
    }
}

extension AuthenticationOutcome {
    /// The same with another word.
    init(_ base: AuthenticationOutcome, _ verdict: Verdict) {
        self.init(
            verdict: verdict, version: base.version, indicator: nil, value: nil, directoryTransaction: nil,
            acsTransaction: nil, reason: nil, cancellation: nil, wasChallenged: false, liability: .merchant,
            cardholderInfo: nil, at: base.at)
    }
}
