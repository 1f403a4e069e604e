import Logging
import PaymentContract
import PaymentRouting
import PaymentService
import Testing

@Suite("Providers behind their guards") struct GuardedAbilitiesTests {
    @Test("a guard hides neither what a provider keeps, nor its disputes, nor its settlements") func abilities()
        async throws
    {
        try await withPayments { world in
            let bare: [any PaymentProvider] = [world.provider.sandbox, PagesProvider()]
            let health = ProviderHealth(
                ProviderCatalogue([]), redis: nil, instance: "test", clock: world.clock,
                logger: Logger(label: "test.guards") { _ in SwiftLogNoOpLogHandler() })
            let providers = PaymentProviders(
                bare.map { GuardedProvider($0, health: health, timeout: .seconds(30)) }, beneath: bare)
            let charging: any PaymentProvider = try providers.named("pages")
            #expect(charging is GuardedProvider, "charges go through the guard")
            #expect(providers.vault("pages") != nil && providers.vault("sandbox") == nil)
            #expect(providers.disputing.map(\.name) == ["sandbox"])
            let disputing: any ProviderDisputes = try providers.disputing("sandbox")
            #expect(disputing.name == "sandbox")
            #expect(throws: ProviderFault.self) { _ = try providers.disputing("pages") }
            #expect(providers.beneath.contains { $0 is any ProviderSettlements })
        }
    }
}
