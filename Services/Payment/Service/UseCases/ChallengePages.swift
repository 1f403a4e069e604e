import BillingCore
import PaymentAuthentication
import PaymentContract

/// Where customers authenticate on a page of this service, for payments whose challenges are ours.
package struct ChallengePages: Sendable {
    /// Where browsers reach this service, without a slash at its end.
    let publicURL: String

    package init(publicURL: String) { self.publicURL = publicURL }

    /// Codes of new pages, for outcomes that wait for a challenge.
    func codes(for outcomes: [Outcome]) -> [AttemptID: String] {
        var codes: [AttemptID: String] = [:]
        for outcome in outcomes where outcome.nextAction == .challenge {
            codes[outcome.attempt.request.idempotencyKey] = AuthenticationPages.newCode()
        }
        return codes
    }

    /// A page's address.
    func url(of code: String) -> String { "\(publicURL)/pay/authentication/\(code)" }
}
