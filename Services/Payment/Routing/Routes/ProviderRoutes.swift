import BillingCore
package import HTTPKit
package import JSON
package import PaymentContract
import PaymentDomain
import Postgres

/// `/v1/payment_providers`.
package struct ProviderRoutes: Sendable {
    private let book: RoutingBook

    package init(book: RoutingBook) { self.book = book }

    package var endpoints: [Endpoint] { [list, change] }

    private var list: Endpoint {
        let book: RoutingBook = book
        return .read(
            "/v1/payment_providers", scope: "routing:read",
            summary: "List the configured providers: what they can do, and how they are",
            answers: ProviderListResource.self
        ) { db, _ in
            let down: [String: TakenOut] = try ProviderDownStore.all(in: db)
            return ProviderListResource(providers: book.catalogue.profiles.map { Self.resource($0, book, down) })
        }
    }

    private var change: Endpoint {
        let book: RoutingBook = book
        return .write(
            .put, "/v1/payment_providers/{name}", scope: "routing:write",
            summary: "Take a provider out of routing, or in again", body: ChangeProviderInput.self,
            answers: ProviderResource.self, problems: ["404 not_found"]
        ) { db, call, input in
            let name: String = call.parameter("name")
            guard let profile: ProviderProfile = book.catalogue.named(name) else {
                throw Problem.notFound("payment provider", String(name.prefix(64)))
            }
            try ProviderDownStore.set(
                name, isDown: !input.enabled, reason: input.reason, at: call.now, by: call.principal.id, in: db)
            try book.install(in: db)
            return .ok(Self.resource(profile, book, try ProviderDownStore.all(in: db)))
        }
    }

    private static func resource(
        _ profile: ProviderProfile, _ book: RoutingBook, _ down: [String: TakenOut]
    ) -> ProviderResource {
        ProviderResource(
            profile: profile, takenOut: down[profile.name], health: book.health.snapshot(profile.name))
    }
}

/// `PUT /v1/payment_providers/{name}`.
struct ChangeProviderInput: JSONInput {
    let enabled: Bool
    let reason: String?

    init(_ f: inout InputFields) {
        enabled = f.bool(
            "enabled", doc: "Whether it is asked where another can be; what it alone keeps or can do still goes to it")
        reason = f.optionalString("reason", max: 500, doc: "For people")
    }
}

/// Every configured provider; there are few, so it is one page.
struct ProviderListResource: JSONOutput {
    let providers: [ProviderResource]

    func write(to o: inout ObjectWriter) {
        o.field("object", "list", doc: "Always `list`")
        o.field("data", providers)
        o.field("has_more", false)
    }

    static var sample: Self { Self(providers: [.sample]) }
}

/// A provider as callers see it.
struct ProviderResource: JSONOutput {
    let profile: ProviderProfile
    /// `nil` while routing may choose it.
    let takenOut: TakenOut?
    let health: ProviderSnapshot?

    func write(to o: inout ObjectWriter) {
        o.field("object", "payment_provider")
        o.field("name", profile.name)
        o.field("enabled", takenOut == nil, doc: "false: an operator took it out of routing")
        o.field("taken_out", takenOut.map(TakenOutResource.init), doc: "Null while it is enabled")
        o.field("methods", profile.capabilities.methods.map(ProviderMethodResource.init))
        o.field("currencies", profile.capabilities.currencies.sorted())
        o.field("authentication", ProviderAuthenticationResource(able: profile.capabilities.authentication))
        o.field(
            "wallets", profile.capabilities.wallets.map(\.rawValue).sorted(),
            doc: "Wallets whose tokens it can charge when they were opened here")
        o.field("fees_known", profile.fees != nil, doc: "Whether least cost can compare it")
        o.field("health", health.map(ProviderHealthResource.init))
    }

    static var sample: Self {
        Self(
            profile: ProviderProfile(
                name: "sandbox",
                capabilities: ProviderCapabilities(
                    methods: [
                        ProviderCapabilities.Method(
                            type: "card", separateCapture: true, partialCapture: true, multipleCapture: true,
                            partialRefund: true, offSession: true)
                    ], currencies: ["EUR", "USD"],
                    authentication: ProviderCapabilities.Authentication(
                        exemptions: Set(SCAExemption.allCases), takesProof: true),
                    wallets: Set(Wallet.allCases))), takenOut: nil,
            health: ProviderSnapshot(phase: .closed, answered: 120, failed: 1, inFlight: 3, inFlightLimit: 4_096))
    }
}

