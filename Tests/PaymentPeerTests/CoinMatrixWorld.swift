import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentDomain
import PaymentInbound
import PaymentService
import PaymentWebhooks
import Postgres
import Synchronization
import Testing
import TestKit

/// What goes wrong between daemons and a node, as it was drawn: once it is calm, nothing does, and nobody dies.
final class CoinWeather: Sendable {
    /// What becomes of a question.
    enum Fault: CaseIterable {
        case timeoutBefore, timeoutAfter, refused, tooMany, brokenBefore, brokenAfter, html, cut
    }

    let isCalm = Atomic<Bool>(true)
    let crashes = Atomic<Int>(0)
    let met = Atomic<Int>(0)
    /// How far the daemons' clocks are from that of the shop. A quote holds for a quarter of an hour.
    let clocks: [Duration]
    private let faults: [Fault?]
    private let lives: [Int]
    private let questions = Atomic<Int>(0)
    private let births = Atomic<Int>(0)

    init(_ random: inout Seeded) {
        let errors: [Int] = [Int.random(in: -120 ... -5, using: &random), Int.random(in: 5...120, using: &random)]
        clocks = errors.map { .seconds($0) }
        faults = (0..<5_000).map { _ in
            Int.random(in: 0..<100, using: &random) == 0 ? Fault.allCases.randomElement(using: &random) : nil
        }
        lives = (0..<500).map { _ in Int.random(in: 20...400, using: &random) }
    }

    /// What becomes of the next question.
    func next() -> Fault? {
        guard !isCalm.load(ordering: .relaxed) else { return nil }
        let turn: Int = questions.add(1, ordering: .relaxed).oldValue
        guard let fault: Fault = faults[turn % faults.count] else { return nil }
        met.add(1, ordering: .relaxed)
        return fault
    }

    /// The life of the next daemon.
    func life() -> MatrixLife {
        guard !isCalm.load(ordering: .relaxed) else { return MatrixLife(steps: .max) }
        return MatrixLife(steps: lives[births.add(1, ordering: .relaxed).oldValue % lives.count])
    }
}

/// The way of a daemon to its node. Who dies on it reaches no database any more: its look stays claimed.
struct CoinLine: ProviderTransport {
    let line: MortalTransport
    let weather: CoinWeather
    let pool: PostgresPool

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let fault: CoinWeather.Fault? = weather.next()
        switch fault {
        case .timeoutBefore: throw .timedOut
        case .refused: throw .notSent("no connection")
        case .tooMany: return Self.page(429)
        case .brokenBefore: return Self.page(500)
        case .timeoutAfter, .brokenAfter, .html, .cut, nil: break
        }
        let answer: ProviderHTTPAnswer
        do throws(ProviderFault) { answer = try await line.send(request) } catch {
            if line.life.isOver { await pool.shutdown() }
            throw error
        }
        switch fault {
        case .timeoutAfter: throw .timedOut
        case .brokenAfter: return Self.page(500)
        case .html: return Self.page(200)
        case .cut:
            let half: [UInt8] = Array(answer.body.prefix(answer.body.count / 2))
            return ProviderHTTPAnswer(status: answer.status, headers: answer.headers, body: half)
        case .timeoutBefore, .refused, .tooMany, .brokenBefore, nil: return answer
        }
    }

    private static func page(_ status: Int) -> ProviderHTTPAnswer {
        ProviderHTTPAnswer(status: status, headers: [], body: Array("<html>Somebody else answers</html>".utf8))
    }
}

/// The shop's clock, as wrong as it is set.
struct CoinClock: WallClock {
    let time: ManualClock
    let error: Duration
    var now: Instant { time.now + error }
}

/// One daemon that takes coins: the service with connections, a way to the node and a clock of its own.
struct CoinDaemon: Sendable {
    let life: MatrixLife
    let pool: PostgresPool
    let clock: CoinClock
    let watcher: ChainWatcher
    let work: PaymentUseCases
    let receive: ReceiveWebhook
    let webhooks: ProcessWebhooks

