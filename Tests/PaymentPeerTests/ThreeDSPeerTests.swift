import BillingCore
import JSON
import PaymentThreeDS
import Synchronization
import TestKit
import Testing

/// The double's directory server, over a plain socket.
private struct PeerTransport: DirectoryTransport {
    let port: Int
    let path: String

    func post(_ message: [UInt8], maxBytes: Int) async throws(DirectoryFault) -> DirectoryReply {
        do {
            let answer = try await exchange(
                port, "POST", path, headers: [("Content-Type", "application/json;charset=UTF-8")], body: message,
                timeoutSeconds: 3)
            return DirectoryReply(status: answer.status, body: answer.body)
        } catch {
            throw .timedOut
        }
    }
}

/// The merchant's side: where RReq and CRes arrive.
private final class Merchant: Sendable {
    struct Book {
        var authentications: [TransactionID: Authentication] = [:]
        var decisions: [TransactionID: Int] = [:]
        var answers: [[UInt8]] = []
        var returns: [String] = []
    }

    let book = Mutex(Book())
    let clock = SystemClock()

    func handle(_ request: HTTPMessage) -> [UInt8] {
        request.path == "/rreq" ? result(request.body) : comeBack(Form.decode(request.text))
    }

    private func result(_ body: [UInt8]) -> [UInt8] {
        let request: ResultRequest
        do {
            request = try ResultRequest(body)
        } catch {
            return error.serialized
        }
        return book.withLock { book in
            guard var authentication = book.authentications[request.id] else { return request.unknown.serialized }
            let answer = authentication.apply(request, at: clock.now)
            book.authentications[request.id] = authentication
            book.decisions[request.id, default: 0] += answer.isDecision ? 1 : 0
            book.answers.append(answer.message)
            return answer.message
        }
    }

    private func comeBack(_ form: [String: String]) -> [UInt8] {
        book.withLock { book in
            do {
                let response = try ChallengeResponse(form["cres"] ?? "")
                guard var authentication = book.authentications[response.id] else {
                    throw NoAnswer(port: 0, path: "id")
                }
                try authentication.cardholderReturned(response, session: form["threeDSSessionData"], at: clock.now)
                book.authentications[response.id] = authentication
                book.returns.append("accepted")
            } catch {
                book.returns.append("\(error)")
            }
        }
        return []
    }
}

@Suite("The double of a directory server and issuer", .serialized) struct ThreeDSPeerTests {
    private struct World {
        let peer: Peer
        let merchant: Merchant
        let server: LoopbackServer
        let ranges: CardRangeCache
        let profile: RequestorProfile

        init() async throws {
            peer = try await Peer("threeds/ds_acs_mock.py", ready: "/_mock/log")
            let merchant = Merchant()
            self.merchant = merchant
            server = try LoopbackServer { merchant.handle($0) }
            let base = "http://127.0.0.1:\(server.port)"
            profile = RequestorProfile(
                serverReference: "3DS_TEST", resultURL: "\(base)/rreq", notificationURL: "\(base)/notify",
                requestorID: "r1", requestorName: "Shop", requestorURL: "https://shop.example", acquirerBIN: "868491",
                acquirerMerchantID: "m1", merchantCategory: "5734", merchantCountry: "276", merchantName: "Shop")
            let directory = DirectoryServer(transport: PeerTransport(port: peer.port, path: "/ds/preq"))
            let request = PreparationRequest(since: nil, as: profile)
            let answer = try await directory.prepare(try request.serialized())
            ranges = try CardRangeCache().updated(by: answer, to: request, at: SystemClock().now)
        }

        var directory: DirectoryServer { DirectoryServer(transport: PeerTransport(port: peer.port, path: "/ds/areq")) }
        var now: Instant { merchant.clock.now }

        func control(_ path: String, _ body: String) async throws -> JSONValue {
            try parseJSON(
                try await exchange(
                    peer.port, "POST", "/_mock/\(path)", headers: [("Content-Type", "application/json")],
                    body: Array(body.utf8), timeoutSeconds: 30
                ).body)
        }

