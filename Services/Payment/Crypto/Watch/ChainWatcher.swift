package import BillingCore
package import Logging
package import PaymentChains
package import PaymentContract
package import Postgres
package import ServiceKit
import Synchronization
import Telemetry

/// Follows one chain and moves the charges on it.
///
/// A look asks the node first and stores everything afterwards, in one transaction that holds only where no other look
/// was stored since it began. So a crash at any point leaves the state before the look or the one after it, and several
/// instances may run. Nothing is concluded from an answer that did not come.
package final class ChainWatcher: Sendable {
    /// What became of a look.
    package enum Look: Sendable, Equatable {
        /// None was due, or another instance was faster.
        case notOurs
        /// The node has more blocks than one look takes: look again at once.
        case behind
        case done
    }

    /// So far below a chain's tip it is begun to follow: a reorganisation right after that must not go deeper.
    private static let startBelow: UInt64 = 32

    /// Names the chain in records.
    package let chain: String
    let scanner: any ChainScanner
    /// By provider.
    let assets: [String: AcceptedAsset]
    let pool: PostgresPool
    let clock: any WallClock
    /// The time that blocks are made by, whatever a test clock says.
    private let realTime: any WallClock
    let terms: CryptoTerms
    /// Blocks that are kept; half of them are final.
    let depth: Int
    let logger: Logger
    let faults: Counter
    private let stopped: Gauge
    /// Whether the node was seen to be one of the chain's.
    private let isVerified = Atomic<Bool>(false)

    package init(
        chain: String, scanner: any ChainScanner, assets: [AcceptedAsset], pool: PostgresPool, clock: any WallClock,
        realTime: any WallClock = SystemClock(), terms: CryptoTerms, depth: Int = ChainStore.depth, logger: Logger
    ) {
        self.chain = chain
        self.scanner = scanner
        self.assets = Dictionary(uniqueKeysWithValues: assets.map { ($0.name, $0) })
        self.pool = pool
        self.clock = clock
        self.realTime = realTime
        self.terms = terms
        self.depth = depth
        self.logger = logger
        faults = Metrics.shared.counter(
            "crypto_chain_faults_total", help: "Looks at a chain that came to nothing", labels: ["chain": chain])
        stopped = Metrics.shared.gauge(
            "crypto_chain_stopped", help: "1 while a chain cannot be followed until a person has looked",
            labels: ["chain": chain])
    }

    /// So often it asks whether a look is due: one may be wished for before its time.
    private static let askEvery: Duration = .seconds(1)

    /// Follows the chain.
    /// - Parameter tell: Hears of what was settled; the charge flow reads it back. It may hear of the same thing again.
    package func loop(_ tell: @escaping @Sendable (ProviderNews) async throws -> Void) -> BackgroundLoop {
        BackgroundLoop(name: "crypto-\(chain)") {
            var isBehind = false
            do {
                if !self.isVerified.load(ordering: .relaxed) { try await self.scanner.reader.verify() }
                self.isVerified.store(true, ordering: .relaxed)
                isBehind = try await self.look() == .behind
            } catch let error as CancellationError {
                throw error
            } catch {
                self.note(error)
            }
            try await self.tellNews(tell)
            return isBehind ? .atOnce : .after(min(self.terms.poll, Self.askEvery))
        }
    }

    /// Tells what was settled and has not been heard yet.
    package func tellNews(_ tell: @Sendable (ProviderNews) async throws -> Void) async throws {
        try await NewsOfCharges(chain: chain, pool: pool, clock: clock, logger: logger).tell(tell)
    }

    private func note(_ error: any Error) {
        faults.increment()
        let isAlarming: Bool = (error as? ChainFault)?.isAlarming ?? true
        logger.log(
            level: isAlarming ? .error : .warning, "a look at a chain came to nothing",
            metadata: ["chain": "\(chain)", "error": "\(error)"])
    }

    /// One look: the node is asked, then everything is stored.
    package func look() async throws -> Look {
        let (chain, depth): (String, Int) = (chain, depth)
        let claimed: FollowedChain? = try await pool.transactionRetrying { db in
            try ChainStore.claim(chain, depth: depth, in: db)
        }
        guard let claimed else { return .notOurs }
        do {
            let look: Look = try await store(try await findings(on: claimed), from: claimed)
            stopped.set(0)
            return look
        } catch {
            let (seconds, reason): (Int, String?) = (dueIn, Self.stopReason(error))
            if claimed.isStopped || reason != nil { stopped.set(1) }
            try await pool.transactionRetrying { db in
                if let reason {
                    let refused: UInt64? = Self.isTooMuch(error) ? nil : claimed.restartHeight
                    try ChainStops.stop(chain, reason, refused: refused, in: db)
                }
                try ChainStore.release(chain, dueIn: seconds, in: db)
            }
            throw error
        }
    }

    var dueIn: Int { Int(terms.poll.wholeMicroseconds / 1_000_000) }

    /// Why a chain stands still from now on; `nil` for what passes by itself.
    private static func stopReason(_ error: any Error) -> String? {
        if let refused = error as? RestartRefused { return refused.reason }
        if case .tooMuch(let what)? = error as? ChainFault { return "the node tells more than is read: \(what)" }
        guard error as? ChainFault == .reorganisedTooDeep else { return nil }
        return "a reorganisation undoes blocks that were final"
    }

    private static func isTooMuch(_ error: any Error) -> Bool {
        if case .tooMuch? = error as? ChainFault { true } else { false }
    }

    /// What the node says.
    private func findings(on followed: FollowedChain) async throws -> Findings {
        let (chain, trail, began): (String, ChainTrail, Instant) = (chain, followed.trail, clock.now)
        let limit: Int = min(100, trail.depth / 2)
        var restart: RestartLook?
        if let height = followed.restartHeight { restart = try await self.restart(from: height, after: trail) }
        let step: TrailAdvance
        if let restart {
            step = restart.step
        } else {
            step = try await scanner.reader.catchUp(trail, startingBelowTip: Self.startBelow, limit: limit)
        }
        let isCaughtUp: Bool = step.added.count < limit
        // Of nodes behind one address some may be behind the others: what was seen in the blocks they lack is not gone.
        let isWhole: Bool = isCaughtUp && step.trail.tip.map { $0.height >= step.trail.peak } ?? false
        // Read after the chain: whoever gets an address later pays in a later block.
        let (addresses, sent): ([WatchedAddress], [InstructionRecord]) = try await pool.transaction(readOnly: true) {
            db in
            (
                try WatchStore.addresses(of: chain, at: began, in: db),
                try InstructionStore.sent(on: chain, limit: 100, in: db)
            )
        }
        // The chain must not move on past payments in an asset that is not looked for here.
        let unknown: Set<String> = Set(addresses.map(\.provider)).subtracting(assets.keys)
        guard unknown.isEmpty else { throw UnknownAssets(names: unknown.sorted()) }
        let seen: [AttemptID: Sighting] = try await scanner.sightings(of: addresses, after: step, isWhole: isWhole)
        let unread: Int = seen.values.count { $0.extent == .unread }
        if unread > 0 {
            logger.info(
                "addresses could not be read", metadata: ["chain": "\(chain)", "addresses": "\(unread)"])
        }
        let confirmed: [InstructionRecord] = isWhole ? await self.confirmed(sent, on: step.trail) : []
        return Findings(
            step: step, restart: restart, isCaughtUp: isCaughtUp, isWhole: isWhole, began: began,
            since: followed.readAt, reach: reach(of: step), seen: seen, confirmed: confirmed)
    }

    /// Until when the chain is known, by the business clock: when its last block was made.
    private func reach(of step: TrailAdvance) -> Instant? {
        step.tipTime.map { clock.now - (realTime.now - $0) }
    }

    /// The sent instructions that the chain has carried out beyond doubt.
    private func confirmed(_ sent: [InstructionRecord], on trail: ChainTrail) async -> [InstructionRecord] {
        var confirmed: [InstructionRecord] = []
        for instruction in sent {
            guard let asset = assets[instruction.provider], let address = instruction.address,
                let transaction = instruction.transactionID
            else { continue }
            do throws(ChainFault) {
                let transfers: [ChainTransfer] = try await scanner.transfers(
                    by: transaction, of: asset.asset, to: address)
                if instruction.isCarriedOut(by: transfers, on: trail, under: asset.policy) {
                    confirmed.append(instruction)
                }
            } catch {
                // One that cannot be found holds up no other.
                logger.warning(
                    "a transaction of a refund cannot be read",
                    metadata: ["refund_id": "\(instruction.id)", "error": "\(error)"])
            }
        }
        return confirmed
    }

    /// Stores a look, unless another was stored since it began.
    private func store(_ findings: Findings, from claimed: FollowedChain) async throws -> Look {
        let (watcher, now): (ChainWatcher, Instant) = (self, clock.now)
        return try await pool.transactionRetrying { db in
            guard try ChainStore.lock(watcher.chain, version: claimed.version, in: db) else { return .notOurs }
            let due: Int = findings.isCaughtUp ? watcher.dueIn : 0
            var known: ChainTrail = claimed.trail
            if let restart = findings.restart {
                try ChainStops.begin(watcher.chain, from: restart.height, confirmed: restart.confirmed, in: db)
                known = ChainTrail(depth: watcher.depth)
            }
            try ChainStore.save(
                findings.step.trail, from: known, of: watcher.chain, dueIn: due, isWhole: findings.isWhole,
                readAt: findings.readAt, in: db)
            try watcher.judge(findings, at: now, in: db)
            for instruction in findings.confirmed { try InstructionStore.confirm(instruction, at: now, in: db) }
            return findings.isCaughtUp ? .done : .behind
        }
    }
}

