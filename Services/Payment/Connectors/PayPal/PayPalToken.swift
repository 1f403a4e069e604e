import PaymentContract

/// A method stored at PayPal, in the form the connector keeps it: `kind:id`, or a bare id for PayPal's wallet. `paypal`,
/// `venmo` and `card` name payment tokens of the vault (`vault_id`), `billing_agreement` an agreement from before the vault.
struct PayPalToken: Hashable, Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case paypal, venmo, card
        case billingAgreement = "billing_agreement"
    }

    let kind: Kind
    /// Fit for a path.
    let id: String

    /// Reads a token.
    /// - Throws: ``ProviderFault/rejected(code:)`` for anything else.
    init(_ text: String) throws(ProviderFault) {
        let parts: [Substring] = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let id = parts.last.map(String.init), Self.isVaultID(id) else {
            throw .rejected(code: "TOKEN_ID_NOT_FOUND")
        }
        guard let kind = parts.count == 2 ? Kind(rawValue: String(parts[0])) : .paypal else {
            throw .rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED")
        }
        self.kind = kind
        self.id = id
    }

    /// `vault_id`: `^[0-9a-zA-Z_-]+$`, at most 255.
    private static func isVaultID(_ text: String) -> Bool {
        guard (1...255).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            PayPalWire.isLetterOrDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
    }
}
