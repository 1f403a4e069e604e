import BillingCore

/// A request to pay ether or a token (ERC-681): `ethereum:0x…@1?value=2014000000000000000`,
/// `ethereum:<contract>@1/transfer?address=0x…&uint256=1000000`.
package struct EthereumURI: Hashable, Sendable, CustomStringConvertible {
    /// What is asked for.
    package enum Request: Hashable, Sendable {
        /// The chain's own coin to an account, in wei.
        case coin(to: EVMAddress, amount: BaseUnits?)
        /// A token of a contract to an account, in the token's smallest units.
        case token(contract: EVMAddress, to: EVMAddress, amount: BaseUnits?)
    }

    private static let scheme = "ethereum:"

    /// What is asked for.
    package let request: Request
    /// The chain; `nil` leaves it to the wallet. What is written here always names it.
    package let chainID: UInt64?

    /// A request on a chain.
    package init(_ request: Request, chainID: UInt64) {
        self.request = request
        self.chainID = chainID
    }

    /// Reads a URI with hexadecimal addresses. The checksum in an address's case is not asked for: the standard's own
    /// example has a wrong one.
    /// - Throws: ``PaymentURIFault``; ``PaymentURIFault/unknownRequirement`` for a call other than `transfer`, and
    ///   ``PaymentURIFault/address`` for names (ENS).
    package init(parsing text: String) throws(PaymentURIFault) {
        guard text.prefix(Self.scheme.count).lowercased() == Self.scheme else { throw .malformed }
        var rest: Substring = text.dropFirst(Self.scheme.count)
        if rest.hasPrefix("pay-") { rest = rest.dropFirst(4) }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let target = path[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        chainID = try target.count == 2 ? Self.chainID(target[1]) : nil
        let account: EVMAddress = try Self.address(String(target[0]))
        guard let parameters = PercentText.parameters(parts.count == 2 ? parts[1] : "") else { throw .malformed }
        var values: [String: String] = [:]
        for (name, value) in parameters {
            guard values.updateValue(value, forKey: name) == nil else { throw .repeated }
        }
        if path.count == 1 {
            request = .coin(to: account, amount: try Self.amount(values["value"]))
        } else {
            guard path[1] == "transfer" else { throw .unknownRequirement }
            guard let payee = values["address"] else { throw .address }
            request = .token(
                contract: account, to: try Self.address(payee), amount: try Self.amount(values["uint256"]))
        }
    }

    /// The URI; amounts are written without an exponent, which every wallet reads.
    package var description: String {
        let chain: String = chainID.map { "@\($0)" } ?? ""
        switch request {
        case .coin(let payee, let amount):
            return "\(Self.scheme)\(payee)\(chain)" + (amount.map { "?value=\($0)" } ?? "")
        case .token(let contract, let payee, let amount):
            let number: String = amount.map { "&uint256=\($0)" } ?? ""
            return "\(Self.scheme)\(contract)\(chain)/transfer?address=\(payee)\(number)"
        }
    }

    private static func chainID(_ text: Substring) throws(PaymentURIFault) -> UInt64 {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let number = UInt64(text) else {
            throw .malformed
        }
        return number
    }

    private static func address(_ text: String) throws(PaymentURIFault) -> EVMAddress {
        do throws(AddressFault) {
            return try EVMAddress(ignoringCaseOf: text)
        } catch {
            throw .address
        }
    }

    /// Reads `[+]digits[.digits][e[digits]]`; the value must be a whole number.
    private static func amount(_ text: String?) throws(PaymentURIFault) -> BaseUnits? {
        guard let text else { return nil }
        let unsigned: Substring = text.hasPrefix("+") ? text.dropFirst() : text[...]
        let parts = unsigned.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
        let exponent: Substring = parts.count == 2 ? parts[1] : ""
        guard exponent.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { throw .amount }
        // 2^256 has 78 digits: a larger exponent can only belong to zero or to too much.
        guard let power = exponent.isEmpty ? 0 : Int(exponent), (0...77).contains(power) else { throw .amount }
        do throws(MoneyError) {
            let number: Substring = parts[0].hasPrefix(".") ? "0" + parts[0] : parts[0]
            return try BaseUnits(coins: number, decimals: power)
        } catch {
            throw .amount
        }
    }
}
