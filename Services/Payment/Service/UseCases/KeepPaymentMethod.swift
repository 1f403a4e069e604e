package import BillingCore
package import HTTPKit
import Messaging
import PaymentContract
import PaymentDomain
import PaymentRecords
import Postgres

/// Has a provider keep a method that the customer entered on the provider's own form: the intent is stored, the provider
/// is asked under the method's id, and its word is recorded. A crash in between leaves a `pending` method that the sweeper
/// asks about again. It also asks about a method that waits for its owner, who may not come back: once the owner has
/// had the time there is and the provider still waits, the method has failed (`action_expired`).
package struct KeepPaymentMethod: Sendable {
    let providers: PaymentProviders
    let pool: PostgresPool
    let clock: any WallClock
    /// How long an owner has for what their bank asks of them.
    let actions: ActionPolicy

    /// - Throws: ``AttachPaymentMethod/Failure`` or ``Problem``; nothing is stored then.
    func callAsFunction(
        _ call: Call, _ input: CreatePaymentMethodInput, _ kept: KeptMethodInput
    ) async throws -> Reply<PaymentMethodResource> {
        let claim: IdempotencyClaim? = call.claim()
        let id = PaymentMethodID.new(at: call.now)
        let method = PaymentMethodRecord(
            id: id, customerID: input.customerID, type: input.type, brand: nil,
            last4: nil, expMonth: nil, expYear: nil, fingerprint: "", provider: kept.provider,
            providerToken: kept.token, isDefault: false, status: .pending, returnURL: kept.returnURL,
            createdAt: call.now, mandate: input.acceptance?.mandate(of: id, at: call.now))
        let wish = KeptMethodStore.Wish(
            isDefault: input.isDefault, acceptedIP: input.acceptance?.ipAddress,
            acceptedAgent: input.acceptance?.userAgent)
        let intent: ProviderIntent<PaymentMethodID> = try await .store(claim, in: pool) { db in
            _ = try providers.vault(kept.provider, keeping: method.type, or: "type")
            guard try PaymentMethodStore.lockCustomer(method.customerID, in: db) else {
                throw AttachPaymentMethod.Failure.unknownCustomer
            }
            try PaymentMethodStore.insert(method, in: db)
            try KeptMethodStore.note(wish, of: method.id, in: db)
            return method.id
        }
        let known: PaymentMethodID
        switch intent {
        case .stored(let id), .resumed(let id): known = id
        case .replay(let stored): return Reply(replaying: stored)
        }
        do { try await finish(known) } catch is ProviderFault {}  // The sweeper asks again.
        let reply = try await answer(known)
        try await intent.keep(reply.stored, under: claim, in: pool)
        return reply
    }

    private func answer(_ id: PaymentMethodID) async throws -> Reply<PaymentMethodResource> {
        let found: PaymentMethodRecord? = try await pool.transaction(readOnly: true) { db in
            try PaymentMethodStore.find(id, in: db)
        }
        guard let found else { throw Problem.notFound("payment method", id.rawValue) }
        return Reply(status: found.status == .pending ? 202 : 201, PaymentMethodResource(found))
    }

    /// Asks the provider how the keeping of a method stands, and records it; harmless to repeat.
    /// - Throws: ``ProviderFault`` while that is not known.
    package func finish(_ id: PaymentMethodID) async throws {
        let open: KeptMethodStore.Open? = try await pool.transaction(readOnly: true) { db in
            try KeptMethodStore.open(id, in: db)
        }
        guard let open, let vault: any ProviderVault = providers.vault(open.provider) else { return }
        let answer: SaveMethodAnswer
        do throws(ProviderFault) {
            if let reference: String = open.reference {
                answer = try await vault.saved(open.request, reference: reference)
            } else {
                answer = try await vault.save(open.request)
            }
        } catch {
            guard case .rejected(let code) = error else { throw error }
            answer = .declined(ProviderDecline(code: code))
        }
        let clock: any WallClock = clock
        let actions: ActionPolicy = actions
        try await pool.transactionRetrying { db in
            let now: Instant = clock.now
            guard try PaymentMethodStore.lockCustomer(open.request.customerID, in: db),
                try KeptMethodStore.record(answer, of: id, at: now, until: actions.end(from: now), in: db),
                let method: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db), method.status == .active
            else { return }
            try Outbox.append([PaymentEvents.attached(method, at: now)], in: db)
        }
    }

    /// Asks again, after the customer is back from the provider's page.
    /// - Throws: ``Problem`` for a method that is not there.
    package func sync(_ id: PaymentMethodID) async throws -> Reply<PaymentMethodResource> {
        do { try await finish(id) } catch is ProviderFault {}  // The sweeper asks again.
        let reply: Reply<PaymentMethodResource> = try await answer(id)
        return reply
    }
}

extension PaymentProviders {
    /// The provider that a request has keep a method.
    /// - Parameter field: What is at fault where it does not keep this kind.
    /// - Throws: ``Problem`` 422, also for one that keeps none.
    func vault(_ name: String, keeping type: String, or field: String) throws(Problem) -> any ProviderVault {
        guard let capabilities: ProviderCapabilities = capabilities(of: name),
            let vault: any ProviderVault = vault(name)
        else { throw .invalid("provider", code: "unknown_provider", "is not a provider that keeps methods here") }
        guard capabilities.methods.contains(where: { $0.type == type && $0.offSession }) else {
            throw .invalid(field, code: "unsupported_method", "\(type) is not a kind that the provider keeps")
        }
        return vault
    }
}