/// What a look found.
struct Findings: Sendable {
    let step: TrailAdvance
    /// The chain stood still and begins anew.
    let restart: RestartLook?
    /// The trail reaches the node's last block.
    let isCaughtUp: Bool
    /// And the node is not behind what was seen of the chain: what was not seen is not there.
    let isWhole: Bool
    /// When the look began.
    let began: Instant
    /// When the last look before it began that saw all there was.
    let since: Instant?
    /// Until when the chain is known: a node that has stopped following its network shows nothing later.
    let reach: Instant?
    let seen: [AttemptID: Sighting]
    let confirmed: [InstructionRecord]

    /// When it began, where it saw all there was: what a later look finds has come since. What payers can hide on their own
    /// addresses does not count, or they could choose when they have come.
    var readAt: Instant? { isWhole && !seen.values.contains { $0.extent == .partial } ? began : nil }

    /// How much of what there is for a charge was read.
    func extent(of charge: CryptoCharge) -> Sighting.Extent { seen[charge.attemptID]?.extent ?? .whole }

    /// Whether all was read that can have been paid in time; of a quote that is over, by a node that has a block made
    /// after its end.
    func isAllRead(of charge: CryptoCharge, at now: Instant) -> Bool {
        guard extent(of: charge) == .whole, seen[charge.attemptID]?.question != .postponed else { return false }
        return now < charge.expiresAt || reach.map { $0 >= charge.expiresAt } ?? false
    }
}

