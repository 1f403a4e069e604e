import BillingCore
import PaymentContract
import PaymentDomain

extension ConnectorTrial {
    func capabilitiesAreSound() throws -> Bool {
        let able: ProviderCapabilities = provider.capabilities
        let types: [String] = able.methods.map(\.type)
        try require(!types.isEmpty && Set(types).count == types.count, "methods \(types)")
        try require(!able.currencies.isEmpty, "no currency")
        try require(able.currencies.allSatisfy { Currency($0) != nil }, "a currency that does not exist")
        try require(
            !provider.name.isEmpty && provider.name.utf8.allSatisfy { $0 == 0x5f || (0x61...0x7a).contains($0) },
            "the name \(provider.name)")
        for method in able.methods {
            try require(method.currencies?.isSubset(of: able.currencies) ?? true, "\(method.type): more currencies")
            try require(method.countries?.allSatisfy { $0.utf8.count == 2 } ?? true, "\(method.type): countries")
            try require(method.separateCapture || !method.partialCapture, "\(method.type): parts of nothing held")
            try require(method.partialCapture || !method.multipleCapture, "\(method.type): several whole captures")
            let currency: String? = (method.currencies ?? able.currencies).sorted().first
            guard let currency else { throw Breach("\(method.type): no currency") }
            let wish = ProviderCapabilities.Wish(type: method.type, currency: currency)
            try require(able.obstacle(to: wish) == nil, "\(method.type) cannot be used in \(currency)")
            let foreign = ProviderCapabilities.Wish(type: method.type, currency: "XTS")
            try require(able.obstacle(to: foreign) == .currency, "\(method.type) takes XTS")
        }
        try require(
            bench.amounts.allSatisfy { able.currencies.contains($0.currency.code) }, "amounts it does not take")
        return true
    }

    func chargesOnce() async throws -> Bool {
        for amount in bench.amounts {
            guard let request = try await good(amount) else { return false }
            let charge: ProviderCharge = try await taken(request)
            for _ in 0..<2 {
                try same(charge, try await provider.charge(request))
                try same(charge, try await provider.outcome(of: request))
            }
            try await books(of: request, are: ProviderBooks(charges: 1, captured: amount.minor))
        }
        return true
    }

    private func same(_ charge: ProviderCharge, _ answer: ChargeAnswer) throws {
        guard case .captured(let again) = answer else { throw Breach("captured before, now \(answer)") }
        try require(again.reference == charge.reference, "another reference: \(again.reference)")
    }

    func twins() async throws -> Bool {
        guard let request = try await good(try price()) else { return false }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { _ = try? await provider.charge(request) }
            }
        }
        _ = try await taken(request)
        try await books(of: request, are: ProviderBooks(charges: 1, captured: request.amount.minor))
        return true
    }

    func disturbedCharge(_ kinds: [Disturbance]) async throws -> Bool {
        let kinds: [Disturbance] = kinds.filter { bench.disturbances.contains($0) }
        for kind in kinds {
            for source in [SourceKind.good, .refused] {
                guard let method: ChargeSource = try await bench.source(source) else { continue }
                let request: ChargeRequest = request(method, try price())
                try await bench.disturb(kind)
                let answer: ChargeAnswer = try await ended(request)
                try await bench.calm()
                let isTaken: Bool = if case .captured = answer { true } else { false }
                try require(isTaken == (source == .good), "\(kind): \(answer)")
                let amount: Int64 = isTaken ? request.amount.minor : 0
                try await books(of: request, are: ProviderBooks(charges: isTaken ? 1 : 0, captured: amount))
            }
        }
        return !kinds.isEmpty
    }

    func refusal() async throws -> Bool {
        guard let source: ChargeSource = try await bench.source(.refused) else { return false }
        let request: ChargeRequest = request(source, try price())
        let first: ChargeAnswer = try await ended(request)
        guard case .declined(let decline) = first else { throw Breach("not declined: \(first)") }
        try require(provider.reading(of: decline).decline != .unknown, "no table knows \(decline.code)")
        for _ in 0..<2 {
            try require(try await provider.charge(request) == first, "another answer under the same key")
            try require(try await provider.outcome(of: request) == first, "reads back as something else")
        }
        try await books(of: request, are: ProviderBooks())
        return true
    }

    func customerFinishes() async throws -> Bool {
        guard let source: ChargeSource = try await bench.source(.wantsCustomer) else { return false }
        let request: ChargeRequest = request(source, try price())
        let first: ChargeAnswer = try await provider.charge(request)
        guard case .actionRequired(let reference, _) = first else { throw Breach("asks nothing: \(first)") }
        try require(try await provider.charge(request) == first, "a repeat asks for something else")
        try await books(of: request, are: ProviderBooks())
        try await bench.finish(first, of: request)
        let asked: ChargeRequest = request.known(as: reference)
        guard case .captured = try await ended(asked) else { throw Breach("finished, and not captured") }
        try await books(of: request, are: ProviderBooks(charges: 1, captured: request.amount.minor))
        return true
    }

    func agreed() async throws -> Bool {
        guard let source: ChargeSource = try await bench.source(.agreed) else { return false }
        let request: ChargeRequest = request(source, try price(), absent: true)
        guard case .captured = try await ended(request) else { throw Breach("not captured without the customer") }
        try await books(of: request, are: ProviderBooks(charges: 1, captured: request.amount.minor))
        return true
    }

    func foreignSource() async throws -> Bool {
        let request: ChargeRequest = request(
            .redirect(method: "barter", returnURL: "https://shop.test/back"), try price())
        try await refuses("takes") { () throws(ProviderFault) in
            guard case .declined = try await provider.charge(request) else { return false }
            return true
        }
        try await books(of: request, are: ProviderBooks())
        return true
    }
}
