import BillingCore

/// Why a payment URI cannot be read.
package enum PaymentURIFault: Error, Equatable, Sendable {
    /// Not of this scheme, or not put together as it says.
    case malformed
    /// An amount that is no number, has too many decimals or is too large.
    case amount
    /// An address that is none.
    case address
    /// It demands something that is not known here.
    case unknownRequirement
    /// The same thing said twice.
    case repeated
}

/// A request to pay bitcoin (BIP-21): `bitcoin:bc1q…?amount=0.015&label=Shop`.
package struct BitcoinURI: Hashable, Sendable, CustomStringConvertible {
    private static let scheme = "bitcoin:"
    private static let decimals = 8

    /// The address as it is written. Reading does not judge it, because the network is not part of the URI; ask
    /// ``BitcoinAddress/init(parsing:network:)``.
    package let address: String
    /// How much, in satoshi.
    package let amount: BaseUnits?
    /// Who is paid.
    package let label: String?
    /// What for.
    package let message: String?

    /// A request for an amount on an address.
    package init(address: BitcoinAddress, amount: BaseUnits?, label: String? = nil, message: String? = nil) {
        self.address = address.text
        self.amount = amount
        self.label = label
        self.message = message
    }

    /// Reads a URI. Parameters that are not known are left out, unless the URI demands them.
    /// - Throws: ``PaymentURIFault``.
    package init(parsing text: String) throws(PaymentURIFault) {
        guard text.prefix(Self.scheme.count).lowercased() == Self.scheme else { throw .malformed }
        let parts = text.dropFirst(Self.scheme.count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, !address.isEmpty,
            address.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) })
        else { throw .address }
        guard let parameters = PercentText.parameters(parts.count == 2 ? parts[1] : "") else { throw .malformed }
        var known: [String: String] = [:]
        for (name, value) in parameters {
            guard !name.hasPrefix("req-") else { throw .unknownRequirement }
            guard ["amount", "label", "message"].contains(name) else { continue }
            guard known.updateValue(value, forKey: name) == nil else { throw .repeated }
        }
        self.address = String(address)
        amount = try known["amount"].map { (text) throws(PaymentURIFault) in try Self.amount(text) }
        label = known["label"]
        message = known["message"]
    }

    /// The URI.
    package var description: String {
        var parameters: [String] = []
        if let amount { parameters.append("amount=" + amount.coins(decimals: Self.decimals)) }
        if let label { parameters.append("label=" + PercentText.encode(label)) }
        if let message { parameters.append("message=" + PercentText.encode(message)) }
        let query: String = parameters.joined(separator: "&")
        return Self.scheme + address + (query.isEmpty ? "" : "?" + query)
    }

    /// The grammar allows digits to be missing on one side of the point; that is read as zero.
    private static func amount(_ text: String) throws(PaymentURIFault) -> BaseUnits {
        var text: String = text.hasPrefix(".") ? "0" + text : text
        if text.hasSuffix("."), text != "0." { text.removeLast() }
        do throws(MoneyError) {
            return try BaseUnits(coins: text, decimals: decimals)
        } catch {
            throw .amount
        }
    }
}
