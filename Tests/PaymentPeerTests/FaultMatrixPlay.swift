import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Testing
import TestKit

/// Plays stories: as callers and customers do, who ask again under the same key while they have no answer.
struct MatrixStage: Sendable {
    let world: FaultMatrixWorld
    /// A customer and, for methods that are kept, the method, by the peer's methods.
    var cast: [(customer: CustomerID, kept: PaymentMethodID?)] = []

    /// Asks until there is an answer, each time a daemon of the story's choice.
    /// - Returns: `nil` where the service refuses.
    func ask<Answer: Sendable>(
        _ story: MatrixStory?, _ body: @Sendable (MatrixDaemon) async throws -> Answer
    ) async throws -> Answer? {
        for turn in 0..<200 {
            let daemon: MatrixDaemon = world.daemon(story?.daemons[turn % 8] ?? turn % 2)
            do { return try await body(daemon) } catch let refusal as any ProblemConvertible {
                guard refusal.problem.status >= 500 || refusal.problem.code.contains("idempotency") else { return nil }
                try await Task.sleep(for: .milliseconds(10))
            } catch { try await Task.sleep(for: .milliseconds(10)) }
        }
        Issue.record("no answer in 200 tries")
        return nil
    }

    /// A customer, with the method where the provider keeps it.
    mutating func hire(_ method: MatrixMethod) async throws {
        let customer = CustomerID.new(at: SystemClock().now)
        try await world.execute("INSERT INTO customers (id, created_at) VALUES (\(customer), now())")
        guard let kept = method.kept else { return cast.append((customer, nil)) }
        let acceptance: String =
            kept.type == "sepa_debit" ? #","acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}"# : ""
        let body =
            #"{"customer_id":"\#(customer)","type":"\#(kept.type)","provider":"\#(world.peer.name)","token":"\#(kept.token)","#
            + #""return_url":"https://shop.test/back"\#(acceptance)}"#
        let world: FaultMatrixWorld = world
        let reply = try await ask(nil) { daemon in
            try await daemon.work.attach(
                world.call(daemon, "/v1/payment_methods", key: "method-\(customer)", body: body), world.read(body))
        }
        let id = PaymentMethodID(unchecked: try reply.flatMap { try parseJSON($0.body)["id"]?.stringValue } ?? "")
        try await eventually(within: .seconds(20), "the method \(kept.token) is kept") {
            let standing: String? = try await world.texts(
                "SELECT status || ' ' || coalesce(setup_reference, '') FROM payment_methods WHERE id = \(id)"
            ).first
            if let standing, standing.hasPrefix("requires_action ") {
                try await world.peer.finish(String(standing.dropFirst(16)), .pays)
            }
            if standing?.hasPrefix("active") == true { return true }
            _ = try? await world.daemon(0).work.keep.finish(id)
            return false
        }
        if kept.type == "sepa_debit" {
            // The double makes no mandates when it keeps an account.
            try await world.execute(
                """
                UPDATE payment_methods SET provider_token = provider_token || '/mandate_1'
                WHERE id = \(id) AND provider_token NOT LIKE '%/mandate_%'
                """)
        }
        cast.append((customer, id))
    }

