import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import Testing

/// A provider whose customers finish on a page of its own, and whose vault wants them too: what each charge has come to
/// is set by the test, as a customer and a bank would.
final class PagesProvider: PaymentProvider, ProviderBankAccounts, ProviderCardForm {
    let name: String
    let capabilities: ProviderCapabilities
    let cardForm: CardForm?

    /// - Parameters:
    ///   - cardForm: Its form on our pages; none when left out.
    ///   - methods: What it takes; some of each kind when left out.
    ///   - refusal: Why it never charges an amount.
    ///   - refusalOfPart: Why it never captures or refunds an amount.
    init(
        name: String = "pages", cardForm: CardForm? = nil, methods: [ProviderCapabilities.Method]? = nil,
        refusal: @escaping @Sendable (Money) -> UnitRefusal? = { _ in nil },
        refusalOfPart: @escaping @Sendable (Money) -> UnitRefusal? = { _ in nil }
    ) {
        self.name = name
        self.cardForm = cardForm
        capabilities = ProviderCapabilities(
            methods: methods ?? Self.methods, currencies: Self.currencies, refusal: refusal,
            refusalOfPart: refusalOfPart)
    }

    private static let currencies: Set<String> = ["EUR", "USD", "KWD", "HUF"]
    private static let methods: [ProviderCapabilities.Method] =
        [
            ProviderCapabilities.Method(
                type: "klarna", currencies: ["EUR"], countries: ["DE", "NL"], separateCapture: true,
                partialCapture: true,
                multipleCapture: false, partialRefund: true, offSession: false),
            ProviderCapabilities.Method(
                type: "sepa_debit", currencies: ["EUR"], separateCapture: false, partialCapture: false,
                multipleCapture: false, partialRefund: true, offSession: true),
            ProviderCapabilities.Method(
                type: "card", separateCapture: true, partialCapture: true, multipleCapture: false, partialRefund: true,
                offSession: false),
            ProviderCapabilities.Method(
                type: "bitcoin", separateCapture: false, partialCapture: false, multipleCapture: false,
                partialRefund: true, offSession: false),
        ]

    private struct State {
        var answers: [AttemptID: ChargeAnswer] = [:]
        var first: ChargeAnswer?
        var asked = 0
        var charges: [ChargeRequest] = []
        var forgetting = ForgetMethodAnswer.forgotten
        var forgotten: [ForgetMethodRequest] = []
        var releases: ReleaseAnswer = .released
        var capturing: CaptureAnswer?
        var captures = 0
        var refunding: RefundAnswer?
        var holds: Bool?
        var takings: ProviderTakings?
        var lookedUp: ChargeAnswer?
        var saving: SaveMethodAnswer?
        var saves: [SaveMethodRequest] = []
        var whileKeeping: (@Sendable () async throws -> Void)?
        var vaulted: [String: VaultedMethod] = [:]
        var isAway = false
        var fault: ProviderFault?
        var accounts: [String] = []
        var entered: [String: EnteredCard] = [:]
        var enteredFor: [CustomerID?] = []
        var ofGooglePay: [String: EnteredCard] = [:]
        var takesOnce = false
        var taken: [String: AttemptID] = [:]
    }

    private let state = Mutex(State())

    /// How often a charge was asked for or about.
    var asked: Int { state.withLock { $0.asked } }
    /// The charges that were asked for or about.
    var charges: [ChargeRequest] { state.withLock { $0.charges } }
    /// The methods that were to be forgotten, as often as that was asked.
    var forgotten: [ForgetMethodRequest] { state.withLock { $0.forgotten } }

    /// What new charges come to; without it they wait on a page.
    func begin(with answer: ChargeAnswer?) { state.withLock { $0.first = answer } }
    /// What has become of a charge.
    func settle(_ attempt: AttemptID, _ answer: ChargeAnswer) { state.withLock { $0.answers[attempt] = answer } }
    func refuseReleases() { state.withLock { $0.releases = .refused(code: "captured") } }
    /// What is said of authorizations; `nil` for nothing.
    func hold(_ held: Bool?) { state.withLock { $0.holds = held } }
    /// What is said to be captured of authorizations; `nil` for nothing.
    func take(_ takings: ProviderTakings?) { state.withLock { $0.takings = takings } }
    /// What is said of charges that are looked up by their names; `nil`: it cannot be read so.
    func tell(_ answer: ChargeAnswer?) { state.withLock { $0.lookedUp = answer } }
    /// What captures come to; `nil`: the money is taken.
    func capture(as answer: CaptureAnswer?) { state.withLock { $0.capturing = answer } }
    /// What refunds come to; `nil`: the money is given back.
    func refund(as answer: RefundAnswer?) { state.withLock { $0.refunding = answer } }
    /// How often a capture was asked for.
    var captures: Int { state.withLock { $0.captures } }
    func save(as answer: SaveMethodAnswer?) { state.withLock { $0.saving = answer } }
    /// The methods that it was to keep, as often as that was asked.
    var saves: [SaveMethodRequest] { state.withLock { $0.saves } }
    /// What happens elsewhere before its next answer about a method or an account is heard.
    func whileKeeping(_ work: @escaping @Sendable () async throws -> Void) { state.withLock { $0.whileKeeping = work } }
    /// What a token names.
    func name(_ method: VaultedMethod, as token: String) { state.withLock { $0.vaulted[token] = method } }
    func forget(as answer: ForgetMethodAnswer) { state.withLock { $0.forgetting = answer } }
    /// What every question comes to; `nil` for an answer.
    func fail(with fault: ProviderFault?) { state.withLock { $0.fault = fault } }
    /// What its form has given a token for.
    func enter(_ card: EnteredCard) { state.withLock { $0.entered[card.token] = card } }
    /// What Google Pay has made a token of its for.
    func enter(_ card: EnteredCard, ofGooglePay token: String) { state.withLock { $0.ofGooglePay[token] = card } }
    /// For whom it was asked about such cards.
    var enteredFor: [CustomerID?] { state.withLock { $0.enteredFor } }
    /// Charges each token for one attempt from now on, and refuses a request with it for another.
    func takeOnce() { state.withLock { $0.takesOnce = true } }
    func goAway(_ away: Bool) { state.withLock { $0.isAway = away } }

