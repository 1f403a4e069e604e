/// What links and their pages are configured with.
package struct LinkSettings: Sendable {
    /// Google Pay for tokens that are decrypted here.
    package struct GooglePay: Sendable {
        package let merchantID: String
        /// The public half of the key that tokens are encrypted to, base 64.
        package let publicKey: String
        package let isTest: Bool

        package init(merchantID: String, publicKey: String, isTest: Bool) {
            self.merchantID = merchantID
            self.publicKey = publicKey
            self.isTest = isTest
        }
    }

    /// Scheme, host and port customers reach the pages under.
    package let publicURL: String
    /// Whether return addresses may lead to this machine, without TLS.
    package let isSandbox: Bool
    /// The ways to pay that the service can carry out.
    package let offered: [LinkMethod]
    /// Apple Pay needs a merchant certificate; without one the page does not offer it.
    package let applePay: (any AppleMerchant)?
    /// `nil`: the page does not offer it.
    package let googlePay: GooglePay?
    /// The QR image of a text as SVG; without it links have no image.
    package let qr: (@Sendable (String) throws -> String)?

    package init(
        publicURL: String, isSandbox: Bool, offered: [LinkMethod], applePay: (any AppleMerchant)? = nil,
        googlePay: GooglePay? = nil, qr: (@Sendable (String) throws -> String)? = nil
    ) {
        self.publicURL = publicURL.hasSuffix("/") ? String(publicURL.dropLast()) : publicURL
        self.isSandbox = isSandbox
        self.offered = offered
        self.applePay = applePay
        self.googlePay = googlePay
        self.qr = qr
    }

    /// What the page of a link offers, in the link's order.
    func methods(of link: LinkRecord) -> [LinkMethod] {
        link.methods.filter { method in
            switch method {
            case .applePay: offered.contains(method) && applePay != nil
            case .googlePay: offered.contains(method) && googlePay != nil
            default: offered.contains(method)
            }
        }
    }
}
