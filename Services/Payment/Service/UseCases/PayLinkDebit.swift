import BillingCore
package import HTTPKit
import PaymentContract
import PaymentLinks
import PaymentRecords
import Postgres

extension PayLink {
    /// Keeps a bank account for the link's customer, bound to this visit, with the mandate that its holder agreed to. The
    /// number is handed to the provider and kept nowhere here.
    ///
    /// The provider is told before anything is stored: that debits nothing, and an account that is not saved afterwards is
    /// of no use to anybody. What is stored then is a method that the provider is still about: after a crash the sweeper
    /// asks on.
    /// - Returns: 201; 202 while the provider is still about it: the page pays once it may.
    /// - Throws: ``Problem``; nothing is stored then, or a method that failed.
    package func keepAccount(_ call: Call, _ input: LinkAccountInput) async throws -> Reply<LinkCardResource> {
        try await acting(call) { code in
            let provider: any ProviderBankAccounts = try await pool.transaction(
                readOnly: true, deadline: call.deadline
            ) { db in
                try taker(try find(code, in: db), input.session, call, in: db)
            }
            let id = PaymentMethodID.new(at: call.now)
            let token: String = try await Self.told(provider, input.account, id)
            try await pool.transactionRetrying(deadline: call.deadline) { db in
                let standing: LinkStanding = try lock(code, in: db)
                guard try taker(standing, input.session, call, in: db).name == provider.name else {
                    throw Self.unsupported
                }
                try store(id, token, provider.name, standing.link, input, call, in: db)
            }
            do { try await attach.keep.finish(id) } catch is ProviderFault {}  // The sweeper asks again.
            return try await answer(id, call)
        }
    }

    /// Who takes the account, where the link's page offers to.
    private func taker(
        _ standing: LinkStanding, _ session: LinkSession, _ call: Call, in db: borrowing PostgresTransaction
    ) throws -> any ProviderBankAccounts {
        let link: LinkRecord = standing.link
        let type: String = LinkMethod.sepaDebit.rawValue
        try require(standing, type, at: call.now, in: db)
        try Self.requirePatience(link, session, call, in: db)
        let country: String? = try LinkStore.country(of: link.customerID, in: db)
        guard let provider = settings.providers.first(that: LinkSettings.wish(type, link.amount, country)),
            let taker: any ProviderBankAccounts = settings.providers.bankAccounts(provider.name)
        else { throw Self.unsupported }
        return taker
    }

    private static func told(
        _ provider: any ProviderBankAccounts, _ account: BankAccount, _ id: PaymentMethodID
    ) async throws -> String {
        do throws(ProviderFault) {
            return try await provider.token(of: account, as: id)
        } catch {
            if case .rejected = error { throw refused }
            throw Problem.unavailable()
        }
    }

    private func store(
        _ id: PaymentMethodID, _ token: String, _ provider: String, _ link: LinkRecord, _ input: LinkAccountInput,
        _ call: Call, in db: borrowing PostgresTransaction
    ) throws {
        guard let creditor: LinkCreditor = settings.creditor else { throw Self.unsupported }
        guard try PaymentMethodStore.lockCustomer(link.customerID, in: db) else {
            throw Problem.linkState(.deactivated)
        }
        let method = PaymentMethodRecord(
            id: id, customerID: link.customerID, type: LinkMethod.sepaDebit.rawValue, brand: nil, last4: nil,
            expMonth: nil, expYear: nil, fingerprint: "", provider: provider, providerToken: token, isDefault: false,
            status: .pending, returnURL: settings.address(of: link.code), createdAt: call.now)
        try PaymentMethodStore.insert(method, in: db)
        let agent = String(call.userAgent.prefix(500))
        try KeptMethodStore.note(
            KeptMethodStore.Wish(isDefault: false, acceptedIP: call.clientAddress, acceptedAgent: agent), of: id, in: db
        )
        try LinkMandateStore.insert(
            of: id, holder: input.account.holder, creditor: creditor, language: input.language.rawValue, at: call.now,
            in: db)
        try Self.bind(id, to: link.id, input.session, call, in: db)
    }

    private func answer(_ id: PaymentMethodID, _ call: Call) async throws -> Reply<LinkCardResource> {
        let kept: PaymentMethodRecord? = try await pool.transaction(readOnly: true, deadline: call.deadline) { db in
            try PaymentMethodStore.find(id, in: db)
        }
        guard let kept, kept.status != .failed else { throw Self.refused }
        return Reply(status: kept.status == .active ? 201 : 202, LinkCardResource(method: kept))
    }

    private static var refused: Problem {
        .invalid("bank_account.iban", code: "account_refused", "the provider does not take this account")
    }
}