        /// Runs the method URL as a browser would.
        func runMethod(_ authentication: inout Authentication) async throws -> Bool {
            let (form, _) = try authentication.methodForm(
                notificationURL: "http://127.0.0.1:\(server.port)/method", at: now)
            let fields = form.fields.map { ($0.name, $0.value) }
            let page = try await exchange(peer.port, "POST", "/acs/method", body: Form.encode(fields)).text
            let value = page.components(between: "value=\"", and: "\"")
            try authentication.resumeMethod(.completed)
            return try MethodNotification(value).id == authentication.id
        }

        /// From the card number to the issuer's first word.
        func authenticate(
            _ number: String, preference: ChallengePreference = .none, decoupledMinutes: Int? = nil,
            channel: AuthenticationTerms.Channel = .browser
        ) async throws -> (Authentication, ErrorMessage?) {
            let range = try #require(ranges.range(of: number))
            let amount = Money(minor: 1_099, currency: .eur)
            let terms = try AuthenticationTerms(
                version: range.version, scheme: number.hasPrefix("5") ? .mastercard : .visa, channel: channel,
                purchase: .init(amount: amount, at: now), preference: preference, decoupledMinutes: decoupledMinutes)
            var authentication = Authentication(terms: terms, range: range)
            if authentication.methodURL != nil { #expect(try await runMethod(&authentication)) }
            let script = CardholderBrowser.Script(
                language: "de", javaEnabled: false, colorDepth: 24, screenHeight: 900, screenWidth: 1_600,
                timeZoneMinutes: -60)
            let browser = CardholderBrowser(acceptHeader: "*/*", userAgent: "x", address: "192.0.2.1", script: script)
            let message = try authentication.ask(
                as: profile, Cardholder(number: number, expiry: "3412", name: "Test Er"),
                browser: channel == .browser ? browser : nil, at: now)
            do {
                let error = try authentication.receive(try await directory.ask(message), at: now)
                return (authentication, error)
            } catch is DirectoryFault {
                try authentication.askFailed(at: now)
                return (authentication, nil)
            }
        }

        /// To the issuer's page and back, the double playing issuer and browser.
        func challenge(_ number: String, _ result: String, _ order: String) async throws -> Authentication {
            var (authentication, _) = try await authenticate(number)
            let form = try authentication.beginChallenge(window: .fullPage, session: "pay_1", at: now)
            let waiting = authentication
            merchant.book.withLock { $0.authentications[waiting.id] = waiting }
            let fields = form.fields.map { ($0.name, $0.value) }
            let page = try await exchange(peer.port, "POST", "/acs/challenge", body: Form.encode(fields)).text
            #expect(page.contains("otp"))
            guard case .challenge(let challenge) = authentication.stage else { return authentication }
            _ = try await control(
                "complete/\(challenge.acsTransaction)", "{\"result\":\"\(result)\",\"order\":\"\(order)\"}")
            return try #require(merchant.book.withLock { $0.authentications[waiting.id] })
        }
    }

    @Test("the ranges say which version and which method URL a card has") func ranges() async throws {
        let world = try await World()
        #expect(world.ranges.count == 2)
        #expect(world.ranges.range(of: "4000000000000002")?.version == .v220)
        #expect(world.ranges.range(of: "4000000000000002")?.methodURL?.hasSuffix("/acs/method") == true)
        #expect(world.ranges.range(of: "5200000000000007")?.version == .v210)
        #expect(world.ranges.range(of: "6000000000000000") == nil)
    }

