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

    private let folder: String
    private let template: String

    /// - Throws: ``PageAssets/Missing`` when the page's files are not there.
    package init(assets: PageAssets) throws {
        guard let template: String = assets.authentication else {
            throw PageAssets.Missing(description: "the sandbox's page has no template")
        }
        folder = "/pay/assets/\(assets.version)"
        self.template = template
    }

    /// The page of a charge; one that says so where there is none.
    package func reply(_ charge: Charge?) -> PageReply {
        var members: [JSONMember] = [JSONMember(name: "assets", value: .string(folder))]
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
        let values: [String: String] = [
            "assets": folder, "script": "sandbox.js", "data": LinkPage.embedded(.object(members)),
        ]
        return PageReply(
            status: charge == nil ? 404 : 200, contentType: "text/html; charset=utf-8",
            body: Array(LinkPage.filled(template, values).utf8), headers: PageHeaders.ofReturn)
    }
}