    /// What it does by itself, once each.
    static let loops: [@Sendable (CoinDaemon) async throws -> Void] = [
        { daemon in _ = try await daemon.webhooks.pass() },
        { daemon in while try await daemon.watcher.look() == .behind {} },
        { daemon in
            let news: HandleNews = daemon.work.news
            try await daemon.watcher.tellNews { try await news.follow($0) }
        },
        { daemon in try await daemon.work.sweep.pass() },
    ]
}

/// Two daemons over one database that follow one chain. One that is dead is replaced by a new one.
final class CoinWorld: Sendable {
    private static let terms: CryptoTerms = {
        var terms = CryptoTerms()
        terms.spreadBasisPoints = 0
        terms.poll = .zero
        return terms
    }()

    let chain: any CoinChain
    let accepted: AcceptedAssets
    let addresses: AddressSource
    let weather: CoinWeather
    /// Looks on; nothing of the storm's reaches what it reads.
    let observer: PostgresPool
    /// It is hours behind the machine's clock and never gets there: ids that are made by it are not of a time to come,
    /// which other tests of the process would meet.
    let time = ManualClock(SystemClock().now - Duration.seconds(14_400))
    let customer = CustomerID.new(at: SystemClock().now)
    private let configuration: PostgresConfiguration
    private let secret: WebhookSecret
    private let source: WebhookSource
    private let daemons = Mutex<[CoinDaemon]>([])

    init(
        _ chain: any CoinChain, _ accepted: [AcceptedAsset], _ weather: CoinWeather, _ ledger: MigratedDatabase
    ) throws {
        guard let secret = WebhookSecret("whsec_of_a_node_of_ours") else { throw MissingInfrastructure("no secret") }
        self.chain = chain
        self.accepted = AcceptedAssets(accepted)
        self.weather = weather
        self.secret = secret
        addresses = try chain.addresses()
        observer = ledger.pool
        configuration = ledger.configuration
        source = WebhookSource(chain.source, .node(chain.source, secrets: [secret]), reader: NodeNews())
        daemons.withLock { $0 = weather.clocks.map { start(error: $0) } }
    }

