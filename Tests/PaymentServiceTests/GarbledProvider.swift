import BillingCore
import PaymentContract
import PaymentDomain
import Synchronization
import Telemetry

/// A provider that does what it is asked to, as ``PagesProvider`` does, and whose answers to some calls make no sense.
final class GarbledProvider: PaymentProvider, ProviderBankAccounts, ProviderDisputes, ProviderSettlements {
    let name: String
    let pages: PagesProvider
    private let garbled = Mutex<Set<ProviderCall>>([])
    private let disputed = Mutex<ProviderDispute?>(nil)
    private let isLate: Bool

    /// - Parameters:
    ///   - name: Its own, since all tests share the counters.
    ///   - isLate: Charges are answered when nobody waits for the answer any more.
    init(_ name: String, isLate: Bool = false) {
        self.name = name
        self.isLate = isLate
        pages = PagesProvider(name: name)
    }

    var capabilities: ProviderCapabilities { pages.capabilities }

    /// The calls whose answers make no sense from now on.
    func garble(_ calls: Set<ProviderCall>) { garbled.withLock { $0 = calls } }

    /// How the one dispute stands that it knows.
    func dispute(_ standing: ProviderDispute) { disputed.withLock { $0 = standing } }

    /// How many alarms it has raised.
    func alarms(_ call: ProviderCall) -> Int {
        Metrics.shared.counter("provider_alarms_total", labels: ["provider": name, "call": call.rawValue]).value
    }

    private func told<Answer>(_ call: ProviderCall, _ answer: Answer) throws(ProviderFault) -> Answer {
        if garbled.withLock({ $0.contains(call) }) { throw .unusable("not JSON") }
        return answer
    }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        if isLate { try? await Task.sleep(for: .seconds(3_600)) }
        return try told(.charge, try await pages.charge(request))
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try told(.readBack, try await pages.outcome(of: request))
    }

    func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        try told(.readBack, try await pages.lookUp(request))
    }

    func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        try told(.readBack, try await pages.holds(reference))
    }

    func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        try told(.readBack, try await pages.takings(of: reference))
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try told(.capture, try await pages.capture(request))
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try told(.release, try await pages.release(request))
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try told(.refund, try await pages.refund(request))
    }

    func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? { try told(.refund, nil) }

    func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        try told(.method, try await pages.save(request))
    }

    func saved(_ request: SaveMethodRequest, reference: String) async throws(ProviderFault) -> SaveMethodAnswer {
        try told(.method, try await pages.saved(request, reference: reference))
    }

    func look(at token: String) async throws(ProviderFault) -> VaultedMethod? { try told(.method, nil) }

    func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        try told(.method, try await pages.forget(request))
    }

    func token(of account: BankAccount, as method: PaymentMethodID) async throws(ProviderFault) -> String {
        try told(.method, try await pages.token(of: account, as: method))
    }

    let disputesPolledEvery: Duration = .zero

    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try told(.dispute, disputed.withLock { $0 })
    }

    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        let standing: ProviderDispute? = disputed.withLock { $0 }
        return try told(.dispute, standing.map(DisputeAnswer.standing) ?? .refused(code: "closed"))
    }

    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        try told(.dispute, .refused(code: "closed"))
    }

    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        try told(.dispute, ChangedDisputes(references: [], cursor: nil))
    }

    let longestSettlementSpan: Duration = .seconds(400 * 86_400)

    func settlementHorizon(at now: Instant) -> Instant { now }

    func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        try told(.settlement, ProviderSettlementPage(lines: [], next: nil))
    }
}