/// A chain has open attempts in assets that this instance is not configured with. One that is goes on following it.
package struct UnknownAssets: Error, Equatable, CustomStringConvertible {
    /// By provider, in order.
    package let names: [String]

    package init(names: [String]) { self.names = names }

    package var description: String {
        "payments in \(names.joined(separator: ", ")) are watched, which is not configured here"
    }
}

extension InstructionRecord {
    /// Whether a transaction's transfers to the address carry the instruction out, with enough confirmations.
    func isCarriedOut(by transfers: [ChainTransfer], on trail: ChainTrail, under policy: WatchPolicy) -> Bool {
        var total: BaseUnits = .zero
        for transfer in transfers where transfer.succeeded {
            guard let block = transfer.block, trail.contains(block.ref) || isBelow(block.ref, trail),
                trail.confirmations(at: block.ref.height) >= policy.confirmations(for: amount)
            else { continue }
            do throws(MoneyError) { total = try total.adding(transfer.amount) } catch { return false }
        }
        return total >= amount
    }

    private func isBelow(_ block: BlockRef, _ trail: ChainTrail) -> Bool {
        trail.floor.map { block.height < $0.height } ?? false
    }
}

extension ChainFault {
    /// Whether a person must look: asking again changes nothing.
    package var isAlarming: Bool {
        switch self {
        case .otherChain, .reorganisedTooDeep, .unusable, .refused, .tooMuch: true
        case .unreachable, .timedOut, .unavailable, .rpc, .moved, .behind: false
        }
    }
}
