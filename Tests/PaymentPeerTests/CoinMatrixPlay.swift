import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentCrypto
import PaymentService
import Postgres
import Testing
import TestKit

/// What a payment in coins is made of, and what happens to it.
struct CoinStory: Sendable {
    /// What its payer sends: so many rounds after they had the address, and how many percent of the price.
    typealias Part = (delay: Int, percent: Int64)

    let index: Int
    let asset: String
    /// Minor units; a percent is a whole number of them.
    let minor: Int64
    let parts: [Part]
    let isMisdirected: Bool
    /// The merchant gives it up while it waits for its payer.
    let isCanceled: Bool
    /// Parts that are given back, in percent.
    let refunds: [Int64]
    /// Draws between daemons.
    let daemons: [Int]

    static func draw(_ index: Int, _ assets: [String], _ random: inout Seeded) -> CoinStory {
        let late: Int = Int.random(in: 5...8, using: &random)
        let ways: [[Part]] = [
            [(0, 100)], [(0, 100)], [(0, 100)], [(0, 60)], [(0, 130)], [(0, 25), (1, 75)], [(0, 60), (late, 40)],
            [(0, 100), (2, 100)], [(late, 100)], [(late, 60)], [(late, 130)], [],
        ]
        return CoinStory(
            index: index, asset: assets[Int.random(in: 0..<assets.count, using: &random)],
            minor: Int64.random(in: 10...900, using: &random) * 100,
            parts: ways[Int.random(in: 0..<ways.count, using: &random)],
            isMisdirected: Int.random(in: 0..<8, using: &random) == 0,
            isCanceled: Int.random(in: 0..<10, using: &random) == 0,
            refunds: (0..<Int.random(in: 0...2, using: &random)).map { _ in Int64.random(in: 5...40, using: &random) },
            daemons: (0..<8).map { _ in Int.random(in: 0...1, using: &random) })
    }
}

/// Where a story stands.
struct CoinRun: Sendable {
    let story: CoinStory
    let id: PaymentID
    /// The round in which its payer had the address.
    var since: Int?
    /// How many parts are sent.
    var sent = 0
    var isRefunded = false
}

/// What somebody has sent back by hand.
struct CoinSending: Sendable {
    let place: CoinPlace
    let amount: BaseUnits
    var transaction: String
}

/// Plays stories round by round: payers, miners, the merchant and their people between the daemons' turns.
struct CoinPlay {
    /// In so many rounds stories begin; as many more let the last ones come to their late ends.
    private static let opening = 10
    private static let rounds = 19

    let world: CoinWorld
    let stories: [CoinStory]
    var random: Seeded
    var runs: [CoinRun] = []
    /// By instruction.
    var sendings: [RefundID: CoinSending] = [:]
    /// What a person has drawn to do about an instruction or an attempt's held money.
    var fates: [String: Int] = [:]
    /// How many addresses were given out for what goes back.
    var given: UInt32 = 0
    var reorganisations = 0
    private var recent: [(place: CoinPlace, units: UInt128, transaction: String)] = []

    init(_ world: CoinWorld, _ stories: [CoinStory], _ random: Seeded) {
        self.world = world
        self.stories = stories
        self.random = random
    }

    private var chain: any CoinChain { world.chain }

    /// Plays all of them through the storm.
    mutating func run() async throws {
        let world: CoinWorld = world
        // Nobody gets an address on a chain that is out of sight.
        while try await world.daemon(0).watcher.look() == .behind {}
        await world.restart(isCalm: false)
        try await DatabaseStorm.blow(0.01, in: world.observer)
        for round in 0..<Self.rounds {
            // The minute in which a look is left to whoever has claimed it, and may have died over it.
            try await world.execute("UPDATE crypto_chains SET due_at = now()")
            try await open(round)
            await world.work()
            try await pay(round)
            // While they look, the chain goes on, and back.
            async let looks: Void = world.work()
            if round % 3 == 1 { try await reorganise() }
            try await chain.mine(Int.random(in: 1...2, using: &random))
            await looks
            await tell(round)
            await world.work()
            if round % 3 == 2 { try await reorganise() }
            try await actAsMerchant(round)
            try await actAsPeople(isLast: false)
            world.time.advance(by: .seconds(Int64.random(in: 60...330, using: &random)))
        }
    }

    /// New stories begin, all at once.
    private mutating func open(_ round: Int) async throws {
        let world: CoinWorld = world
        let due: [CoinStory] = stories.filter { $0.index % Self.opening == round }
        let made: [CoinRun?] = try await withThrowingTaskGroup(of: CoinRun?.self) { group in
            for story in due {
                group.addTask { try await world.order(story).map { CoinRun(story: story, id: $0) } }
            }
            return try await group.reduce(into: [CoinRun?]()) { $0.append($1) }
        }
        runs += made.compactMap(\.self)
    }