    @Test("each test card leads to the outcome that it stands for") func cards() async throws {
        let world = try await World()
        let table: [(String, AuthenticationOutcome.Verdict, Bool)] = [
            ("4000000000000002", .authenticated, true), ("4000000000000028", .notAuthenticated, true),
            ("4000000000000036", .unavailable(.issuer), true), ("4000000000000044", .attempted, true),
            ("4000000000000051", .rejected, true), ("4000000000000085", .unavailable(.refusedRequest), true),
            ("4000000000000093", .unavailable(.noAnswer), true), ("4000000000000119", .unavailable(.noAnswer), true),
            ("4000000000000127", .unavailable(.unusableAnswer), false),
            ("4000000000000135", .unavailable(.unusableAnswer), false),
            ("4000000000000143", .unavailable(.unusableAnswer), false), ("5200000000000007", .authenticated, true),
            ("5200000000000023", .notAuthenticated, true), ("5200000000000031", .unavailable(.issuer), true),
            ("5200000000000049", .attempted, true),
        ]
        for (number, verdict, isMessage) in table {
            let (authentication, error) = try await world.authenticate(number)
            #expect(authentication.outcome?.verdict == verdict, "\(number)")
            #expect((error == nil) == isMessage, "\(number)")
            let shifts: Bool = verdict == .authenticated || verdict == .attempted
            #expect(authentication.outcome?.liability == (shifts ? .issuer : .merchant), "\(number)")
        }
        let (informed, _) = try await world.authenticate("4000000000000069", preference: .riskAnalysisDone)
        #expect(informed.outcome?.verdict == .unavailable(.informational))
        let (mandated, _) = try await world.authenticate("4000000000000002", preference: .mandated)
        #expect(mandated.outcome == nil)
        let (merchant, _) = try await world.authenticate("4000000000000002", channel: .merchant(.otherPayment))
        #expect(merchant.outcome?.verdict == .authenticated)
    }

    @Test("every course of a challenge ends as the RReq says, and without one as a no") func challenges() async throws {
        let world = try await World()
        let table: [(String, String, AuthenticationOutcome.Verdict?, Int)] = [
            ("Y", "rreq_first", .authenticated, 1), ("N", "rreq_first", .notAuthenticated, 1),
            ("cancel", "rreq_first", .notAuthenticated, 1), ("timeout", "rreq_first", .notAuthenticated, 1),
            ("Y", "cres_first", .authenticated, 1), ("N", "cres_first", .notAuthenticated, 1),
            ("Y", "rreq_twice", .authenticated, 1), ("Y", "cres_only", nil, 0), ("Y", "forged_cres", nil, 0),
        ]
        for number in ["4000000000000010", "5200000000000015", "4000000000000101"] {
            for (result, order, verdict, decisions) in table {
                var authentication = try await world.challenge(number, result, order)
                let id = authentication.id
                #expect(authentication.outcome?.verdict == verdict, "\(number) \(result) \(order)")
                #expect(world.merchant.book.withLock { $0.decisions[id] ?? 0 } == decisions, "\(result) \(order)")
                authentication.expire(at: world.now + .seconds(3_600))
                #expect(authentication.outcome?.verdict == (verdict ?? .notAuthenticated))
            }
        }
        let book = world.merchant.book.withLock { $0 }
        #expect(book.returns.count == 27 && book.returns.allSatisfy { $0 == "accepted" }, "\(book.returns)")
        #expect(zip(book.answers, book.answers.dropFirst()).contains { $0 == $1 })
        let log = try parseJSON(try await exchange(world.peer.port, "GET", "/_mock/log").body).arrayValue ?? []
        let results = log.filter { $0["sent"] == "RReq" }
        #expect(results.count == 24 && results.allSatisfy { $0["valid_rres"] == true })
    }

    @Test("a decoupled authentication is decided by its RReq") func decoupled() async throws {
        let world = try await World()
        for channel in [AuthenticationTerms.Channel.browser, .merchant(.otherPayment)] {
            let (authentication, error) = try await world.authenticate(
                "4000000000000077", decoupledMinutes: 5, channel: channel)
            #expect(error == nil)
            guard case .decoupled(let challenge) = authentication.stage else {
                Issue.record("not decoupled: \(authentication.stage)")
                return
            }
            world.merchant.book.withLock { $0.authentications[authentication.id] = authentication }
            _ = try await world.control("complete/\(challenge.acsTransaction)", "{\"result\":\"Y\"}")
            let ended = world.merchant.book.withLock { $0.authentications[authentication.id] }
            #expect(ended?.outcome?.verdict == .authenticated)
        }
        let (unasked, error) = try await world.authenticate("4000000000000077")
        #expect(unasked.outcome?.verdict == .unavailable(.unusableAnswer) && error?.code == .contradiction)
    }
}

extension String {
    /// The text between the first two marks.
    fileprivate func components(between first: String, and last: String) -> String {
        let parts = split(separator: first, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return "" }
        return String(parts[1].split(separator: last, maxSplits: 1, omittingEmptySubsequences: false).first ?? "")
    }
}
