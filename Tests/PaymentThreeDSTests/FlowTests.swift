import BillingCore
import JSON
import PaymentThreeDS
import TestKit
import Testing

@Suite("From the method URL to the question") struct MethodTests {
    private let hook = "https://pay.example/3ds/method"

    private func notification(_ id: String) throws -> MethodNotification {
        try MethodNotification(
            Base64.url.encode(
                JSONValue.object([
                    JSONMember(name: "threeDSServerTransID", value: .string(id))
                ]).serialized))
    }

    private func completion(_ authentication: inout Authentication, at now: Instant) throws -> JSONValue? {
        try parseJSON(authentication.ask(as: profile, cardholder, browser: browser, at: now))["threeDSCompInd"]
    }

    @Test("a script that reports in the ten seconds that it has is Y") func completed() throws {
        var authentication = Authentication(terms: try terms(), range: methodRange)
        let (form, until): (BrowserForm, Instant) = try authentication.methodForm(notificationURL: hook, at: start)
        #expect(until == start + .seconds(10))
        #expect(form.address == "https://acs.example/method" && form.fields.map(\.name) == ["threeDSMethodData"])
        let data = try parseJSON(try #require(Base64.url.decode(form.fields[0].value)))
        #expect(data["threeDSServerTransID"] == .string(authentication.id.description))
        #expect(data["threeDSMethodNotificationURL"] == .string(hook))
        #expect(try notification(authentication.id.description).id == authentication.id)
        try authentication.resumeMethod(.completed)
        #expect(throws: AuthenticationFault.illegalStep) { try authentication.resumeMethod(.notCompleted) }
        #expect(try completion(&authentication, at: start + .seconds(9)) == "Y")
    }

    @Test("a script that was silent, or never ran, is N; without one it is U") func silent() throws {
        var silent = Authentication(terms: try terms(), range: methodRange)
        try silent.resumeMethod(.notCompleted)
        #expect(try completion(&silent, at: start + .seconds(10)) == "N")
        var skipped = Authentication(terms: try terms(), range: methodRange)
        #expect(try completion(&skipped, at: start) == "N")
        var none = Authentication(terms: try terms(), range: plainRange)
        #expect(throws: AuthenticationFault.noMethod) { try none.methodForm(notificationURL: hook, at: start) }
        #expect(throws: AuthenticationFault.noMethod) { try none.resumeMethod(.completed) }
        #expect(try completion(&none, at: start) == "U")
    }

    @Test("a question is asked once, and a bad element spends nothing") func once() throws {
        var authentication = Authentication(terms: try terms(), range: plainRange)
        #expect(throws: AuthenticationFault.invalidField("acctNumber")) {
            try authentication.ask(as: profile, Cardholder(number: ""), browser: browser, at: start)
        }
        #expect(throws: AuthenticationFault.invalidField("browserUserAgent")) {
            try authentication.ask(as: profile, cardholder, browser: nil, at: start)
        }
        _ = try authentication.ask(as: profile, cardholder, browser: browser, at: start)
        #expect(throws: AuthenticationFault.illegalStep) {
            try authentication.ask(as: profile, cardholder, browser: browser, at: start)
        }
        #expect(throws: AuthenticationFault.illegalStep) {
            try authentication.methodForm(notificationURL: hook, at: start)
        }
    }

    @Test(
        "what a script posts that is no notification is refused",
        arguments: ["", "e30", "W10", "=", "A", "*", "bnVsbA"])
    func nonsense(field: String) {
        #expect(throws: ErrorMessage.self) { try MethodNotification(field) }
    }
}

@Suite("A challenge") struct ChallengeTests {
    private func apply(
        _ authentication: inout Authentication, _ status: String, _ changes: Changes = [], at now: Instant = start
    ) throws -> ResultAnswer {
        authentication.apply(try ResultRequest(result(authentication, status, changes)), at: now)
    }

    private func comeBack(
        _ authentication: inout Authentication, _ status: String = "Y", _ changes: Changes = [],
        session: String? = nil, at now: Instant = start
    ) throws {
        let response = try ChallengeResponse(returned(authentication, status, changes))
        try authentication.cardholderReturned(response, session: session, at: now)
    }

    @Test(
        "the RReq decides",
        arguments: [
            ("Y", nil, AuthenticationOutcome.Verdict.authenticated), ("A", nil, .attempted),
            ("N", nil, .notAuthenticated),
            ("R", nil, .rejected), ("U", nil, .unavailable(.issuer)), ("N", "01", .notAuthenticated),
            ("U", "01", .notAuthenticated), ("U", "03", .notAuthenticated), ("U", "04", .notAuthenticated),
            ("U", "05", .notAuthenticated), ("U", "08", .notAuthenticated), ("U", "06", .unavailable(.issuer)),
            ("U", "07", .unavailable(.issuer)), ("U", "02", .unavailable(.issuer)), ("R", "06", .rejected),
        ] as [(String, String?, AuthenticationOutcome.Verdict)])
    func decides(status: String, cancel: String?, verdict: AuthenticationOutcome.Verdict) throws {
        var authentication = try challenged()
        let changes: Changes = cancel.map { [("challengeCancel", .string($0))] } ?? []
        let answer = try apply(&authentication, status, changes)
        #expect(answer.isDecision && answer.error == nil)
        let sent = try parseJSON(answer.message)
        #expect(sent["messageType"] == "RRes" && sent["resultsStatus"] == "01")
        #expect(sent["acsTransID"] == .string(acsID) && sent["dsTransID"] == .string(directoryID))
        let outcome = try #require(authentication.outcome)
        #expect(outcome.verdict == verdict && outcome.wasChallenged)
        #expect(outcome.liability == (status == "Y" || status == "A" ? .issuer : .merchant))
        #expect(outcome.cancellation?.rawValue == cancel)
    }