    /// Payers send what they have drawn, as soon as they have an address.
    private mutating func pay(_ round: Int) async throws {
        let standings: [PaymentID: CoinStanding] = try await world.standings()
        for index in runs.indices {
            guard let place: CoinPlace = standings[runs[index].id]?.place else { continue }
            let (story, unit): (CoinStory, UInt128) = (runs[index].story, chain.unit(place.asset))
            let since: Int = runs[index].since ?? round
            if runs[index].since == nil, story.isMisdirected {
                try await chain.misdirect(place, UInt128(story.minor) * unit)
            }
            runs[index].since = since
            while runs[index].sent < story.parts.count, story.parts[runs[index].sent].delay <= round - since {
                let part: Int64 = story.minor * story.parts[runs[index].sent].percent / 100
                try await send(UInt128(part) * unit, to: place)
                runs[index].sent += 1
            }
        }
    }

    private mutating func send(_ units: UInt128, to place: CoinPlace) async throws {
        let transaction: String = try await chain.pay(place.asset, place.address, units)
        recent.append((place, units, transaction))
    }

    /// The last blocks are taken back. Of what is gone with them some is paid again.
    private mutating func reorganise() async throws {
        let depth: Int = Int.random(in: 1..<3, using: &random)
        try await chain.reorganise(depth, again: Bool.random(using: &random))
        reorganisations += 1
        let before: [(place: CoinPlace, units: UInt128, transaction: String)] = recent
        recent = []
        for one in before where try await !chain.knows(one.transaction) {
            if Bool.random(using: &random) { try await send(one.units, to: one.place) }
        }
    }

    /// The node tells of its block twice; somebody without its secret tells of others.
    private func tell(_ round: Int) async {
        for _ in 0..<2 {
            let isTaken: Bool = await world.tell("evt_\(round)", signed: "evt_\(round)")
            #expect(isTaken)
        }
        let isBelieved: Bool = await world.tell("forged_\(round)", signed: "evt_\(round)")
        #expect(!isBelieved)
    }

    /// The merchant gives up what waits for its payer, and gives back parts of what was paid.
    mutating func actAsMerchant(_ round: Int) async throws {
        let standings: [PaymentID: CoinStanding] = try await world.standings()
        for index in runs.indices {
            let run: CoinRun = runs[index]
            if run.story.isCanceled, let since = run.since, since + 1 == round { await world.cancel(run) }
            guard !run.isRefunded, standings[run.id]?.status == "succeeded" else { continue }
            runs[index].isRefunded = true
            for (number, percent) in run.story.refunds.enumerated() {
                await world.refund(run, run.story.minor * percent / 100, number)
            }
        }
    }
}

/// A payment, and its address.
struct CoinStanding: Sendable {
    let place: CoinPlace
    let status: String
}

/// What callers ask of the service.
extension CoinWorld {
    /// Orders a payment.
    func order(_ story: CoinStory) async throws -> PaymentID? {
        let body =
            #"{"amount":\#(story.minor),"currency":"USD","customer_id":"\#(customer)","#
            + #""payment_method_type":"\#(story.asset)","return_url":"https://shop.test/back"}"#
        let reply: Reply<PaymentResource>? = await ask(story.daemons) { daemon in
            try await daemon.work.create(
                self.call(daemon, "/v1/payments", key: "order-\(story.index)", body: body), self.read(body))
        }
        return try reply.flatMap { try parseJSON($0.body)["id"]?.stringValue }.map { PaymentID(unchecked: $0) }
    }

    /// Gives a payment up, where that is possible.
    func cancel(_ run: CoinRun) async {
        _ = await ask(run.story.daemons) { daemon in
            let path = "/v1/payments/\(run.id)/cancel"
            return try await daemon.work.cancel(
                self.call(daemon, path, key: "cancel-\(run.story.index)"), run.id)
        }
    }

    /// Gives a part back.
    func refund(_ run: CoinRun, _ minor: Int64, _ number: Int) async {
        let body = #"{"payment_id":"\#(run.id)","amount":\#(minor)}"#
        _ = await ask(run.story.daemons) { daemon in
            try await daemon.work.refund(
                self.call(daemon, "/v1/refunds", key: "refund-\(run.story.index)-\(number)", body: body),
                self.read(body))
        }
    }

    /// The payments that have an address.
    func standings() async throws -> [PaymentID: CoinStanding] {
        let rows: [(PaymentID, CoinStanding)] = try await observer.transactionRetrying { db in
            try db.query(
                """
                SELECT p.id, c.provider, c.address, p.status
                FROM payments p JOIN crypto_charges c ON c.attempt_id = p.attempt_id
                """
            ) { row in
                let id: PaymentID = try row.next()
                let place = CoinPlace(asset: try row.next(), address: try row.next())
                return (id, CoinStanding(place: place, status: try row.next()))
            }
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }
}
