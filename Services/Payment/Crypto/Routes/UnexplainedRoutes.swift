import BillingCore
package import HTTPKit
package import JSON
package import PaymentChains
import Postgres

/// `/v1/crypto/unexplained`: money that no transfer explains.
package struct UnexplainedRoutes: Sendable {
    let accepted: AcceptedAssets

    package init(accepted: AcceptedAssets) { self.accepted = accepted }

    package var endpoints: [Endpoint] { [list, count] }

    private static let path = "/v1/crypto/unexplained"

    private var list: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .list(
            Self.path, scope: "crypto:read", summary: "List money on addresses that no transfer explains, newest first",
            item: UnexplainedResource.self
        ) { db, _, request in
            let rows: [Unexplained] = try Unexplained.list(
                after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(rows.map { UnexplainedResource($0, accepted) })
        }
    }

    private var count: Endpoint {
        let accepted: AcceptedAssets = accepted
        return .write(
            .post, "\(Self.path)/{attempt_id}/count", scope: "crypto:write",
            summary: "Count it as received by a transaction that was looked up; the next look judges it",
            body: UnexplainedInput.self, answers: UnexplainedResource.self, statuses: [200],
            problems: [
                "404 not_found", "409 block_left", "409 transaction_counted", "409 asset_not_configured",
                "422 invalid_request",
            ]
        ) { db, call, input in
            .ok(
                UnexplainedResource(
                    try Unexplained.count(
                        try call.id("attempt_id"), input, by: call.principal.id, at: call.now, accepted, in: db),
                    accepted))
        }
    }
}

/// Which transaction brought it.
package struct UnexplainedInput: JSONInput {
    let transactionID: String
    let amount: BaseUnits?
    let reason: String

    package init(transactionID: String, amount: BaseUnits?, reason: String) {
        self.transactionID = transactionID
        self.amount = amount
        self.reason = reason
    }

    package init(_ f: inout InputFields) {
        transactionID = f.string("transaction_id", min: 64, max: 66, doc: "The hash of the transaction that sent it")
        amount = f.baseUnits("amount", doc: "Base units; all of it when left out")
        reason = f.string("reason", min: 1, max: 500, doc: "What was looked at; kept with who said so")
    }
}

/// Money that no transfer explains, as callers see it.
package struct UnexplainedResource: JSONOutput {
    let found: Unexplained
    /// `nil` for one that is not configured.
    let asset: AcceptedAsset?

    init(_ found: Unexplained, _ accepted: AcceptedAssets) {
        self.init(found: found, asset: accepted.find(found.provider))
    }

    private init(found: Unexplained, asset: AcceptedAsset?) {
        self.found = found
        self.asset = asset
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_unexplained")
        o.field("id", found.attemptID, doc: "The attempt whose address it is on")
        o.field("payment_id", found.paymentID)
        o.field("provider", found.provider)
        o.field("asset", asset?.symbol, doc: "Null where it is not configured")
        o.field("decimals", asset?.decimals)
        o.field("address", found.address)
        o.field("answer", found.answer, doc: "Of the attempt; null while it is open, which it stays")
        o.field("amount", found.amount.description, doc: "Base units; 0 once all of it is counted")
        o.field("block_height", Int64(clamping: found.block.height), doc: "Where it was seen first")
        o.field("block_hash", found.block.hash)
        o.field("found_at", found.foundAt)
    }

    package static var sample: Self {
        Self(
            found: Unexplained(
                charge: .sample, amount: BaseUnits(155_400),
                block: BlockRef(height: 20_000_000, hash: String(repeating: "0", count: 64)), foundAt: .sample),
            asset: AcceptedAsset(name: "ethereum", asset: .ether(chainID: 1), policy: .careful))
    }
}
