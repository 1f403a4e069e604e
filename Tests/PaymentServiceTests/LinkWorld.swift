import BillingCore
import Foundation
import HTTPKit
import JSON
import Logging
import PaymentDomain
import PaymentInstalments
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit

/// What a visitor's page knows.
struct Visit: Sendable {
    let code: String
    let session: String

    init(_ code: String, session: String = "visit-" + UUID().uuidString) {
        self.code = code
        self.session = session
    }
}

extension PaymentWorld {
    /// Everything is offered that a provider can do.
    var linkSettings: LinkSettings { linkSettings() }

    func linkSettings(
        wallets: LinkWallets? = nil, creditor: LinkCreditor? = nil, instalments: InstalmentSettings? = nil,
        association: [UInt8]? = nil, pricesCoins: Bool = true
    ) -> LinkSettings {
        LinkSettings(
            publicURL: "https://pay.example", isSandbox: true, offered: LinkMethod.allCases, providers: providers,
            assets: [LinkSettings.Asset(type: "bitcoin", symbol: "BTC", decimals: 8) { _, _, _ in pricesCoins }],
            wallets: wallets, creditor: creditor, instalments: instalments, appleAssociation: association,
            qr: { "<svg xmlns=\"http://www.w3.org/2000/svg\"><desc>\($0)</desc></svg>" })
    }

    /// What the pages ask for; a provider is asked again at every look.
    var payLink: PayLink { payLink() }

    func payLink(
        wallets: LinkWallets? = nil, creditor: LinkCreditor? = nil, instalments: InstalmentSettings? = nil,
        limits: VisitLimits = VisitLimits()
    ) -> PayLink {
        PayLink(
            pool: database, work: work,
            settings: linkSettings(wallets: wallets, creditor: creditor, instalments: instalments),
            limits: limits, pause: .zero)
    }

    /// `POST /v1/payment_links`; `more` are further members of the body.
    func link(_ customer: CustomerID, _ more: String = "", key: String? = nil) async throws -> JSONValue {
        let body = #"{"amount":4900,"currency":"EUR","customer_id":"\#(customer)"\#(more)}"#
        let create = CreateLink(pool: database, settings: linkSettings)
        return try parseJSON(try await create(call("/v1/payment_links", key: key, body: body), read(body)).body)
    }

    /// `POST /v1/payment_links` over an invoice.
    func link(over invoice: InvoiceID, _ more: String = "") async throws -> JSONValue {
        let body = #"{"invoice_id":"\#(invoice)"\#(more)}"#
        let create = CreateLink(pool: database, settings: linkSettings)
        return try parseJSON(try await create(call("/v1/payment_links", body: body), read(body)).body)
    }

    /// An invoice of a customer who has no card, whose first attempt has failed for that.
    func unpaidInvoice() async throws -> InvoiceID {
        let customer: CustomerID = await customer()
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        await deliver([finalized(invoice, customer, amount: Money(minor: 4_900, currency: .eur))])
        guard try await payment(of: invoice).decline == .noPaymentMethod else { throw Absent() }
        return invoice
    }

    /// A link's code as its page knows it.
    func code(_ link: JSONValue) -> String { (link["code"]?.stringValue ?? "").replacingOccurrences(of: "-", with: "") }

    /// `POST /pay/{code}/card`; the method's id.
    func card(_ visit: Visit, _ number: String = "4242424242424242") async throws -> String {
        let body =
            #"{"session":"\#(visit.session)","card":{"number":"\#(number)","exp_month":12,"exp_year":2030,"cvc":"123"}}"#
        let reply: Reply<LinkCardResource> = try await payLink.keep(page(visit, "card", body), read(body))
        return try parseJSON(reply.body)["payment_method_id"]?.stringValue ?? ""
    }

    /// `POST /pay/{code}/pay`; `more` are further members of the body.
    @discardableResult
    func pay(_ visit: Visit, _ method: String, _ more: String = "") async throws -> JSONValue {
        let body = #"{"session":"\#(visit.session)","payment_method_id":"\#(method)"\#(more)}"#
        return try parseJSON(try await payLink(page(visit, "pay", body), read(body)).body)
    }

