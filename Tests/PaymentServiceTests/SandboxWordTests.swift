import BillingCore
import HTTPKit
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentInbound
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

/// Handles news as the service does, but for one attempt's, which cannot be settled.
final class DeafNews: NewsHandler {
    /// Why it cannot.
    struct Deaf: Error {}

    private let news: any NewsHandler
    private let attempt: AttemptID
    private let isStopping: Bool
    private let tries = Atomic<Int>(0)

    /// - Parameters:
    ///   - attempt: Whose news is not settled; that of refunds, too.
    ///   - isStopping: Whether whoever tells is cancelled meanwhile.
    init(_ news: any NewsHandler, to attempt: AttemptID, isStopping: Bool = false) {
        self.news = news
        self.attempt = attempt
        self.isStopping = isStopping
    }

    /// How often the attempt's news was told.
    var told: Int { tries.load(ordering: .relaxed) }

    /// - Parameter name: The attempt's, or the sandbox's name of its charge, which ends with it.
    private func hear(_ name: String) throws {
        guard name.hasSuffix(attempt.rawValue) else { return }
        tries.add(1, ordering: .relaxed)
        if isStopping { withUnsafeCurrentTask { (task: UnsafeCurrentTask?) -> Void in task?.cancel() } }
        throw Deaf()
    }

    func charge(_ attempt: AttemptID, known reference: String?, at provider: String) async throws {
        try hear(attempt.rawValue)
        try await news.charge(attempt, known: reference, at: provider)
    }

    func refund(_ refund: ProviderRefund, at provider: String) async throws {
        try hear(refund.taken)
        try await news.refund(refund, at: provider)
    }

    func taken(_ reference: String, of authorization: String?, at provider: String) async throws {
        try await news.taken(reference, of: authorization, at: provider)
    }

    func capture(_ id: CaptureID, of authorization: String?, at provider: String) async throws {
        try await news.capture(id, of: authorization, at: provider)
    }

    func refunded(_ reference: String, of attempt: AttemptID?, at provider: String) async throws {
        try await news.refunded(reference, of: attempt, at: provider)
    }

    func dispute(_ dispute: ProviderDispute, at provider: String) async throws {
        try await news.dispute(dispute, at: provider)
    }

    func activity(at provider: String) async throws { try await news.activity(at: provider) }
}

@Suite("What the sandbox says by itself") struct SandboxWordTests {
    private static let pending = "4000000000007726"

    /// Two payments with a refund each that is due; the first one's is due longer.
    private static func due(_ world: PaymentWorld) async throws -> (first: PaymentRecord, second: PaymentRecord) {
        let first: PaymentRecord = try await world.paid(world.payer(pending))
        #expect(try await world.refund(first.id, 300).status == 202)
        world.clock.advance(by: .seconds(1))
        let second: PaymentRecord = try await world.paid(world.payer(pending))
        #expect(try await world.refund(second.id, 400).status == 202)
        world.clock.advance(by: .seconds(86_400))
        return (first, second)
    }

    private static func refunds(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT concat_ws(' ', amount, status) FROM refunds ORDER BY amount")
    }

    private static func follow(_ world: PaymentWorld, _ news: any NewsHandler) -> FollowSandbox {
        FollowSandbox(
            due: SandboxDue(pool: world.database, clock: world.clock, of: ["sandbox"]), news: news, logger: world.logger
        )
    }

    @Test("a word that cannot be settled is put off, holds up no other, and is settled once it can be") func broken()
        async throws
    {
        try await withPayments { world in
            let (first, _) = try await Self.due(world)
            let news = DeafNews(world.work.news, to: first.attemptID)
            let looks = Looks([Self.follow(world, news).look], world.database)
            for _ in 0..<2 { try await looks.pass() }
            #expect(news.told == 1, "it is not told again at once")
            #expect(try await Self.refunds(world) == ["300 processing", "400 succeeded"])
            world.clock.advance(by: SandboxDue.setback)
            let days: SQL = "SELECT occurred_at::text FROM sandbox_refunds ORDER BY amount"
            let made: [String] = try await world.texts(days)
            try await world.sandboxWords.pass()
            #expect(try await Self.refunds(world) == ["300 succeeded", "400 succeeded"])
            #expect(try await world.texts(days) == made, "it has happened when it was due")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("who is told to stop meanwhile stops, and nothing is put off") func stopped() async throws {
        try await withPayments { world in
            let (first, _) = try await Self.due(world)
            let follow: FollowSandbox = Self.follow(
                world, DeafNews(world.work.news, to: first.attemptID, isStopping: true))
            let pass = Task { try await follow.pass() }
            await #expect(throws: CancellationError.self) { try await pass.value }
            #expect(try await Self.refunds(world) == ["300 processing", "400 processing"])
            try await world.sandboxWords.pass()
            #expect(try await Self.refunds(world) == ["300 succeeded", "400 succeeded"])
        }
    }

    @Test("an acquirer that is not there any more is not listened to, and nobody waits for it") func gone() async throws
    {
        try await withPayments { world in
            _ = try await Self.due(world)
            _ = try await world.paid(world.payer(Disputing.fraudulent))
            try await world.execute("UPDATE sandbox_charges SET provider = 'sandbox_gone'")
            try await world.pass(days: 1)
            let due = SandboxDue(pool: world.database, clock: world.clock, of: ["sandbox"])
            #expect(try await due.words().isEmpty)
            // Sets the test clock to this world's time.
            _ = try await world.inFlight()
            let waited: [Int64] = try await world.database.transaction { db in
                [try SandboxDue.inFlight(db), try DisputeReadingStore.inFlight(in: db)]
            }
            #expect(waited == [0, 0])
            let back = SandboxDue(pool: world.database, clock: world.clock, of: ["sandbox", "sandbox_gone"])
            #expect(try await back.words().count == 2)
        }
    }
}
