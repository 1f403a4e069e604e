import BillingCore
import Logging
import PaymentContract
import PaymentRecords
import PaymentRouting
import PaymentService
import Postgres
import Testing

@Suite("Providers behind their guards") struct GuardedAbilitiesTests {
    @Test("guard and alarm hide neither what a provider keeps, nor its disputes, nor its settlements") func abilities()
        async throws
    {
        try await withPayments { world in
            let bare: [any PaymentProvider] = [world.provider.sandbox, PagesProvider()]
            let health = ProviderHealth(
                ProviderCatalogue([]), redis: nil, instance: "test", clock: world.clock,
                logger: Logger(label: "test.guards") { _ in SwiftLogNoOpLogHandler() })
            let providers = PaymentProviders(guarding: bare, as: ProviderCatalogue([]), health: health)
            let charging: any PaymentProvider = try providers.named("pages")
            #expect(charging is GuardedProvider, "charges go through the guard")
            #expect(providers.vault("pages") != nil && providers.vault("sandbox") == nil)
            #expect(providers.bankAccounts("pages") != nil && providers.bankAccounts("sandbox") == nil)
            #expect(providers.disputing.map(\.name) == ["sandbox"])
            let disputing: any ProviderDisputes = try providers.disputing("sandbox")
            #expect(disputing.name == "sandbox")
            #expect(throws: ProviderFault.self) { _ = try providers.disputing("pages") }
            #expect(providers.beneath.map { $0 is any ProviderSettlements } == [true, false])
            let settling: [any ProviderSettlements] = providers.beneath.compactMap { $0 as? any ProviderSettlements }
            #expect(settling.map { $0.reportsDays } == [true])
            // What is read back, and what refusals mean, comes through the guard.
            let payment: PaymentRecord = try await world.authorized(world.payer())
            let sandbox: any PaymentProvider = try providers.named("sandbox")
            #expect(try await sandbox.holds("ch_\(payment.attemptID)") == true)
            try await world.capture(payment.id)
            #expect(try await sandbox.holds("ch_\(payment.attemptID)") == false)
            let takings: ProviderTakings? = try await sandbox.takings(of: "ch_\(payment.attemptID)")
            #expect(takings?.isHeld == false && takings?.taken.map(\.amount.minor) == [1_299])
            _ = try await world.refund(payment.id, 300)
            let refund: [String] = try await world.texts("SELECT provider_reference FROM refunds")
            #expect(try await sandbox.refund(named: refund[0])?.amount.minor == 300)
            let refusal = ProviderDecline(code: "a_word_of_its_own")
            #expect(charging.reading(of: refusal) == PagesProvider().reading(of: refusal))
        }
    }
}
