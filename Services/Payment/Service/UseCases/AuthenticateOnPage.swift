package import BillingCore
import PaymentAuthentication
import PaymentContract
package import PaymentDomain
package import PaymentRecords
package import PaymentThreeDS
import Postgres

/// Takes a customer through an authentication on a page of this service: the issuer's script in a hidden frame, the
/// question to the issuer, its challenge in a frame, and back to the shop.
///
/// Whoever has the page's code may take the steps; none of them says how it ends. Each can be repeated: it tells where the
/// authentication stands, and begins what has not begun.
package struct AuthenticateOnPage: Sendable {
    /// What the page does next.
    package enum Step: Sendable, Equatable {
        /// Nothing has begun: the browser is to tell of itself.
        case ready
        /// The issuer's script runs in a hidden frame; ask again when it has reported, or after this.
        case method(BrowserForm, until: Instant)
        /// The customer passes the issuer's challenge in a frame.
        case challenge(BrowserForm)
        /// The issuer asks the customer on its own way.
        case decoupled
        /// The issuer's word or the charge is under way.
        case waiting
        /// The payment has ended, or waits for something else.
        case over(PaymentStatus)
    }

    /// A page with its payment as they stand.
    package struct Standing: Sendable {
        package let code: String
        package let payment: PaymentRecord
        package let step: Step
    }

    let authenticate: AuthenticatePayment
    /// Where the issuer's script reports.
    let methodURL: String

    package init(authenticate: AuthenticatePayment, publicURL: String) {
        self.authenticate = authenticate
        methodURL = "\(publicURL)/v1/three_d_secure/method"
    }

    /// Where a page stands; begins nothing.
    /// - Returns: `nil` where there is no page of that code.
    package func standing(_ code: String) async throws -> Standing? {
        guard let (page, payment) = try await find(code) else { return nil }
        return Standing(code: code, payment: payment, step: try await step(page, payment, window: nil))
    }

    /// Takes the next step with what the browser tells of itself.
    /// - Throws: ``Problem``.
    package func advance(_ code: String, _ browser: CardholderBrowser) async throws -> Standing? {
        guard let (page, payment) = try await find(code) else { return nil }
        let window: ChallengeWindow = browser.challengeWindow
        var step: Step = try await step(page, payment, window: window)
        if case .ready = step { step = try await begin(page, payment, browser) ?? step }
        if case .ready = step {
            guard let (page, payment) = try await find(code) else { return nil }
            return Standing(code: code, payment: payment, step: try await self.step(page, payment, window: window))
        }
        return Standing(code: code, payment: payment, step: step)
    }

    /// The issuer's script has reported.
    /// - Returns: The code of the page that waits for it; `nil` for what fits none.
    package func methodReported(_ field: String) async throws -> String? {
        guard let notification = try? MethodNotification(field) else { return nil }
        let now: Instant = authenticate.clock.now
        return try await authenticate.pool.transactionRetrying { db in
            _ = try AuthenticationPages.methodReported(notification.id, at: now, in: db)
            return try AuthenticationPages.find(running: notification.id, in: db)?.code
        }
    }

    /// The code of the page that an authentication was begun on.
    package func page(of authenticationCode: String) async throws -> String? {
        try await authenticate.pool.transaction(readOnly: true) { db in
            try AuthenticationStore.find(code: authenticationCode, in: db).flatMap { record in
                try AuthenticationPages.find(of: record.attemptID, in: db)?.code
            }
        }
    }

    private func find(_ code: String) async throws -> (AuthenticationPageRecord, PaymentRecord)? {
        try await authenticate.pool.transaction(readOnly: true) { db in
            guard let page: AuthenticationPageRecord = try AuthenticationPages.find(code, in: db),
                let payment: PaymentRecord = try PaymentStore.find(page.paymentID, in: db)
            else { return nil }
            return (page, payment)
        }
    }

    private func step(
        _ page: AuthenticationPageRecord, _ payment: PaymentRecord, window: ChallengeWindow?
    ) async throws -> Step {
        guard payment.attemptID == page.attemptID, payment.awaitsChallenge else {
            let isUnderWay: Bool = [.created, .processing, .canceling].contains(payment.status)
            return isUnderWay ? .waiting : .over(payment.status)
        }
        guard let record: AuthenticationRecord = try await authenticate.find(page.attemptID) else { return .ready }
        guard var authentication: Authentication = record.authentication else { return .waiting }
        switch authentication.stage {
        case .challenge(let challenge) where !challenge.isReturned:
            let form: BrowserForm? = try? authentication.beginChallenge(
                window: window ?? .fullPage, at: authenticate.clock.now)
            return form.map(Step.challenge) ?? .waiting
        case .decoupled: return .decoupled
        case .created, .methodEnded, .asked, .challenge, .done: return .waiting
        }
    }

    /// Begins the issuer's script where it has one and it has not run; else asks the issuer.
    /// - Returns: `nil` once something has changed that is to be looked at anew.
    private func begin(
        _ page: AuthenticationPageRecord, _ payment: PaymentRecord, _ browser: CardholderBrowser
    ) async throws -> Step? {
        guard let card: EnrolledCard = try await authenticate.enrolled(payment) else {
            if try await authenticate.goOn(without: payment) == nil { try await authenticate.refuse(payment) }
            return nil
        }
        let terms: AuthenticationTerms = try authenticate.terms(payment, card)
        guard card.range.methodURL != nil else {
            try await authenticate.ask(Authentication(terms: terms, range: card.range), payment, card, browser)
            return nil
        }
        let now: Instant = authenticate.clock.now
        let id: TransactionID = page.transaction ?? .new()
        let (form, end): (BrowserForm, Instant) = try Authentication(id: id, terms: terms, range: card.range)
            .methodForm(notificationURL: methodURL, at: now)
        let begun: AuthenticationPageRecord? = try await authenticate.pool.transactionRetrying { db in
            try AuthenticationPages.beginMethod(page.code, id, until: end, in: db)
        }
        guard let begun, let transaction: TransactionID = begun.transaction, let until: Instant = begun.methodUntil
        else { return nil }
        if !begun.hasMethodReported, now < until {
            guard transaction == id else { return .waiting }
            return .method(form, until: until)
        }
        var authentication = Authentication(id: transaction, terms: terms, range: card.range)
        try authentication.resumeMethod(begun.hasMethodReported ? .completed : .notCompleted)
        try await authenticate.ask(authentication, payment, card, browser)
        return nil
    }
}

extension CardholderBrowser {
    /// The largest frame of the protocol's that fits the screen.
    fileprivate var challengeWindow: ChallengeWindow {
        guard let script: Script else { return .fullPage }
        return script.screenWidth >= 560 ? .width500height600 : .width390height400
    }
}