/// Why a provider is out of routing.
struct TakenOutResource: JSONOutput {
    let takenOut: TakenOut

    func write(to o: inout ObjectWriter) {
        o.field("reason", takenOut.reason)
        o.field("since", takenOut.since)
        o.field("by", takenOut.by, doc: "The key that it was asked with")
    }

    static var sample: Self { Self(takenOut: TakenOut(reason: "an outage", since: .sample, by: "key_1")) }
}

/// One kind of method at a provider, as callers see it.
package struct ProviderMethodResource: JSONOutput {
    let method: ProviderCapabilities.Method

    package init(_ method: ProviderCapabilities.Method) { self.method = method }

    package func write(to o: inout ObjectWriter) {
        o.field("type", method.type)
        o.field("all_currencies", method.currencies == nil, doc: "Whether it goes with all of the provider's")
        o.field("currencies", method.currencies?.sorted() ?? [])
        o.field("all_countries", method.countries == nil, doc: "Whether customers of all countries may use it")
        o.field("countries", method.countries?.sorted() ?? [])
        o.field(
            "currency_of_country", method.currencyOf,
            doc: "The one currency that customers of a country pay in, by country; others pay in any of its currencies")
        o.field(
            "amounts",
            method.amounts.sorted { $0.key < $1.key }.map {
                ProviderAmountsResource(currency: $0.key, range: $0.value)
            },
            doc: "Its limits, one for each currency that has some; the provider's own least amounts hold beside them")
        o.field("payer", method.payer, doc: "What the provider must be told of who pays")
        o.field(
            "token_only", method.tokenOnly,
            doc: "Whether only a token of the provider's own form pays: there is no page to send the customer to")
        o.field("separate_capture", method.separateCapture)
        o.field("partial_capture", method.partialCapture)
        o.field("multiple_capture", method.multipleCapture)
        o.field("partial_refund", method.partialRefund)
        o.field("off_session", method.offSession, doc: "Whether it can be charged without the customer")
    }

    package static var sample: Self { Self(ProviderResource.sample.profile.capabilities.methods[0]) }
}

/// What a method takes at once in a currency.
struct ProviderAmountsResource: JSONOutput {
    let currency: String
    let range: ClosedRange<Int64>

    func write(to o: inout ObjectWriter) {
        o.field("currency", currency)
        o.field("minimum", range.lowerBound, doc: "Minor units")
        o.field("maximum", range.upperBound, doc: "Minor units, included")
    }

    static var sample: Self { Self(currency: "USD", range: 5_000...3_000_000) }
}

/// What a provider can be told of customers' authentication.
struct ProviderAuthenticationResource: JSONOutput {
    let able: ProviderCapabilities.Authentication

    func write(to o: inout ObjectWriter) {
        o.field("decides_itself", able.exemptions == nil, doc: "Whether it claims exemptions by itself")
        o.field("exemptions", able.exemptions?.map(\.rawValue).sorted() ?? [], doc: "Those that it can be told of")
        o.field("takes_proof", able.takesProof, doc: "Whether an authentication made here is handed over")
    }

    static var sample: Self { Self(able: ProviderResource.sample.profile.capabilities.authentication) }
}

/// How a provider is, as far as the answering instance knows.
struct ProviderHealthResource: JSONOutput {
    enum Circuit: String, CaseIterable, Sendable {
        case closed, open
        case halfOpen = "half_open"
    }

    let snapshot: ProviderSnapshot

    func write(to o: inout ObjectWriter) {
        var circuit = Circuit.closed
        var until: Instant?
        switch snapshot.phase {
        case .closed: break
        case .open(let end): (circuit, until) = (.open, end)
        case .halfOpen: circuit = .halfOpen
        }
        o.field("circuit", circuit)
        o.field("open_until", until)
        o.field("answered", snapshot.answered, doc: "Calls in the last minute, declines included")
        o.field("failed", snapshot.failed, doc: "Calls in the last minute without a usable answer")
        o.field("in_flight", snapshot.inFlight)
        o.field("in_flight_limit", snapshot.inFlightLimit, doc: "This instance's share")
    }

    static var sample: Self {
        Self(
            snapshot: ProviderSnapshot(phase: .closed, answered: 120, failed: 1, inFlight: 3, inFlightLimit: 4_096))
    }
}
