package import BillingCore
package import HTTPKit
import PaymentContract
import PaymentRecords
import PaymentRouting
import Postgres

/// Has a further provider keep a method that one keeps already, so that routing can choose between them.
///
/// What the token names is read first: of another kind or another card nothing is stored, here or there. Then the provider
/// keeps it, which is harmless to repeat, and its token is stored. A crash in between leaves a method at the provider that
/// nobody charges; the same request again finds it there.
package struct KeepMethodToken: Sendable {
    let providers: PaymentProviders
    let pool: PostgresPool

    /// - Returns: 201 once it is kept, also where it was before; 202 while the customer or the provider is to do something: the
    ///   same request again goes on.
    /// - Throws: ``Problem``: 422 naming the field at fault, 409 where the provider keeps the method as another or is still to
    ///   remove it, 503 while the provider does not answer. Nothing can be charged by the token then.
    package func callAsFunction(
        _ call: Call, _ id: PaymentMethodID, _ input: KeepMethodTokenInput
    ) async throws -> Reply<MethodTokenResource> {
        let status: MethodTokenResource.Status = try await keep(id, input, at: call.now)
        return Reply(
            status: status == .kept ? 201 : 202,
            MethodTokenResource(methodID: id, provider: input.provider, status: status))
    }

    private func keep(
        _ id: PaymentMethodID, _ input: KeepMethodTokenInput, at now: Instant
    ) async throws -> MethodTokenResource.Status {
        let (method, known, leaving) = try await pool.transaction(readOnly: true) { db in
            try Self.standing(of: id, at: input.provider, in: db)
        }
        let vault: any ProviderVault = try providers.vault(input.provider, keeping: method.type, or: "provider")
        if let known {
            guard vault.name(of: known.token) == input.token else { throw Self.taken }
            return .kept
        }
        guard !leaving.contains(where: { vault.name(of: $0) == input.token }) else { throw Self.removing }
        try await check(input.token, of: method, at: vault)
        // Repeats are one request to the provider, and an agreement may come in between: only a debit needs its proof.
        let proof: SaveMethodRequest.Acceptance? = method.type == "sepa_debit" ? method.mandate?.proof : nil
        let request = SaveMethodRequest(
            methodID: id, customerID: method.customerID, type: method.type, token: input.token,
            returnURL: input.returnURL ?? method.returnURL ?? "", acceptance: proof)
        switch try await asking({ () throws(ProviderFault) in try await vault.save(request) }) {
        case .saved(let saved):
            try await store(saved, of: method, at: vault, now)
            return .kept
        case .actionRequired(_, let action): return .requiresAction(action)
        case .pending: return .pending
        case .declined(let decline): throw Self.refused(decline.code)
        }
    }

    /// A method that can be kept, what the provider knows it by already, and the tokens of the customer's that it is still to
    /// remove.
    /// - Throws: ``Problem`` for one that is not there, or that cannot be kept at a further provider.
    private static func standing(
        of id: PaymentMethodID, at provider: String, in db: borrowing PostgresTransaction
    ) throws -> (method: PaymentMethodRecord, known: MethodToken?, leaving: [String]) {
        guard let method: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db) else {
            throw Problem.notFound("payment method", id.rawValue)
        }
        guard method.status == .active, !method.isSingleUse else { throw gone(method) }
        guard method.provider != provider else {
            throw Problem.invalid("provider", code: "own_provider", "keeps the method already")
        }
        return (
            method, try MethodTokenStore.find(at: provider, of: id, in: db),
            try MethodRemovalStore.tokensLeaving(provider, of: method.customerID, in: db)
        )
    }

    /// Whether a token names the method.
    /// - Throws: ``Problem`` 422 where it names another, or nobody can tell.
    private func check(
        _ token: String, of method: PaymentMethodRecord, at vault: any ProviderVault
    ) async throws {
        // What charges name it by may be a text around the provider's own name, which is what is asked for.
        guard vault.name(of: token) == token,
            let found: VaultedMethod = try await asking({ () throws(ProviderFault) in try await vault.look(at: token) })
        else {
            throw Problem.invalid("token", code: "unknown_token", "is no method that the provider knows")
        }
        guard found.type == method.type else {
            throw Problem.invalid("token", code: "another_method", "is of the kind \(found.type)")
        }
        guard method.type == "card" else { return }
        guard let card: VaultedCard = try await card(of: method) else {
            throw Problem.invalid("token", code: "unknown_card", "cannot be compared: the method's card is not known")
        }
        guard found.card == card else {
            throw Problem.invalid(
                "token", code: "another_card", "must agree with the method's card in brand, last four and expiry")
        }
    }

    /// A method's card, which some providers do not tell when they keep it.
    private func card(of method: PaymentMethodRecord) async throws -> VaultedCard? {
        if let brand: String = method.brand, let last4: String = method.last4, let month: Int = method.expMonth,
            let year: Int = method.expYear
        {
            return VaultedCard(brand: brand, last4: last4, expMonth: month, expYear: year)
        }
        guard let vault: any ProviderVault = providers.vault(method.provider) else { return nil }
        let token: String = method.providerToken
        return try await asking({ () throws(ProviderFault) in try await vault.look(at: token) })?.card
    }

    /// Stores what the provider knows the method by from now on. Where it was taken off its customer meanwhile, or kept there
    /// as another, the provider is to remove what it keeps for nothing; what was taken away there meanwhile it removes anyway.
    private func store(
        _ saved: SavedMethod, of method: PaymentMethodRecord, at vault: any ProviderVault, _ now: Instant
    ) async throws {
        let token = MethodToken(provider: vault.name, token: saved.token, providerCustomer: saved.customer)
        let problem: Problem? = try await pool.transactionRetrying { db in
            guard try PaymentMethodStore.lockCustomer(method.customerID, in: db),
                let current: PaymentMethodRecord = try PaymentMethodStore.find(method.id, in: db)
            else { throw Problem.notFound("payment method", method.id.rawValue) }
            let known: MethodToken? = try MethodTokenStore.find(at: token.provider, of: method.id, in: db)
            let name: String = vault.name(of: token.token)
            if let known, vault.name(of: known.token) == name { return nil }
            let leaving: [String] = try MethodRemovalStore.tokensLeaving(
                token.provider, of: method.customerID, in: db)
            guard !leaving.contains(where: { vault.name(of: $0) == name }) else { return Self.removing }
            guard current.status == .active, known == nil else {
                try MethodRemovalStore.intend(token.token, at: token.provider, of: method.id, at: now, in: db)
                return known == nil ? Self.gone(current) : Self.taken
            }
            try MethodTokenStore.insert([token], of: method.id, at: now, in: db)
            return nil
        }
        if let problem { throw problem }
    }

    /// A provider's answer; what it refuses for certain is the token's fault.
    private func asking<Answer>(
        _ ask: () async throws(ProviderFault) -> Answer
    ) async throws(Problem) -> Answer {
        do throws(ProviderFault) { return try await ask() } catch {
            if case .rejected(let code) = error { throw Self.refused(code) }
            throw .unavailable("The provider does not answer: send the request again.")
        }
    }

    private static let taken: Problem = .conflict(
        "token_in_place", "The provider keeps the method under another token: take that away first.")

    private static let removing: Problem = .conflict(
        "removal_in_progress", "The provider is still to remove this: send the request again once it has.")

    private static func gone(_ method: PaymentMethodRecord) -> Problem {
        let state: String = method.status == .active ? "used once" : method.status.rawValue
        return .conflict("payment_method_state", "A method that is \(state) is kept nowhere else.")
    }

    private static func refused(_ code: String) -> Problem {
        .invalid("token", code: "token_refused", "is refused by the provider: \(code)")
    }
}

extension Mandate {
    /// What a provider is shown of an agreement that is in force, as far as it was made online.
    fileprivate var proof: SaveMethodRequest.Acceptance? {
        guard endedAt == nil, let ip else { return nil }
        return SaveMethodRequest.Acceptance(acceptedAt: acceptedAt, ipAddress: ip, userAgent: userAgent ?? "")
    }
}
