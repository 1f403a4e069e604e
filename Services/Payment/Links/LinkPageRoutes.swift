import BillingCore
package import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
package import Postgres

/// What a browser reads under `/pay`. Nothing here takes a key: whoever has the code may see the page.
package struct LinkPageRoutes: Sendable {
    let page: LinkPage
    let assets: PageAssets
    let settings: LinkSettings
    let limits: VisitLimits
    let pool: PostgresPool

    package init(assets: PageAssets, settings: LinkSettings, limits: VisitLimits, pool: PostgresPool) {
        page = LinkPage(assets: assets, settings: settings)
        self.assets = assets
        self.settings = settings
        self.limits = limits
        self.pool = pool
    }

    package var endpoints: [Endpoint] {
        [ask, show, brand, file, transfer, instalments, appleSession]
            + (settings.appleAssociation.map { [Self.association($0)] } ?? [])
    }

    private var ask: Endpoint {
        let page: LinkPage = page
        return .asset(
            "/pay", summary: "Ask for a link's code", query: [.string("code", max: 64)]
        ) { call in
            guard let typed: String = call.query.string("code") else { return page.reply(.ask) }
            guard let code = LinkCode(typed) else { return page.reply(.unknown) }
            return PageReply(
                status: 303, contentType: "text/plain", body: [],
                headers: [HeaderField("Location", "/pay/\(code.text)"), HeaderField("Referrer-Policy", "no-referrer")])
        }
    }

    private var show: Endpoint {
        let (page, limits, settings) = (page, limits, settings)
        return .livePage("/pay/{code}", summary: "The page of a link") { call, pool in
            do {
                return try await Self.looking(limits, call, pool) { db, standing in
                    let link: LinkRecord = standing.link
                    let country: String? = try LinkStore.country(of: link.customerID, in: db)
                    let offers: [LinkOffer] = try settings.offers(on: link, country: country, at: call.now, in: db)
                    return page.reply(
                        .link(standing, standing.status(at: call.now), offers: offers, country: country))
                }
            } catch let problem as Problem {
                return page.reply(problem.status == 429 ? .busy : .unknown)
            }
        }
    }

    private var brand: Endpoint {
        let limits: VisitLimits = limits
        return .livePage("/pay/{code}/brand.css", summary: "The colours of a link's page") { call, pool in
            let brand: LinkBrand = try await Self.looking(limits, call, pool) { _, standing in standing.link.brand }
            let css: String = BrandPalette(accent: brand.accent, background: brand.background).css
            return PageReply(
                contentType: "text/css; charset=utf-8", body: Array(css.utf8), cacheControl: "private, max-age=300",
                headers: [PageHeaders.noSniff])
        }
    }

    private var file: Endpoint {
        let assets: PageAssets = assets
        return .asset("/pay/assets/{version}/{name}", summary: "A file of the page") { call in
            let name: String = call.parameter("name")
            guard let reply = assets.reply(name, version: call.parameter("version")) else {
                throw Problem.notFound("file")
            }
            return reply
        }
    }

    private var transfer: Endpoint {
        let (limits, settings) = (limits, settings)
        return .livePage(
            "/pay/{code}/transfer.svg", summary: "What a wallet opens, as a QR image",
            query: [.string("session", max: 64, required: true)]
        ) { call, pool in
            try await Self.looking(limits, call, pool) { db, standing in
                guard let session = call.query.string("session").flatMap(LinkSession.init(_:)),
                    let payment: PaymentRecord = try LinkUseStore.payment(
                        of: standing.link.id, slot: standing.link.slot(of: session), in: db
                    ).flatMap({ use in try PaymentStore.find(use.paymentID, in: db) }),
                    payment.status == .requiresAction, let uri: String = payment.nextAction?.transfer?.requestURI,
                    let image: String = try settings.qr?(uri)
                else { throw Problem.notFound("transfer") }
                return PageReply(
                    contentType: "image/svg+xml", body: Array(image.utf8), headers: [PageHeaders.noSniff])
            }
        }
    }

    private var instalments: Endpoint {
        let (limits, pool, settings) = (limits, pool, settings)
        return .task(
            .get, "/pay/{code}/instalments", scope: nil,
            summary: "What a link's amount comes to in instalments, for its page; nothing is stored",
            body: NoInput.self, answers: OffersResource.self,
            problems: ["404 not_found", "409 payment_link_state", "429 rate_limited"]
        ) { call, _ in
            let offers: [OfferResource] = try await Self.looking(limits, call, pool) { db, standing in
                let link: LinkRecord = standing.link
                let status: LinkStatus = standing.status(at: call.now)
                guard status == .active else { throw Problem.linkState(status) }
                let country: String? = try LinkStore.country(of: link.customerID, in: db)
                let offers: [LinkOffer] = try settings.offers(on: link, country: country, at: call.now, in: db)
                let isOffered: Bool = offers.contains { $0.type == LinkMethod.instalments.rawValue }
                return try isOffered
                    ? settings.instalments?.offersPaidAtOnce(for: link.amount, at: call.now) ?? [] : []
            }
            return .ok(OffersResource(offers: offers))
        }
    }

    private var appleSession: Endpoint {
        let (limits, pool, settings) = (limits, pool, settings)
        return .task(
            .post, "/pay/{code}/apple_pay/session", scope: nil, summary: "A session for Apple Pay on a link's page",
            body: AppleSessionInput.self, answers: AppleSessionResource.self, statuses: [200], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "429 rate_limited", "502 apple_pay_unavailable"]
        ) { call, input in
            guard let merchant: any AppleMerchant = settings.wallets?.apple else {
                throw Problem.notFound("way to pay")
            }
            try await limits.act(call)
            let name: String = try await Self.looking(limits, call, pool) { db, standing in
                let link: LinkRecord = standing.link
                let status: LinkStatus = standing.status(at: call.now)
                let country: String? = try LinkStore.country(of: link.customerID, in: db)
                let offers: [LinkOffer] = try settings.offers(on: link, country: country, at: call.now, in: db)
                guard status == .active, offers.contains(where: { $0.type == LinkMethod.applePay.rawValue }) else {
                    throw Problem.linkState(status)
                }
                return link.brand.name ?? "Refrain"
            }
            let session: JSONValue = try await merchant.session(
                at: input.validationURL, domain: settings.publicHost, displayName: name)
            return .ok(AppleSessionResource(session: session))
        }
    }

    /// Where Apple looks before it lets a domain's pages show Apple Pay.
    private static func association(_ file: [UInt8]) -> Endpoint {
        .asset(
            "/.well-known/apple-developer-merchantid-domain-association", summary: "Whose domain this is, for Apple Pay"
        ) { _ in
            PageReply(
                contentType: "text/plain", body: file, cacheControl: "public, max-age=300",
                headers: [PageHeaders.noSniff])
        }
    }

    /// Reads about the link of a request's code.
    private static func looking<Answer: Sendable>(
        _ limits: VisitLimits, _ call: Call, _ pool: PostgresPool,
        _ read: @escaping @Sendable (borrowing PostgresTransaction, LinkStanding) throws -> Answer
    ) async throws -> Answer {
        try await limits.looking(call) {
            let code: LinkCode = try VisitLimits.code(call)
            return try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
                guard let standing: LinkStanding = try LinkStore.find(code, in: db) else { throw VisitLimits.Missed() }
                return try read(db, standing)
            }
        }
    }
}
