import BillingCore
import PaymentDomain

extension PaymentProvider {
    /// The same provider, able to do the same, whose every fault is told to ``ProviderAlarms``.
    ///
    /// It stands right before the connector: no caller has to think of it, and an answer that comes too late for its caller
    /// is heard too.
    package func alarmed() -> any PaymentProvider { AlarmedProvider(self) }
}

/// A provider with an alarm on every call. It can do what the provider can: the conformances follow.
private struct AlarmedProvider<Provider: PaymentProvider>: PaymentProvider {
    let provider: Provider

    init(_ provider: Provider) {
        self.provider = provider
        ProviderAlarms.shared.expect(provider.name)
    }

    var name: String { provider.name }
    var capabilities: ProviderCapabilities { provider.capabilities }

    func reading(of decline: ProviderDecline) -> DeclineReading { provider.reading(of: decline) }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        told(try await heard(.charge) { () throws(ProviderFault) in try await provider.charge(request) }, on: .charge)
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        told(
            try await heard(.readBack) { () throws(ProviderFault) in try await provider.outcome(of: request) },
            on: .readBack)
    }

    func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        try await heard(.readBack) { () throws(ProviderFault) in try await provider.lookUp(request) }
    }

    func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        try await heard(.readBack) { () throws(ProviderFault) in try await provider.holds(reference) }
    }

    func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        try await heard(.readBack) { () throws(ProviderFault) in try await provider.takings(of: reference) }
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try await heard(.capture) { () throws(ProviderFault) in try await provider.capture(request) }
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await heard(.release) { () throws(ProviderFault) in try await provider.release(request) }
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await heard(.refund) { () throws(ProviderFault) in try await provider.refund(request) }
    }

    func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        try await heard(.refund) { () throws(ProviderFault) in try await provider.refund(named: reference) }
    }

    func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund] {
        try await heard(.refund) { () throws(ProviderFault) in try await provider.refunds(of: reference) }
    }

    /// A refusal of ours that comes as a decline wants the same person as a rejected request.
    private func told(_ answer: ChargeAnswer, on call: ProviderCall) -> ChargeAnswer {
        if case .declined(let decline) = answer, provider.reading(of: decline).decline.isOfOurs {
            ProviderAlarms.shared.note(.rejected(code: decline.code), of: name, on: call)
        }
        return answer
    }

    func heard<Answer: Sendable>(
        _ call: ProviderCall, _ ask: () async throws(ProviderFault) -> Answer
    ) async throws(ProviderFault) -> Answer {
        do { return try await ask() } catch {
            ProviderAlarms.shared.note(error, of: name, on: call)
            throw error
        }
    }
}

extension AlarmedProvider: ProviderVault where Provider: ProviderVault {
    func name(of token: String) -> String { provider.name(of: token) }

    func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        try await heard(.method) { () throws(ProviderFault) in try await provider.save(request) }
    }

    func saved(_ request: SaveMethodRequest, reference: String) async throws(ProviderFault) -> SaveMethodAnswer {
        try await heard(.method) { () throws(ProviderFault) in try await provider.saved(request, reference: reference) }
    }

    func look(at token: String) async throws(ProviderFault) -> VaultedMethod? {
        try await heard(.method) { () throws(ProviderFault) in try await provider.look(at: token) }
    }

    func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        try await heard(.method) { () throws(ProviderFault) in try await provider.forget(request) }
    }
}

extension AlarmedProvider: ProviderBankAccounts where Provider: ProviderBankAccounts {
    func token(of account: BankAccount, as method: PaymentMethodID) async throws(ProviderFault) -> String {
        try await heard(.method) { () throws(ProviderFault) in try await provider.token(of: account, as: method) }
    }
}

extension AlarmedProvider: ProviderCardForm where Provider: ProviderCardForm {
    var cardForm: CardForm? { provider.cardForm }

    func entered(_ token: String, for customer: CustomerID?) async throws(ProviderFault) -> EnteredCard? {
        try await heard(.method) { () throws(ProviderFault) in try await provider.entered(token, for: customer) }
    }

    func entered(googlePay token: String) async throws(ProviderFault) -> EnteredCard? {
        try await heard(.method) { () throws(ProviderFault) in try await provider.entered(googlePay: token) }
    }
}

extension AlarmedProvider: ProviderDisputes where Provider: ProviderDisputes {
    var disputesPolledEvery: Duration { provider.disputesPolledEvery }
    var longestDisputeCall: Duration { provider.longestDisputeCall }

    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try await heard(.dispute) { () throws(ProviderFault) in try await provider.readDispute(reference) }
    }

    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        try await heard(.dispute) { () throws(ProviderFault) in try await provider.submitEvidence(request) }
    }

    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        try await heard(.dispute) { () throws(ProviderFault) in try await provider.acceptDispute(request) }
    }

    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        try await heard(.dispute) { () throws(ProviderFault) in try await provider.changedDisputes(since: cursor) }
    }
}

extension AlarmedProvider: ProviderSettlements where Provider: ProviderSettlements {
    var longestSettlementSpan: Duration { provider.longestSettlementSpan }
    var reportsDays: Bool { provider.reportsDays }

    func settlementHorizon(at now: Instant) -> Instant { provider.settlementHorizon(at: now) }

    func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        try await heard(.settlement) { () throws(ProviderFault) in try await provider.settlementLines(in: window) }
    }

    func chargeName(source: String?, taken: String?) -> String? {
        provider.chargeName(source: source, taken: taken)
    }
}
