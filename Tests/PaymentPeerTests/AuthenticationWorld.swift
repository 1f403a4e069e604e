import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentAuthentication
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentSandbox
import PaymentService
import PaymentThreeDS
import Postgres
import ServiceKit
import Telemetry
import TestKit
import Testing

/// The service with its pages, reached over HTTP, between a browser and the double of directory server and issuer.
struct AuthenticationWorld: Sendable {
    private static let browser =
        #"{"accept_header":"*/*","user_agent":"x","language":"de","color_depth":24,"screen_height":900,"screen_width":1600,"time_zone_minutes":-60}"#

    let peer: Peer
    let port: Int
    let database: PostgresPool
    let work: PaymentUseCases
    let authenticate: AuthenticatePayment
    let clock: ManualClock

    /// A payment that waits for its customer, and the code of its page.
    func waiting(_ card: String, country: String? = nil) async throws -> (PaymentID, String) {
        let customer = CustomerID.new(at: clock.now)
        try await execute("INSERT INTO customers (id, created_at) VALUES (\(customer), \(clock.now))")
        let method =
            #"{"customer_id":"\#(customer)","type":"card","card":{"number":"\#(card)","exp_month":12,"exp_year":2040,"cvc":"123"}}"#
        _ = try await work.attach(call("/v1/payment_methods"), read(method))
        try await execute("UPDATE payment_methods SET country = \(country) WHERE customer_id = \(customer)")
        let body =
            #"{"amount":30000,"currency":"EUR","customer_id":"\#(customer)","return_url":"https://shop.test/back"}"#
        let answer: JSONValue = try parseJSON(try await work.create(call("/v1/payments", body), read(body)).body)
        let id = PaymentID(unchecked: answer["id"]?.stringValue ?? "")
        let payment: PaymentRecord = try await ended(id)
        guard payment.status == .requiresAction, let code: Substring = payment.challengeURL?.split(separator: "/").last
        else { throw NoAnswer(port: port, path: "\(card) is \(payment.status)") }
        return (id, String(code))
    }

    /// Takes the page's steps as its browser does, to the issuer's challenge or the end.
    func toEnd(_ code: String) async throws -> JSONValue {
        var step: JSONValue = try await step(code)
        if step["step"] == "method" {
            let page: String = try await post(step["form"])
            let field: String = String(page.split(separator: "value=\"")[1].split(separator: "\"")[0])
            let back = try await exchange(
                port, "POST", "/v1/three_d_secure/method", body: Form.encode([("threeDSMethodData", field)]))
            #expect(back.status == 303)
            #expect(back.headers.contains { $0.value == "/pay/authentication/\(code)/back" })
            step = try await self.step(code)
        }
        return step
    }

    func step(_ code: String) async throws -> JSONValue {
        let answer = try await exchange(
            port, "POST", "/pay/authentication/\(code)/step", headers: [("Content-Type", "application/json")],
            body: Array(Self.browser.utf8))
        return try parseJSON(answer.body)
    }

    /// Opens the issuer's page, and lets the double play issuer and browser.
    func challenge(_ step: JSONValue, _ result: String, _ order: String) async throws {
        #expect(try await post(step["form"]).contains("otp"))
        let request: String = step["form"]?["fields"]?.arrayValue?.first?["value"]?.stringValue ?? ""
        let message: JSONValue = try parseJSON(Base64.url.decode(request[...]) ?? [])
        try await complete(message["acsTransID"]?.stringValue ?? "", result, order)
    }

    func complete(_ issuerID: String, _ result: String, _ order: String) async throws {
        _ = try await exchange(
            peer.port, "POST", "/_mock/complete/\(issuerID)", headers: [("Content-Type", "application/json")],
            body: Array("{\"result\":\"\(result)\",\"order\":\"\(order)\"}".utf8), timeoutSeconds: 30)
    }

    /// Posts a form of the page's into a frame.
    private func post(_ form: JSONValue?) async throws -> String {
        let fields: [(String, String)] = (form?["fields"]?.arrayValue ?? []).map {
            ($0["name"]?.stringValue ?? "", $0["value"]?.stringValue ?? "")
        }
        let path: Substring = form?["address"]?.stringValue?.split(separator: "/", maxSplits: 2).last ?? ""
        return try await exchange(
            peer.port, "POST", "/acs/" + (path.split(separator: "/").last ?? ""), body: Form.encode(fields)
        ).text
    }

