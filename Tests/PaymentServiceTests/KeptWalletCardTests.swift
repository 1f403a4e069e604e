import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import Testing

@Suite("Customers whose card a provider keeps for a wallet") struct KeptWalletCardTests {
    /// A customer with such a card.
    private func payer(_ world: PaymentWorld, _ wallet: Wallet) async throws -> CustomerID {
        let customer: CustomerID = try await world.payer()
        try await world.execute("UPDATE payment_methods SET provider = 'asking', type = \(wallet.rawValue)")
        return customer
    }

    @Test("are asked for by their bank once, and what they answer there counts", arguments: Wallet.allCases)
    func softDecline(wallet: Wallet) async throws {
        let asking = AskingProvider()
        try await withPayments(beside: [asking]) { world in
            let payment: PaymentRecord = try await world.pay(try await payer(world, wallet), 1_000, "EUR")
            #expect(payment.status == .requiresAction && payment.attempts == 2)
            #expect(word(payment) == "required soft_decline -")
            #expect(try await world.work.sync(payment.id).payment.status == .succeeded)
            #expect(asking.charges.map(\.stepUp) == [false, true, true], "what is read back is what was asked for")
        }
    }

    @Test("are asked for where the risk wants them; nobody has to look first", arguments: Wallet.allCases)
    func risk(wallet: Wallet) async throws {
        let asking = AskingProvider()
        try await withPayments(beside: [asking]) { world in
            let payment: PaymentRecord = try await world.pay(
                try await payer(world, wallet), 1_000, "EUR", score: "0.7600")
            #expect(payment.status == .requiresAction && payment.reviewStatus == nil)
            #expect(word(payment) == "required risk -")
            #expect(try await world.work.sync(payment.id).payment.status == .succeeded)
            #expect(asking.charges.map(\.stepUp) == [true, true])
        }
    }
}

/// A provider that keeps cards for wallets, and whose banks let nobody pay before they have seen them.
private final class AskingProvider: PaymentProvider {
    let name = "asking"
    let capabilities = ProviderCapabilities(
        methods: Wallet.allCases.map { wallet in
            ProviderCapabilities.Method(
                type: wallet.rawValue, separateCapture: true, partialCapture: true, multipleCapture: false,
                partialRefund: true, offSession: true)
        }, currencies: ["EUR"])
    private let requests = Mutex<[ChargeRequest]>([])

    /// The charges that were asked for or about.
    var charges: [ChargeRequest] { requests.withLock { $0 } }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        requests.withLock { $0.append(request) }
        guard request.stepUp else { return .declined(ProviderDecline(code: "authentication_required")) }
        return PagesProvider.page(request.idempotencyKey)
    }

    /// The customer has been at the bank; of what was asked for without them there is nothing to tell.
    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        requests.withLock { $0.append(request) }
        guard request.stepUp else { throw .unusable("it was asked for with its customer") }
        return .captured(ProviderCharge(reference: "as_\(request.idempotencyKey)"))
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        .captured(reference: "ac_\(request.idempotencyKey)")
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer { .released }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        .refunded(reference: "ar_\(request.idempotencyKey)")
    }
}
