package import BillingCore
package import HTTPKit
package import JSON
package import Postgres

/// `/v1/crypto/chains`: how far chains are followed, and how one that stands still goes on.
package struct ChainRoutes: Sendable {
    /// So far below the last block that was followed a chain may begin again; farther down it is read for hours.
    static let deepest: Int64 = 10_000

    package init() {}

    package var endpoints: [Endpoint] { [list, restart] }

    private var list: Endpoint {
        .whole(
            "/v1/crypto/chains", scope: "crypto:read", summary: "List chains, and whether they stand still",
            item: ChainResource.self
        ) { db, _ in try ChainStops.list(in: db).map { ChainResource(standing: $0) } }
    }

    private var restart: Endpoint {
        .write(
            .post, "/v1/crypto/chains/{id}/restart", scope: "crypto:write",
            summary: "Follow a chain again that stands still, from a height on; the next look checks it and begins",
            body: ChainRestartInput.self, answers: ChainResource.self, statuses: [200],
            problems: ["404 not_found", "409 chain_followed", "422 invalid_request"]
        ) { db, call, input in
            .ok(
                ChainResource(
                    standing: try Self.restart(
                        call.parameter("id"), input, by: call.principal.id, at: call.now, in: db)))
        }
    }

    /// Stores that a chain is followed again from a height on.
    /// - Throws: ``Problem``: 404 for a chain that was never looked at, 409 for one that is followed, 422 for a height
    ///   above what was followed, or too far below.
    package static func restart(
        _ chain: String, _ input: ChainRestartInput, by actor: String, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> ChainStanding {
        try db.enqueue("SELECT 1 FROM crypto_chains WHERE chain = \(chain) FOR UPDATE")
        guard let standing = try ChainStops.find(chain, in: db) else {
            throw Problem.notFound("chain", chain.count <= 64 ? chain : nil)
        }
        guard standing.stoppedAt != nil else {
            throw Problem.conflict("chain_followed", "The chain is followed, up to \(standing.tipHeight ?? 0).")
        }
        let lowest: Int64 = max(0, standing.peak - deepest)
        guard (lowest...standing.peak).contains(input.height) else {
            throw Problem.invalid(
                "height", code: "out_of_range", "must be from \(lowest) to \(standing.peak), where it stood still")
        }
        try ChainStops.restart(standing, from: input.height, reason: input.reason, by: actor, at: now, in: db)
        return try ChainStops.find(chain, in: db) ?? standing
    }
}

/// From where on a chain is followed again.
package struct ChainRestartInput: JSONInput {
    let height: Int64
    let reason: String

    package init(height: Int64, reason: String) {
        self.height = height
        self.reason = reason
    }

    package init(_ f: inout InputFields) {
        height = f.int(
            "height", range: 0...(1 << 48),
            doc: "The first block that is read again: at or below the first that differs")
        reason = f.string("reason", min: 1, max: 500, doc: "What was looked at; kept with who said so")
    }
}

/// A chain, as callers see it.
package struct ChainResource: JSONOutput {
    let standing: ChainStanding

    package func write(to o: inout ObjectWriter) {
        o.field("object", "crypto_chain")
        o.field("id", standing.chain)
        o.field("height", standing.tipHeight, doc: "The last block that is known; null before the first look")
        o.field("hash", standing.tipHash)
        o.field("looked_at", standing.lookedAt)
        o.field("stopped_at", standing.stoppedAt, doc: "Since when it cannot be followed; null while it is")
        o.field("stop_reason", standing.stopReason)
        o.field("restart_height", standing.restartHeight, doc: "From where on the next look follows it again")
    }

    package static var sample: Self {
        Self(
            standing: ChainStanding(
                chain: "bitcoin:main", tipHeight: 900_000, tipHash: String(repeating: "0", count: 64),
                lookedAt: .sample))
    }
}