    func log() async throws -> [JSONValue] {
        try parseJSON(try await exchange(peer.port, "GET", "/_mock/log").body).arrayValue ?? []
    }

    func lastIssuerID() async throws -> String {
        try await log().last { $0["got"] != nil }?["answer"]?["acsTransID"]?.stringValue ?? ""
    }

    /// The payment once nothing more happens to it by itself.
    func ended(_ id: PaymentID) async throws -> PaymentRecord {
        try await eventually(within: .seconds(20), "the payment settles") {
            try await work.sweep.pass()
            let status: PaymentStatus = try await payment(id).status
            return status.isSettled
        }
        return try await payment(id)
    }

    func payment(_ id: PaymentID) async throws -> PaymentRecord {
        let found: PaymentRecord? = try await database.transaction(readOnly: true) { db in
            try PaymentStore.find(id, in: db)
        }
        guard let found else { throw NoAnswer(port: port, path: id.rawValue) }
        return found
    }

    func note(_ payment: PaymentRecord) -> String {
        let note: AttemptAuthentication? = payment.authentication
        return [note?.result, note?.indicator, note?.liability].map { $0 ?? "-" }.joined(separator: " ")
    }

    func violations() async throws -> [String] {
        try await database.transaction { db in try PaymentConsistency.facts(in: db).violations }
    }

    private func call(_ path: String, _ body: String = "") -> Call {
        Call(
            post: path, body: Array(body.utf8), key: nil, preferWait: .zero, now: clock.now, receivedAt: clock.now)
    }

    private func read<Input: JSONInput>(_ text: String) throws -> Input {
        try decode(Input.self, from: parseJSON(text))
    }

    private func execute(_ sql: SQL) async throws {
        try await database.transaction { db in _ = try db.execute(sql) }
    }
}

/// Lends a migrated schema, the double, and the service between them.
func withAuthenticationPeer(
    policy: UnauthenticatedPolicy = .lenient, _ body: (AuthenticationWorld) async throws -> Void
) async throws {
    let peer = try await Peer("threeds/ds_acs_mock.py", ready: "/_mock/log")
    let logger = Logger(label: "test.authentication") { _ in SwiftLogNoOpLogHandler() }
    try await withMigratedDatabase(service: "Payment", connections: 6) { lent in
        let port: Int = try ChildProcess.freePort()
        let base = "http://127.0.0.1:\(port)"
        let clock = ManualClock(Instant(seconds: 1_900_000_000))
        let profile = RequestorProfile(
            serverReference: "3DS_TEST", resultURL: "\(base)/v1/three_d_secure/results",
            notificationURL: "\(base)/v1/three_d_secure/return", requestorID: "r1", requestorName: "Shop",
            requestorURL: "https://shop.example", acquirerBIN: "868491", acquirerMerchantID: "m1",
            merchantCategory: "5734", merchantCountry: "276", merchantName: "Shop")
        let server = ThreeDSServer(
            url: "http://127.0.0.1:\(peer.port)/ds", profile: profile, policy: policy, offersDecoupled: true,
            transport: SocketTransport(port: peer.port, limitMilliseconds: 1_500))
        let work = PaymentUseCases(
            pool: lent.pool, providers: PaymentProviders([SandboxProvider(pool: lent.pool, clock: clock)]),
            clock: clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 5, fallback: .approve),
            directory: server, pages: ChallengePages(publicURL: base), logger: logger)
        let home: Substring = #filePath.prefix(
            #filePath.count - "/Tests/PaymentPeerTests/AuthenticationWorld.swift".count)
        let page = try AuthenticationPage(assets: try PageAssets(home: String(home)), isSandbox: true)
        let http = HTTPServer(
            endpoints: work.authenticationEndpoints + work.authenticationPages(page),
            configuration: HTTPServerConfiguration(
                port: port, serviceName: "payment", rateLimit: nil, refusesUndeclaredProblems: true), pool: lent.pool,
            clock: clock, metrics: Metrics(), logger: logger)
        let running = Task { try await http.run() }
        _ = try await http.listeningPort()
        let result: Result<Void, any Error>
        do {
            guard let authenticate = work.authenticate else { throw NoAnswer(port: port, path: "3-D Secure") }
            let world = AuthenticationWorld(
                peer: peer, port: port, database: lent.pool, work: work, authenticate: authenticate, clock: clock)
            result = .success(try await body(world))
        } catch { result = .failure(error) }
        try await http.shutdown()
        try await running.value
        try result.get()
    }
}
