import BillingCore
import PaymentContract
import PaymentDomain
import TestKit

/// A connector on trial: calls it as the service does, and holds its answers against the provider's books.
struct ConnectorTrial: Sendable {
    /// How often an outcome is asked for before it counts as not to be had. The service asks for much longer.
    static let patience = 12

    let bench: any ConnectorBench

    var provider: any PaymentProvider { bench.provider }

    func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
        guard condition else { throw Breach(text()) }
    }

    /// The first amount of the bench: what most rules charge.
    func price() throws -> Money {
        guard let first: Money = bench.amounts.first else { throw Breach("the bench has no amount") }
        return first
    }

    func request(
        _ source: ChargeSource, _ amount: Money, capture: Bool = true, absent: Bool = false
    ) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: .made(at: bench.now), paymentID: .made(at: bench.now), source: source, amount: amount,
            capture: capture, initiation: absent ? .merchant(networkTransactionID: nil) : .customer)
    }

    /// A charge of a good source, or `nil` where authorization and capture cannot be apart.
    func good(_ amount: Money, capture: Bool = true) async throws -> ChargeRequest? {
        guard let source: ChargeSource = try await bench.source(.good) else { throw Breach("nothing to charge") }
        guard capture || provider.capabilities.methods.contains(where: \.separateCapture) else { return nil }
        return request(source, amount, capture: capture)
    }

    /// Charges to the end: asks again while nothing is known, lets the customer finish, reads back.
    func ended(_ request: ChargeRequest) async throws -> ChargeAnswer {
        var asked: ChargeRequest = request
        var answer: ChargeAnswer = try await known(
            { () throws(ProviderFault) in try await provider.charge(request) },
            { () throws(ProviderFault) in try await provider.outcome(of: request) })
        for _ in 0..<Self.patience {
            switch answer {
            case .captured, .authorized, .declined: return answer
            case .actionRequired(let reference, _), .pending(let reference): asked = asked.known(as: reference)
            }
            try await bench.finish(answer, of: asked)
            let question: ChargeRequest = asked
            answer = try await known(
                { () throws(ProviderFault) in try await provider.outcome(of: question) },
                { () throws(ProviderFault) in try await provider.outcome(of: question) })
        }
        throw Breach("no end: \(answer)")
    }

    /// The first word that is had: of the call, or of the question after it, with a provider that is calm again.
    func known<Answer: Sendable>(
        _ call: () async throws(ProviderFault) -> Answer, _ question: () async throws(ProviderFault) -> Answer
    ) async throws -> Answer {
        var last: ProviderFault
        do throws(ProviderFault) { return try await call() } catch { last = error }
        try await bench.calm()
        for _ in 0..<Self.patience {
            do throws(ProviderFault) { return try await question() } catch { last = error }
        }
        throw Breach("nothing is known: \(last)")
    }

    /// The reference of money that was taken.
    func taken(_ request: ChargeRequest) async throws -> ProviderCharge {
        let answer: ChargeAnswer = try await ended(request)
        guard case .captured(let charge) = answer else { throw Breach("not captured: \(answer)") }
        return charge
    }

    /// The reference of money that is held.
    func held(_ request: ChargeRequest) async throws -> ProviderCharge {
        let answer: ChargeAnswer = try await ended(request)
        guard case .authorized(let charge) = answer else { throw Breach("not authorized: \(answer)") }
        return charge
    }

    func capture(_ reference: String, _ amount: Money, isFinal: Bool = true) -> CaptureRequest {
        CaptureRequest(idempotencyKey: .made(at: bench.now), reference: reference, amount: amount, isFinal: isFinal)
    }

    func refund(_ reference: String, _ amount: Money) -> RefundRequest {
        RefundRequest(idempotencyKey: .made(at: bench.now), reference: reference, amount: amount)
    }

    func captured(_ request: CaptureRequest) async throws -> CaptureAnswer {
        try await known(
            { () throws(ProviderFault) in try await provider.capture(request) },
            { () throws(ProviderFault) in try await provider.capture(request) })
    }

    func refunded(_ request: RefundRequest) async throws -> RefundAnswer {
        try await known(
            { () throws(ProviderFault) in try await provider.refund(request) },
            { () throws(ProviderFault) in try await provider.refund(request) })
    }

    func released(_ request: ReleaseRequest) async throws -> ReleaseAnswer {
        try await known(
            { () throws(ProviderFault) in try await provider.release(request) },
            { () throws(ProviderFault) in try await provider.release(request) })
    }

    /// Holds the provider's books of a payment against what they have to be.
    func books(of request: ChargeRequest, are expected: ProviderBooks) async throws {
        let books: ProviderBooks = try await bench.books(of: request)
        try require(books == expected, "the provider's books say \(books), not \(expected)")
    }

    /// A part of an amount that every provider can take, in whole units where the amount is in whole units.
    func part(_ amount: Money, of parts: Int64) -> Money {
        let unit: Int64 = amount.minor % 100 == 0 ? 100 : 1
        return Money(minor: amount.minor / parts / unit * unit, currency: amount.currency)
    }

    /// A call that has to be refused, by an answer or by the fault that says so.
    func refuses(_ what: String, _ call: () async throws(ProviderFault) -> Bool) async throws {
        do throws(ProviderFault) {
            let isRefused: Bool = try await call()
            guard isRefused else { throw ProviderFault.unusable("it \(what) what it does not know") }
        } catch {
            guard case .rejected = error else { throw Breach("\(error)") }
        }
    }
}
