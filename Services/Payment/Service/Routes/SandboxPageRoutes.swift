import BillingCore
package import HTTPKit
package import JSON
import PaymentContract
package import PaymentInbound
package import PaymentLinks
import PaymentRecords
package import PaymentSandbox
package import Postgres

/// The page on which a customer authorizes what the sandbox's methods beside cards charge, in the place of a wallet's, a
/// bank's or a lender's. Nothing here takes a key, as nothing does there: whoever has the address may choose.
package struct SandboxPageRoutes: Sendable {
    let page: SandboxPage
    let provider: SandboxLocalProvider
    let news: any NewsHandler
    let pool: PostgresPool

    package init(page: SandboxPage, provider: SandboxLocalProvider, news: any NewsHandler, pool: PostgresPool) {
        self.page = page
        self.provider = provider
        self.news = news
        self.pool = pool
    }

    package var endpoints: [Endpoint] { [show, choose] }

    private static let path = "\(SandboxLocalProvider.pagePath){reference}"

    private var show: Endpoint {
        .livePage(Self.path, summary: "The sandbox's page of a wallet, a bank or a lender") { call, _ in
            let reference: String = call.parameter("reference")
            guard let isWaiting: Bool = try await waits(reference),
                let charge: Charge = try await find(reference)
            else { return page.reply(nil) }
            return page.reply(
                SandboxPage.Charge(
                    reference: reference, method: charge.method, amount: charge.payment.amount,
                    returnURL: charge.returnURL, isWaiting: isWaiting))
        }
    }

    /// The customer's choice is told as a webhook would tell it: they may never come back.
    private var choose: Endpoint {
        .task(
            .post, Self.path, scope: nil, summary: "Choose on the sandbox's page", body: SandboxChoiceInput.self,
            answers: SandboxChoiceResource.self, statuses: [200], needsKey: false,
            problems: ["404 not_found"]
        ) { call, input in
            let reference: String = call.parameter("reference")
            guard try await waits(reference) != nil, let charge: Charge = try await find(reference) else {
                throw Problem.notFound("page")
            }
            do { try await provider.choose(reference, authorized: input.choice == .authorize) } catch {
                throw Problem.unavailable()
            }
            do { try await news.charge(charge.attempt, known: reference, at: provider.name) } catch {
                // The choice counts, whatever has come between: the sweeper asks again.
                try Task.checkCancellation()
            }
            return .ok(SandboxChoiceResource(returnURL: charge.returnURL))
        }
    }

    /// As ``SandboxLocalProvider/isWaiting(_:)``; books that do not answer are ours.
    private func waits(_ reference: String) async throws -> Bool? {
        do { return try await provider.isWaiting(reference) } catch { throw Problem.unavailable() }
    }

    private struct Charge: Sendable {
        let attempt: AttemptID
        let payment: PaymentRecord
        let method: String
        let returnURL: String?
    }

    /// The payment whose customer was sent to the page.
    private func find(_ reference: String) async throws -> Charge? {
        let name: String = provider.name
        return try await pool.transaction(readOnly: true) { db in
            guard let attempt = try PaymentStore.attempt(known: reference, at: name, in: db),
                let payment: PaymentRecord = try PaymentStore.find(attempt.payment, in: db),
                let method: PaymentMethodRecord = try payment.paymentMethodID.flatMap({
                    try PaymentMethodStore.find($0, in: db)
                })
            else { return nil }
            return Charge(attempt: attempt.id, payment: payment, method: method.type, returnURL: method.returnURL)
        }
    }
}

/// What a customer chooses on the sandbox's page.
package struct SandboxChoiceInput: JSONInput {
    enum Choice: String, CaseIterable, Sendable {
        case authorize, fail
    }

    let choice: Choice

    package init(_ f: inout InputFields) {
        choice = f.enumeration("choice", of: Choice.self, doc: "How it ends")
    }
}

/// Where the customer goes from there.
package struct SandboxChoiceResource: JSONOutput {
    let returnURL: String?

    package func write(to o: inout ObjectWriter) {
        o.field("object", "sandbox_choice")
        o.field("return_url", returnURL)
    }

    package static var sample: Self { Self(returnURL: "https://shop.example/back") }
}