    @Test("a CRes alone decides nothing, and silence after it is a no") func forged() throws {
        var authentication = try challenged(session: "pay_1")
        let session = Base64.url.encode("pay_1".utf8)
        try comeBack(&authentication, "Y", session: session)
        #expect(authentication.outcome == nil)
        #expect(authentication.deadline == start + .seconds(60))
        try comeBack(&authentication, "Y", session: session, at: start + .seconds(30))
        #expect(authentication.deadline == start + .seconds(60))
        let changed: [Bool] = [59, 60, 61].map { authentication.expire(at: start + .seconds($0)) }
        #expect(changed == [false, true, false])
        #expect(authentication.outcome?.verdict == .notAuthenticated)
        #expect(authentication.outcome?.permission(.lenient) == .refuse && authentication.outcome?.value == nil)
    }

    @Test("an RReq after the CRes decides, against what the CRes said") func after() throws {
        var authentication = try challenged()
        try comeBack(&authentication, "Y")
        #expect(try apply(&authentication, "N", at: start + .seconds(5)).isDecision)
        #expect(authentication.outcome?.verdict == .notAuthenticated)
        var other = try challenged()
        #expect(try apply(&other, "Y").isDecision)
        try comeBack(&other, "N")
        #expect(other.outcome?.verdict == .authenticated)
    }

    @Test("the same RReq again gets the same answer and has no effect, also long after") func twice() throws {
        var authentication = try challenged()
        let first = try apply(&authentication, "Y")
        let decided = authentication
        let second = try apply(&authentication, "Y", at: start + .seconds(9_999))
        #expect(first.isDecision && !second.isDecision && first.message == second.message && second.error == nil)
        #expect(authentication == decided)
    }

    @Test("another RReq for what is decided is refused and changes nothing") func contradiction() throws {
        for (first, second) in [("N", "Y"), ("Y", "N"), ("R", "Y"), ("U", "Y")] {
            var authentication = try challenged()
            _ = try apply(&authentication, first)
            let decided = authentication
            let answer = try apply(&authentication, second)
            #expect(answer.error?.code == .contradiction && !answer.isDecision)
            #expect(authentication == decided)
        }
    }

    @Test("an RReq with other ids, version or category than issued is refused and changes nothing") func ids() throws {
        let table: [(Changes, ErrorMessage.Code)] = [
            ([("threeDSServerTransID", .string(otherID))], .unknownTransaction),
            ([("acsTransID", .string(otherID))], .unknownTransaction),
            ([("dsTransID", .string(otherID))], .unknownTransaction), ([("messageVersion", "2.1.0")], .contradiction),
            ([("messageCategory", "02")], .contradiction), ([("eci", "02")], .malformed),
        ]
        for (changes, code) in table {
            var authentication = try challenged()
            let before = authentication
            let answer = try apply(&authentication, "Y", changes)
            #expect(answer.error?.code == code && authentication == before, "\(changes)")
            #expect(try parseJSON(answer.message)["messageType"] == "Erro")
        }
    }

    /// What a directory server passes on in some cases only.
    private static let conditional = [
        "interactionCounter", "authenticationMethod", "authenticationType", "acsRenderingType",
    ]