    private func start(error: Duration) -> CoinDaemon {
        let life: MatrixLife = weather.life()
        let pool = PostgresPool(configuration, logger: FaultMatrixWorld.logger)
        let clock = CoinClock(time: time, error: error)
        let socket = SocketTransport(port: chain.node.port, limitMilliseconds: 5_000)
        let line = CoinLine(
            line: MortalTransport(life: life, transport: socket), weather: weather, pool: pool)
        let assets: [AcceptedAsset] = accepted.all
        let watcher = ChainWatcher(
            chain: assets[0].asset.chain, scanner: chain.scanner(chain.node.transport(through: line), assets),
            assets: assets, pool: pool, clock: clock, terms: Self.terms, logger: FaultMatrixWorld.logger)
        let providers: [any PaymentProvider] = assets.map { asset in
            CryptoProvider(asset, addresses: addresses, pool: pool, clock: clock, terms: Self.terms)
        }
        // Nothing is waited for: whatever is under way when the sweeper looks counts as stopped.
        let work = PaymentUseCases(
            pool: pool, providers: PaymentProviders(providers), clock: clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 0, fallback: .approve),
            logger: FaultMatrixWorld.logger)
        return CoinDaemon(
            life: life, pool: pool, clock: clock, watcher: watcher, work: work,
            receive: ReceiveWebhook(sources: [source], pool: pool, policy: FaultMatrixWorld.policy),
            webhooks: ProcessWebhooks(
                sources: [source], handler: work.news, pool: pool, policy: FaultMatrixWorld.policy,
                logger: FaultMatrixWorld.logger))
    }

    /// The first or the second daemon; a new one where it is dead.
    func daemon(_ index: Int) -> CoinDaemon {
        daemons.withLock { daemons in
            if daemons[index].life.isOver {
                weather.crashes.add(1, ordering: .relaxed)
                daemons[index] = start(error: daemons[index].clock.error)
            }
            return daemons[index]
        }
    }

    /// Both daemons are stopped, and two begin: mortal ones where it is not calm.
    func restart(isCalm: Bool) async {
        weather.isCalm.store(isCalm, ordering: .relaxed)
        let old: [CoinDaemon] = daemons.withLock { daemons in
            let old: [CoinDaemon] = daemons
            daemons = old.map { start(error: $0.clock.error) }
            return old
        }
        for daemon in old {
            daemon.life.end()
            await daemon.pool.shutdown()
        }
    }

    func stop() async { for daemon in daemons.withLock({ $0 }) { await daemon.pool.shutdown() } }

    /// Both daemons do at once what they do by themselves. What fails is done again another time.
    func work() async {
        await withTaskGroup(of: Void.self) { group in
            for index in 0...1 {
                group.addTask { for loop in CoinDaemon.loops { try? await loop(self.daemon(index)) } }
            }
        }
    }

    /// Asks until there is an answer, each time another daemon of those given.
    /// - Returns: `nil` where the service refuses.
    func ask<Answer: Sendable>(
        _ order: [Int], _ body: @Sendable (CoinDaemon) async throws -> Answer
    ) async -> Answer? {
        for turn in 0..<200 {
            let daemon: CoinDaemon = daemon(order[turn % order.count])
            do { return try await body(daemon) } catch let refusal as any ProblemConvertible {
                guard refusal.problem.status >= 500 || refusal.problem.code.contains("idempotency") else { return nil }
            } catch { await Task.yield() }
        }
        Issue.record("no answer in 200 tries")
        return nil
    }

    func call(_ daemon: CoinDaemon, _ path: String, key: String?, body: String = "") -> Call {
        Call(
            post: path, body: Array(body.utf8), key: key.flatMap { IdempotencyKey($0) }, preferWait: .zero,
            now: daemon.clock.now, receivedAt: SystemClock().now)
    }

    func read<Input: JSONInput>(_ text: String) throws -> Input { try decode(Input.self, from: parseJSON(text)) }

    /// Somebody says to be the node, and that something has happened.
    /// - Parameter signed: The event that the signature is over; it is another one's where somebody else says so.
    /// - Returns: Whether they are believed.
    func tell(_ event: String, signed: String) async -> Bool {
        let now: Instant = SystemClock().now
        func text(_ id: String) -> [UInt8] {
            Array(#"{"id":"\#(id)","type":"block","created":\#(now.seconds)}"#.utf8)
        }
        let signature: String = secret.signature(of: text(signed), at: now)
        let delivery = Delivery(headers: [("Node-Signature", signature)], body: text(event))
        let name: String = source.name
        let receipt: Reply<WebhookReceipt>? = await ask([0, 1]) { daemon in
            try await daemon.receive(delivery, from: name, self.call(daemon, "/v1/webhooks/\(name)", key: nil))
        }
        return receipt != nil
    }

    /// What the observer reads.
    func texts(_ sql: SQL) async throws -> [String] {
        try await observer.transactionRetrying { db in try db.query(sql) { row in try row.next() } }
    }

    /// Changes something that no daemon would, again where the storm breaks it.
    func execute(_ sql: SQL) async throws {
        while true {
            do { return try await observer.transactionRetrying { db in _ = try db.execute(sql) } } catch let error
                as PostgresError where error.code == "P0001" || [.connectionLost, .commitUnknown].contains(error.kind)
            {}
        }
    }
}

/// Runs the world on a database of its own, on which a storm can blow.
func withCoinWorld(
    _ chain: any CoinChain, _ accepted: [AcceptedAsset], _ weather: CoinWeather,
    _ body: (CoinWorld) async throws -> Void
) async throws {
    try await withMigratedDatabase(service: "Payment", connections: 4) { lent in
        try await DatabaseStorm.install(
            on: [
                "payments", "payment_attempts", "refunds", "journal_entries", "outbox", "inbound_webhooks",
                "crypto_chains", "crypto_charges", "crypto_transfers", "crypto_refund_instructions",
            ], in: lent.pool)
        let world = try CoinWorld(chain, accepted, weather, lent)
        let result: Result<Void, any Error>
        do {
            let customer: CustomerID = world.customer
            try await world.execute("INSERT INTO customers (id, created_at) VALUES (\(customer), now())")
            result = .success(try await body(world))
        } catch { result = .failure(error) }
        await world.stop()
        try result.get()
    }
}