    static func page(_ attempt: AttemptID) -> ChargeAnswer {
        .actionRequired(reference: "pg_\(attempt)", .redirect(url: "https://pages.example/\(attempt)"))
    }

    private func isSpent(_ request: ChargeRequest) -> Bool {
        guard case .stored(let token, _) = request.source else { return false }
        return state.withLock { state in
            guard state.takesOnce else { return false }
            let first: AttemptID = state.taken[token] ?? request.idempotencyKey
            state.taken[token] = first
            return first != request.idempotencyKey
        }
    }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        if isSpent(request) { throw .rejected(code: "invalid_request_error") }
        return try ask { state in
            state.charges.append(request)
            let answer: ChargeAnswer =
                state.answers[request.idempotencyKey] ?? state.first ?? Self.page(request.idempotencyKey)
            state.answers[request.idempotencyKey] = answer
            return answer
        }
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer { try await charge(request) }

    func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        state.withLock { $0.lookedUp }
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        state.withLock { state in
            state.captures += 1
            return state.capturing ?? .captured(reference: "pc_\(request.idempotencyKey)")
        }
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try ask { $0.releases }
    }

    func holds(_ reference: String) async throws(ProviderFault) -> Bool? { try ask { $0.holds } }
    func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? { try ask { $0.takings } }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        state.withLock { $0.refunding } ?? .refunded(reference: "pr_\(request.idempotencyKey)")
    }

    func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer {
        let answer: SaveMethodAnswer = try ask { state in
            state.saves.append(request)
            return state.saving ?? .pending(reference: "ps_\(request.methodID)")
        }
        await happen()
        return answer
    }

    private func happen() async {
        let meanwhile: (@Sendable () async throws -> Void)? = state.withLock { state in
            defer { state.whileKeeping = nil }
            return state.whileKeeping
        }
        do { try await meanwhile?() } catch { Issue.record(error) }
    }

    /// The accounts it was told of.
    var accounts: [String] { state.withLock { $0.accounts } }

    func token(of account: BankAccount, as method: PaymentMethodID) async throws(ProviderFault) -> String {
        let token: String = try ask { state in
            state.accounts.append("\(account.iban.text) \(account.holder) \(account.email)")
            return "account_\(method)"
        }
        await happen()
        return token
    }

    func saved(_ request: SaveMethodRequest, reference: String) async throws(ProviderFault) -> SaveMethodAnswer {
        try await save(request)
    }

    func look(at token: String) async throws(ProviderFault) -> VaultedMethod? {
        let name: String = name(of: token)
        return try ask { $0.vaulted[name] }
    }

    func entered(_ token: String, for customer: CustomerID?) async throws(ProviderFault) -> EnteredCard? {
        let card: EnteredCard? = try ask { state in
            state.enteredFor.append(customer)
            return state.entered[token]
        }
        await happen()
        return card.map { card in
            EnteredCard(
                token: card.token, customer: customer.map { "cus_\($0)" }, card: card.card,
                fingerprint: card.fingerprint)
        }
    }

    func entered(googlePay token: String) async throws(ProviderFault) -> EnteredCard? {
        let card: EnteredCard? = try ask { $0.ofGooglePay[token] }
        await happen()
        return card
    }

    func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer {
        state.withLock { $0.forgotten.append(request) }
        return try ask { $0.forgetting }
    }

    /// The method's id is the same with its kind and mandate, and without.
    func name(of token: String) -> String {
        token.split(separator: "/").first(where: { $0.hasPrefix("pm_") }).map(String.init) ?? token
    }

    private func ask<Answer>(_ answer: (inout State) -> Answer) throws(ProviderFault) -> Answer {
        let (result, fault): (Answer?, ProviderFault?) = state.withLock { state in
            state.asked += 1
            return state.isAway || state.fault != nil ? (nil, state.fault) : (answer(&state), nil)
        }
        guard let result else { throw fault ?? .timedOut }
        return result
    }
}

extension PaymentWorld {
    /// An invoice's payment whose customer is on the page of a ``PagesProvider``.
    func onPage() async throws -> (PaymentRecord, InvoiceID, CustomerID) {
        let customer: CustomerID = await customer()
        let body =
            #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
            + #""return_url":"https://shop.example/back","payer":{"country":"DE"}}"#
        let reply: Reply<PaymentResource> = try await work.create(call("/v1/payments", body: body), read(body))
        let payment: PaymentRecord = try await payment(id(reply))
        await decide(payment)
        guard try await settled(payment.id).status == .requiresAction else { throw Absent() }
        let invoice = InvoiceID.new(at: Self.start)
        try await execute("UPDATE payments SET invoice_id = \(invoice)")
        return (payment, invoice, customer)
    }
}
