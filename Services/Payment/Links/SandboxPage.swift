package import BillingCore
package import HTTPKit
import JSON

/// The page that stands in the place of a wallet's, a bank's or a lender's in sandbox mode.
package struct SandboxPage: Sendable {
    /// What the customer is there for.
    package struct Charge: Sendable {
        let reference: String
        let method: String
        let amount: Money
        let returnURL: String?
        let isWaiting: Bool

        /// - Parameters:
        ///   - reference: What the sandbox knows it by; it is the end of the page's address.
        ///   - method: `klarna`, `ideal`.
        ///   - returnURL: Where the customer goes from there.
        ///   - isWaiting: Whether there still is something to choose.
        package init(reference: String, method: String, amount: Money, returnURL: String?, isWaiting: Bool) {
            self.reference = reference
            self.method = method
            self.amount = amount
            self.returnURL = returnURL
            self.isWaiting = isWaiting
        }
    }

    private let shell: AuthenticationPageShell

    /// - Throws: ``PageAssets/Missing`` when the page's files are not there.
    package init(assets: PageAssets) throws {
        shell = try AuthenticationPageShell(assets: assets)
    }

    /// The page of a charge; one that says so where there is none.
    package func reply(_ charge: Charge?) -> PageReply {
        var members: [JSONMember] = shell.members
        if let charge {
            members += [
                JSONMember(name: "reference", value: .string(charge.reference)),
                JSONMember(name: "method", value: .string(charge.method)),
                JSONMember(name: "amount", value: .string(String(charge.amount.minor))),
                JSONMember(name: "currency", value: .string(charge.amount.currency.code)),
                JSONMember(name: "exponent", value: .number(String(charge.amount.currency.exponent))),
                JSONMember(name: "is_waiting", value: .bool(charge.isWaiting)),
                JSONMember(name: "return_url", value: charge.returnURL.map { .string($0) } ?? .null),
            ]
        }
        return shell.reply(charge == nil ? 404 : 200, "sandbox.js", .object(members), PageHeaders.ofReturn)
    }
}
