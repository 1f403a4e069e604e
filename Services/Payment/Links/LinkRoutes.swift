import BillingCore
package import HTTPKit
import JSON
import PaymentRecords
package import Postgres

/// `/v1/payment_links`.
package struct LinkRoutes: Sendable {
    let create: CreateLink
    let settings: LinkSettings

    package init(pool: PostgresPool, settings: LinkSettings) {
        create = CreateLink(pool: pool, settings: settings)
        self.settings = settings
    }

    package var endpoints: [Endpoint] {
        [createLink, list, read, deactivate] + (settings.qr.map { [image($0)] } ?? [])
    }

    private var createLink: Endpoint {
        let create: CreateLink = create
        return .task(
            .post, "/v1/payment_links", scope: "payment_links:write", summary: "Make a page for a customer to pay on",
            body: CreateLinkInput.self, answers: LinkResource.self, statuses: [201], tellsLocation: true,
            problems: ["409 invoice_state", "422 invalid_request"]
        ) { call, input in try await create(call, input) }
    }

    private var list: Endpoint {
        let base: String = settings.publicURL
        return .list(
            "/v1/payment_links", scope: "payment_links:read", summary: "List payment links, newest first",
            filters: [.id("customer_id", as: CustomerID.self), .id("invoice_id", as: InvoiceID.self)],
            item: LinkResource.self
        ) { db, call, request in
            let rows: [LinkStanding] = try LinkStore.list(
                customer: call.query.id("customer_id"), invoice: call.query.id("invoice_id"),
                after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try rows.map { try Self.resource($0, call.now, base, in: db) })
        }
    }

    private var read: Endpoint {
        let base: String = settings.publicURL
        return .read(
            "/v1/payment_links/{id}", scope: "payment_links:read", summary: "Read a payment link",
            answers: LinkResource.self, problems: ["404 not_found"]
        ) { db, call in try Self.resource(try Self.standing(call, in: db), call.now, base, in: db) }
    }

    private func image(_ qr: @escaping @Sendable (String) throws -> String) -> Endpoint {
        let base: String = settings.publicURL
        return .page(
            "/v1/payment_links/{id}/qr", scope: "payment_links:read", summary: "The page's address as a QR image",
            mediaType: "image/svg+xml", problems: ["404 not_found"]
        ) { db, call in
            let code: LinkCode = try Self.standing(call, in: db).link.code
            let image: String = try qr("\(base)/pay/\(code.text)")
            return PageReply(
                contentType: "image/svg+xml", body: Array(image.utf8), cacheControl: "private, max-age=86400",
                headers: [HeaderField("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")])
        }
    }

    private var deactivate: Endpoint {
        let base: String = settings.publicURL
        return .write(
            .post, "/v1/payment_links/{id}/deactivate", scope: "payment_links:write",
            summary: "Switch a payment link off; a payment under way goes on", body: NoInput.self,
            answers: LinkResource.self, statuses: [200], problems: ["404 not_found", "409 payment_link_state"]
        ) { db, call, _ in
            let standing: LinkStanding = try Self.standing(call, in: db)
            guard standing.status(at: call.now) != .completed else {
                throw Problem.linkState(.completed)
            }
            try LinkStore.deactivate(standing.link.id, at: call.now, in: db)
            return .ok(try Self.resource(try Self.standing(call, in: db), call.now, base, in: db))
        }
    }

    private static func standing(_ call: Call, in db: borrowing PostgresTransaction) throws -> LinkStanding {
        let id: PaymentLinkID = try call.id()
        guard let standing: LinkStanding = try LinkStore.find(id, in: db) else {
            throw Problem.notFound("payment link", id.rawValue)
        }
        return standing
    }

    private static func resource(
        _ standing: LinkStanding, _ now: Instant, _ base: String, in db: borrowing PostgresTransaction
    ) throws -> LinkResource {
        let payments: [PaymentID] = try LinkUseStore.payments(
            of: standing.link.id, limit: LinkResource.maxPayments, in: db)
        return LinkResource(standing, payments: payments, at: now, base: base)
    }
}

extension Problem {
    /// 409: the link cannot be paid, or not switched off, any more.
    package static func linkState(_ status: LinkStatus) -> Problem {
        .conflict("payment_link_state", "The payment link is \(status.rawValue); this is not possible now.")
    }

    /// 409: nothing can begin while payments under way have taken all places of the link.
    package static var linkReserved: Problem {
        .conflict(
            "payment_link_reserved", "Payments under way have taken all places of the payment link: try again later.")
    }
}