    /// The payment once it is where `isThere` says; `nil` when that takes too long: the end of the storm finds it then.
    func wait(
        _ id: PaymentID, _ isThere: (PaymentRecord) -> Bool
    ) async throws -> PaymentRecord? {
        for _ in 0..<100 {
            if let payment = try await world.payment(id), isThere(payment) { return payment }
            try await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    func play(_ story: MatrixStory) async throws {
        let at: Int = story.method % cast.count
        let method: MatrixMethod = world.peer.methods[at]
        for fault in story.faults { try? await world.peer.arm(fault) }
        let isRenewal: Bool = story.isRenewal && method.kept != nil
        guard
            let id: PaymentID = isRenewal
                ? try await collect(story, method, cast[at].customer) : try await order(story, method, cast[at])
        else { return }
        try await assess(story, id)
        guard let first = try await wait(id, { $0.status.isSettled }),
            var payment = isRenewal ? try await collectAgain(story, first) : first
        else { return }
        if payment.status == .requiresAction {
            guard let finished = try await finish(story, payment) else { return }
            payment = finished
        }
        if payment.status == .authorized { payment = try await take(story, payment) }
        guard payment.status == .succeeded else { return }
        if story.isObjectionFirst { try await object(story, payment) }
        try await giveBack(story, payment)
        if !story.isObjectionFirst { try await object(story, payment) }
    }

    /// The provider's name of what was taken.
    func taken(_ id: PaymentID) async throws -> String? {
        try await world.texts(
            """
            SELECT coalesce((SELECT provider_reference FROM captures WHERE payment_id = p.id AND status = 'succeeded'
                ORDER BY amount DESC LIMIT 1), provider_reference) FROM payments p WHERE id = \(id)
            """
        ).first
    }

    private func order(
        _ story: MatrixStory, _ method: MatrixMethod, _ actor: (customer: CustomerID, kept: PaymentMethodID?)
    ) async throws -> PaymentID? {
        let how: String = story.isManual && method.canBeManual ? "manual" : "automatic"
        let country: String = method.currency == .usd ? "US" : "DE"
        let what: String =
            method.page.map {
                #""payment_method_type":"\#($0)","return_url":"https://shop.test/back","payer":{"name":"Ada","#
                    + #""email":"ada@example.com","country":"\#(country)"}"#
            } ?? #""payment_method_id":"\#(actor.kept?.rawValue ?? "")""#
        let body =
            #"{"amount":\#(story.minor),"currency":"\#(method.currency.code)","customer_id":"\#(actor.customer)","#
            + #""capture_method":"\#(how)",\#(what)}"#
        let world: FaultMatrixWorld = world
        let ids: [PaymentID?] = try await twins(story) {
            let reply = try await ask(story) { daemon in
                try await daemon.work.create(
                    world.call(daemon, "/v1/payments", key: "order-\(story.index)", body: body), world.read(body))
            }
            return try reply.flatMap { try parseJSON($0.body)["id"]?.stringValue }.map { PaymentID(unchecked: $0) }
        }
        #expect(Set(ids).count == 1, "one key made two payments: \(ids)")
        return ids[0]
    }

    func twins<Answer: Sendable>(
        _ story: MatrixStory, _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<story.twins { group.addTask { try await body() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func finish(_ story: MatrixStory, _ payment: PaymentRecord) async throws -> PaymentRecord? {
        let references: [String] = try await world.texts(
            "SELECT coalesce(provider_reference, '') FROM payments WHERE id = \(payment.id)")
        // A page that does not load is left.
        try? await world.peer.finish(references[0], story.customer)
        guard story.customer == .pays else { return nil }
        _ = try await ask(story) { daemon in try await daemon.work.sync(payment.id) }
        return try await wait(payment.id) { $0.status.isSettled && $0.status != .requiresAction }
    }

    private func take(_ story: MatrixStory, _ payment: PaymentRecord) async throws -> PaymentRecord {
        let parts: [Int64] = world.peer.capturesInParts ? story.parts : []
        for (index, part) in parts.enumerated() {
            try await capture(story, payment, payment.amount.minor * part / 100, isFinal: false, "\(index)")
        }
        switch story.end {
        case .captured:
            let part: Int64? = story.parts.first.map { payment.amount.minor * (50 - $0) / 100 }
            try await capture(story, payment, parts.isEmpty ? part : nil, isFinal: true, "last")
        case .canceled:
            let world: FaultMatrixWorld = world
            _ = try await twins(story) {
                try await ask(story) { daemon in
                    let path = "/v1/payments/\(payment.id)/cancel"
                    return try await daemon.work.cancel(
                        world.call(daemon, path, key: "cancel-\(story.index)"), payment.id)
                }
            }
        case .left: break
        }
        return try await wait(payment.id) { $0.status != .authorized } ?? payment
    }

    private func capture(
        _ story: MatrixStory, _ payment: PaymentRecord, _ amount: Int64?, isFinal: Bool, _ name: String
    ) async throws {
        let body = #"{"final":\#(isFinal)\#(amount.map { #","amount":\#($0)"# } ?? "")}"#
        let world: FaultMatrixWorld = world
        _ = try await twins(story) {
            try await ask(story) { daemon in
                let path = "/v1/payments/\(payment.id)/captures"
                return try await daemon.work.capture(
                    world.call(daemon, path, key: "capture-\(story.index)-\(name)", body: body), payment.id,
                    world.read(body))
            }
        }
        for _ in 0..<100 {
            let open: Int64 = try await world.number(
                "SELECT count(*) FROM captures WHERE payment_id = \(payment.id) AND status = 'processing'")
            if open == 0 { return }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func giveBack(_ story: MatrixStory, _ payment: PaymentRecord) async throws {
        let world: FaultMatrixWorld = world
        for (index, part) in story.refunds.enumerated() {
            let body = #"{"payment_id":"\#(payment.id)","amount":\#(max(1, payment.amountCaptured * part / 100))}"#
            _ = try await twins(story) {
                try await ask(story) { daemon in
                    try await daemon.work.refund(
                        world.call(daemon, "/v1/refunds", key: "refund-\(story.index)-\(index)", body: body),
                        world.read(body))
                }
            }
        }
        guard story.isRefundedElsewhere, let taken: String = try await taken(payment.id) else { return }
        let part = Money(minor: max(1, payment.amountCaptured / 20), currency: payment.amount.currency)
        // The double may be at its worst: then nobody has given anything back.
        try? await world.peer.refundElsewhere(taken, part, key: "elsewhere-\(story.index)")
    }
}
