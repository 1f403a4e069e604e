import BillingCore
package import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
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
        [ask, show, brand, file, transfer] + (settings.applePay.map { [appleSession($0)] } ?? [])
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
        return .page("/pay/{code}", summary: "The page of a link") { db, call in
            do {
                let standing: LinkStanding = try Self.standing(call, limits, in: db)
                let link: LinkRecord = standing.link
                let country: String? = try LinkStore.country(of: link.customerID, in: db)
                let types: [String] = settings.types(of: link.methods, link.amount.currency, country: country)
                return page.reply(.link(standing, standing.status(at: call.now), types: types))
            } catch let problem as Problem {
                return page.reply(problem.status == 429 ? .busy : .unknown)
            }
        }
    }

    private var brand: Endpoint {
        let limits: VisitLimits = limits
        return .page("/pay/{code}/brand.css", summary: "The colours of a link's page") { db, call in
            let brand: LinkBrand = try Self.standing(call, limits, in: db).link.brand
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
        return .page(
            "/pay/{code}/transfer.svg", summary: "What a wallet opens, as a QR image",
            query: [.string("session", max: 64, required: true)]
        ) { db, call in
            let standing: LinkStanding = try Self.standing(call, limits, in: db)
            guard let session = call.query.string("session").flatMap(LinkSession.init(_:)),
                let payment: PaymentRecord = try LinkUseStore.payment(
                    of: standing.link.id, slot: standing.link.slot(of: session), in: db
                ).flatMap({ use in try PaymentStore.find(use.paymentID, in: db) }),
                payment.status == .requiresAction, let uri: String = payment.nextAction?.transfer?.uri,
                let image: String = try settings.qr?(uri)
            else { throw Problem.notFound("transfer") }
            return PageReply(contentType: "image/svg+xml", body: Array(image.utf8), headers: [PageHeaders.noSniff])
        }
    }

    private func appleSession(_ merchant: any AppleMerchant) -> Endpoint {
        let (limits, pool, publicURL) = (limits, pool, settings.publicURL)
        return .task(
            .post, "/pay/{code}/apple_pay/session", scope: nil, summary: "A session for Apple Pay on a link's page",
            body: AppleSessionInput.self, answers: AppleSessionResource.self, statuses: [200], needsKey: false,
            problems: ["404 not_found", "409 payment_link_state", "429 rate_limited"]
        ) { call, input in
            try limits.act(call)
            let standing: LinkStanding = try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
                try Self.standing(call, limits, in: db)
            }
            let status: LinkStatus = standing.status(at: call.now)
            guard status == .active, standing.link.methods.contains(.applePay) else { throw Problem.linkState(status) }
            let domain: Substring = publicURL.split(separator: "/").last ?? ""
            let session: JSONValue = try await merchant.session(
                at: input.validationURL, domain: String(domain), displayName: standing.link.brand.name ?? "Refrain")
            return .ok(AppleSessionResource(session: session))
        }
    }

    private static func standing(
        _ call: Call, _ limits: VisitLimits, in db: borrowing PostgresTransaction
    ) throws -> LinkStanding {
        let code: LinkCode = try limits.code(call)
        guard let standing: LinkStanding = try LinkStore.find(code, in: db) else { throw limits.missed(call) }
        return standing
    }
}