    /// `POST /pay/{code}/pay` with a method that is used once.
    @discardableResult
    func pay(_ visit: Visit, by type: String, payer: String? = nil, seen attempts: Int? = nil) async throws -> JSONValue
    {
        let payer: String = payer.map { #","payer":\#($0)"# } ?? ""
        let attempts: String = attempts.map { #","attempts":\#($0)"# } ?? ""
        let body = #"{"session":"\#(visit.session)","method":{"type":"\#(type)"\#(payer)}\#(attempts)}"#
        return try parseJSON(try await payLink(page(visit, "pay", body), read(body)).body)
    }

    /// `GET /pay/{code}/status`.
    func look(
        _ visit: Visit, _ pay: PayLink? = nil, cameFrom payment: PaymentID? = nil
    ) async throws -> JSONValue {
        guard let session = LinkSession(visit.session) else { throw Absent() }
        let call: Call = page(visit, "status", "")
        return try parseJSON(encode(try await (pay ?? payLink).status(call, session, cameFrom: payment)))
    }

    /// `POST /pay/{code}/cancel`.
    @discardableResult
    func giveUp(_ visit: Visit) async throws -> JSONValue {
        let body = #"{"session":"\#(visit.session)"}"#
        return try parseJSON(try await payLink.cancel(page(visit, "cancel", body), read(body)).body)
    }

    /// Gives a card and pays with it, as a page does; Fraud lets it pass.
    @discardableResult
    func payNow(_ visit: Visit, _ number: String = "4242424242424242") async throws -> PaymentRecord {
        let seen: JSONValue = try await pay(visit, try await card(visit, number))
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        let payment: PaymentRecord = try await payment(id)
        if payment.status == .created { await decide(payment) }
        return try await settled(id)
    }

    /// `POST /pay/{code}/confirm`.
    func answerChallenge(_ visit: Visit, _ word: String) async throws {
        let body = #"{"session":"\#(visit.session)","challenge":"\#(word)"}"#
        _ = try await payLink.confirm(page(visit, "confirm", body), read(body))
    }

    func page(_ visit: Visit, _ verb: String, _ body: String) -> Call {
        Call(
            post: "/pay/\(visit.code)/\(verb)", body: Array(body.utf8), key: nil, now: clock.now,
            receivedAt: Self.start, parameters: ["code": visit.code])
    }

    func standing(_ code: String) async throws -> LinkStanding {
        let found: LinkStanding? = try await database.transaction(readOnly: true) { db in
            try LinkCode(code).flatMap { try LinkStore.find($0, in: db) }
        }
        guard let found else { throw Absent() }
        return found
    }

    func status(_ code: String) async throws -> LinkStatus { try await standing(code).status(at: clock.now) }

    /// How a refusal reads: its code.
    func refusal(_ work: () async throws -> some Sendable) async -> String {
        do {
            _ = try await work()
            return "none"
        } catch let problem as any ProblemConvertible { return problem.problem.code } catch { return "\(error)" }
    }

    /// Serves the open routes on a port of their own for as long as `body` runs.
    func serving(
        limits: VisitLimits = VisitLimits(), wallets: LinkWallets? = nil, instalments: InstalmentSettings? = nil,
        association: [UInt8]? = nil, _ body: (URL) async throws -> Void
    ) async throws {
        let path = "/Tests/PaymentServiceTests/LinkWorld.swift"
        let root: String = String(#filePath.prefix(#filePath.count - path.count))
        let routes = LinkPageRoutes(
            assets: try PageAssets(home: root),
            settings: linkSettings(wallets: wallets, instalments: instalments, association: association),
            limits: limits, pool: database)
        let server = HTTPServer(
            endpoints: routes.endpoints
                + PayLinkRoutes(pay: payLink(wallets: wallets, instalments: instalments)).endpoints,
            configuration: HTTPServerConfiguration(
                port: 0, serviceName: "payment", refusesUndeclaredProblems: true),
            pool: database, clock: clock, logger: Logger(label: "test.http") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await server.run() }
        let port: Int = try await server.listeningPort()
        let result: Result<Void, any Error>
        do {
            guard let base = URL(string: "http://127.0.0.1:\(port)") else { throw Absent() }
            result = .success(try await body(base))
        } catch { result = .failure(error) }
        try await server.shutdown()
        _ = await running.result
        try result.get()
    }
}
