import BillingCore
import PaymentContract
import PaymentDomain
import TestKit

extension ConnectorTrial {
    func capturesAPart() async throws -> Bool {
        let amount: Money = try price()
        guard provider.capabilities.methods.contains(where: \.partialCapture),
            let request = try await good(amount, capture: false)
        else { return false }
        let charge: ProviderCharge = try await held(request)
        try await books(of: request, are: ProviderBooks(charges: 1))
        let twice = Money(minor: amount.minor * 2, currency: amount.currency)
        let more: CaptureAnswer = try await captured(capture(charge.reference, twice))
        guard case .refused = more else { throw Breach("captured twice what is held: \(more)") }
        let some: CaptureRequest = capture(charge.reference, part(amount, of: 3))
        let answer: CaptureAnswer = try await captured(some)
        guard case .captured = answer else { throw Breach("\(answer)") }
        try require(try await provider.capture(some) == answer, "another answer under the same key")
        let late: CaptureAnswer = try await captured(capture(charge.reference, part(amount, of: 4)))
        guard case .refused = late else { throw Breach("captured after the last capture: \(late)") }
        try await books(of: request, are: ProviderBooks(charges: 1, captured: some.amount.minor))
        return true
    }

    func capturesParts() async throws -> Bool {
        let amount: Money = try price()
        guard provider.capabilities.methods.contains(where: \.multipleCapture),
            let request = try await good(amount, capture: false)
        else { return false }
        let charge: ProviderCharge = try await held(request)
        let share: Money = part(amount, of: 4)
        var references: Set<String> = []
        for number in 1...3 {
            let answer: CaptureAnswer = try await captured(capture(charge.reference, share, isFinal: number == 3))
            guard case .captured(let reference) = answer else { throw Breach("part \(number): \(answer)") }
            references.insert(reference)
        }
        try require(references.count == 3, "parts without names of their own")
        try await books(of: request, are: ProviderBooks(charges: 1, captured: share.minor * 3))
        return true
    }

    func releases() async throws -> Bool {
        guard let request = try await good(try price(), capture: false) else { return false }
        let charge: ProviderCharge = try await held(request)
        let release = ReleaseRequest(idempotencyKey: .made(at: bench.now), reference: charge.reference)
        for _ in 0..<2 {
            let answer: ReleaseAnswer = try await released(release)
            try require(answer == .released, "\(answer)")
        }
        let late: CaptureAnswer = try await captured(capture(charge.reference, request.amount))
        guard case .refused = late else { throw Breach("captured what was released: \(late)") }
        let books: ProviderBooks = try await bench.books(of: request)
        try require(books.captured == 0, "the provider's books say \(books)")
        return true
    }

    func lostCapture() async throws -> Bool {
        guard bench.disturbances.contains(.lostAnswer), let request = try await good(try price(), capture: false)
        else { return false }
        let charge: ProviderCharge = try await held(request)
        try await bench.disturb(.lostAnswer)
        let answer: CaptureAnswer = try await captured(capture(charge.reference, request.amount))
        try await bench.calm()
        guard case .captured = answer else { throw Breach("\(answer)") }
        try await books(of: request, are: ProviderBooks(charges: 1, captured: request.amount.minor))
        return true
    }

    func refunds() async throws -> Bool {
        let amount: Money = try price()
        guard provider.capabilities.methods.contains(where: \.partialRefund), let request = try await good(amount)
        else { return false }
        let charge: ProviderCharge = try await taken(request)
        let share: Money = part(amount, of: 4)
        let first: RefundRequest = refund(charge.reference, share)
        let answer: RefundAnswer = try await accepted(first)
        try require(try await provider.refund(first) == answer, "another answer under the same key")
        _ = try await accepted(refund(charge.reference, share))
        let over: RefundAnswer = try await refunded(refund(charge.reference, amount))
        guard case .refused = over else { throw Breach("gives back more than was taken: \(over)") }
        try await bench.settle()
        try await books(
            of: request, are: ProviderBooks(charges: 1, captured: amount.minor, refunded: share.minor * 2))
        return true
    }

    private func accepted(_ request: RefundRequest) async throws -> RefundAnswer {
        let answer: RefundAnswer = try await refunded(request)
        if case .refused = answer { throw Breach("\(answer)") }
        return answer
    }

    func lostRefund() async throws -> Bool {
        guard bench.disturbances.contains(.lostAnswer), let request = try await good(try price()) else { return false }
        let charge: ProviderCharge = try await taken(request)
        let share: Money = part(request.amount, of: 3)
        try await bench.disturb(.lostAnswer)
        _ = try await accepted(refund(charge.reference, share))
        try await bench.calm()
        try await bench.settle()
        try await books(
            of: request, are: ProviderBooks(charges: 1, captured: request.amount.minor, refunded: share.minor))
        return true
    }

    func refundReadBack() async throws -> Bool {
        guard let request = try await good(try price()) else { return false }
        let charge: ProviderCharge = try await taken(request)
        let asked: RefundRequest = refund(charge.reference, part(request.amount, of: 2))
        let answer: RefundAnswer = try await accepted(asked)
        let reference: String
        switch answer {
        case .refunded(let name), .pending(let name): reference = name
        case .refused(let code): throw Breach(code)
        }
        guard let read: ProviderRefund = try await provider.refund(named: reference) else { return false }
        try require(read.amount == asked.amount, "reads back \(read.amount)")
        try require(read.reference == reference && read.refundID == asked.idempotencyKey, "reads back another's")
        return true
    }

    func strangers() async throws -> Bool {
        let amount: Money = try price()
        let nobody = "nobody_0123456789"
        try await refuses("captures") { () throws(ProviderFault) in
            guard case .refused = try await provider.capture(capture(nobody, amount)) else { return false }
            return true
        }
        try await refuses("gives back") { () throws(ProviderFault) in
            guard case .refused = try await provider.refund(refund(nobody, amount)) else { return false }
            return true
        }
        let release = ReleaseRequest(idempotencyKey: .made(at: bench.now), reference: nobody)
        try await refuses("releases") { () throws(ProviderFault) in
            guard case .refused = try await provider.release(release) else { return false }
            return true
        }
        return true
    }
}