    @Test("an RReq decides without what its directory server need not pass on, and not with nonsense in its place")
    func passedOn() throws {
        for names in Self.conditional.map({ [$0] }) + [Self.conditional] {
            var authentication = try challenged()
            let leftOut: Changes = names.map { ($0, nil) }
            #expect(try apply(&authentication, "Y", leftOut).isDecision, "\(names)")
            #expect(authentication.outcome?.verdict == .authenticated)
        }
        let authentication = try challenged()
        for name in Self.conditional {
            for value in [JSONValue.bool(true), .null, "x"] {
                let error = #expect(throws: ErrorMessage.self, "\(name)") {
                    try ResultRequest(result(authentication, "Y", [(name, value)]))
                }
                #expect(error?.code == .malformed && error?.detail == name, "\(name)")
            }
        }
    }

    @Test("each element of an RReq that is missing or malformed is named") func malformed() throws {
        let authentication = try challenged()
        let names = [
            "messageVersion", "threeDSServerTransID", "acsTransID", "dsTransID", "messageCategory", "transStatus",
            "authenticationValue", "eci",
        ]
        for name in names {
            for (value, code) in [(nil, ErrorMessage.Code.missing), (JSONValue.bool(true), .malformed)] {
                let error = #expect(throws: ErrorMessage.self, "\(name)") {
                    try ResultRequest(result(authentication, "Y", [(name, value)]))
                }
                #expect(error?.code == code && error?.detail == name, "\(name)")
            }
        }
        for status in ["C", "D", "I", "", "y"] {
            #expect(throws: ErrorMessage.self) { try ResultRequest(result(authentication, status)) }
        }
        #expect(throws: ErrorMessage.self) {
            try ResultRequest(result(authentication, "Y", [("challengeCancel", "01")]))
        }
    }

    @Test("nobody passes a challenge that was never shown; a no before it counts") func unseen() throws {
        var authentication = try asked(try terms())
        _ = try authentication.receive(response(authentication, "C"), at: start)
        let answer = try apply(&authentication, "Y")
        #expect(answer.error?.code == .contradiction && authentication.outcome == nil)
        let refusal = try apply(&authentication, "N")
        #expect(refusal.isDecision && authentication.outcome?.verdict == .notAuthenticated)
        #expect(try parseJSON(refusal.message)["resultsStatus"] == "02")
    }

    @Test("a challenge that takes too long is a no, and an RReq after that comes too late") func tooLate() throws {
        var authentication = try challenged()
        #expect(authentication.deadline == start + .seconds(600))
        let answer = try apply(&authentication, "Y", at: start + .seconds(600))
        #expect(answer.error?.code == .timedOut && !answer.isDecision)
        #expect(authentication.outcome?.verdict == .notAuthenticated)
        #expect(authentication.outcome?.permission(.lenient) == .refuse)
    }

    @Test("an RReq where none is due is refused") func undue() throws {
        var created = Authentication(terms: try terms(), range: plainRange)
        #expect(try apply(&created, "Y").error?.code == .unknownTransaction)
        var waiting = try asked(try terms())
        #expect(try apply(&waiting, "Y").error?.code == .transientFailure && waiting.outcome == nil)
        var frictionless = try asked(try terms())
        _ = try frictionless.receive(response(frictionless, "N"), at: start)
        #expect(try apply(&frictionless, "Y").error != nil)
        #expect(frictionless.outcome?.verdict == .notAuthenticated)
        let stray = try ResultRequest(result(created, "Y"))
        #expect(stray.unknown.code == .unknownTransaction && stray.id == created.id)
    }

    @Test("a CRes must fit what was issued") func returnedWrong() throws {
        let table: [(Changes, String?)] = [
            ([("threeDSServerTransID", .string(otherID))], nil), ([("acsTransID", .string(otherID))], nil),
            ([("messageVersion", "2.1.0")], nil), ([], "x"),
        ]
        for (changes, session) in table {
            var authentication = try challenged()
            let before = authentication
            #expect(throws: ErrorMessage.self, "\(changes)") {
                try comeBack(&authentication, "Y", changes, session: session)
            }
            #expect(authentication == before)
        }
        var noted = try challenged(session: "pay_1")
        #expect(throws: ErrorMessage.self) { try comeBack(&noted) }
        for field in ["", "e30", "*", String(repeating: "A", count: 20_000), returned(noted, "C")] {
            #expect(throws: ErrorMessage.self) { try ChallengeResponse(field) }
        }
        #expect(throws: Never.self) { try ChallengeResponse(returned(noted) + "=") }
    }

    @Test("a page that is loaded again shows the same form, but not once the browser is back") func reload() throws {
        var authentication = try challenged(session: "a")
        let again = try authentication.beginChallenge(window: .fullPage, session: "b", at: start)
        #expect(again.fields.last?.value == Base64.url.encode("a".utf8))
        #expect(throws: AuthenticationFault.illegalStep) {
            try comeBack(&authentication, session: again.fields.last?.value)
            _ = try authentication.beginChallenge(window: .fullPage, at: start)
        }
    }

    @Test("a decoupled authentication waits for as long as was asked for, and the RReq decides") func decoupled() throws
    {
        var authentication = try asked(try terms(channel: .merchant(.otherPayment), decoupledMinutes: 60))
        _ = try authentication.receive(response(authentication, "D"), at: start)
        #expect(authentication.deadline == start + .seconds(3_660) && authentication.outcome == nil)
        #expect(throws: AuthenticationFault.illegalStep) {
            try authentication.beginChallenge(window: .fullPage, at: start)
        }
        var silent = authentication
        silent.expire(at: start + .seconds(3_660))
        #expect(silent.outcome?.verdict == .notAuthenticated)
        let changes: Changes = [
            ("authenticationType", "04"), ("interactionCounter", nil), ("acsRenderingType", nil),
        ]
        let answer = try apply(&authentication, "Y", changes, at: start + .seconds(3_000))
        #expect(answer.isDecision && authentication.outcome?.verdict == .authenticated)
    }
}
