import BillingCore
package import Crypto
import JSON
package import PaymentContract
import PaymentDomain

/// Seals what a charge needs of a wallet's card while it waits for the charge: AES-256-GCM under a key that is not in the
/// database, bound to the payment method, so that a sealed credential moved to another row does not open.
package struct CredentialSeal: Sendable, CustomStringConvertible, CustomReflectable {
    /// Bytes that this key did not seal for this method.
    package struct Broken: Error {}

    private let key: SymmetricKey

    /// - Parameter key: Of 256 bits.
    package init(key: SymmetricKey) { self.key = key }

    /// Seals a card for a payment method.
    package func seal(_ card: WalletCard, for method: String) throws -> [UInt8] {
        var members: [JSONMember] = [
            JSONMember(name: "number", value: .string(card.number.digits)),
            JSONMember(name: "exp_month", value: .number(String(card.expMonth))),
            JSONMember(name: "exp_year", value: .number(String(card.expYear))),
        ]
        if let wallet: Wallet = card.wallet {
            members.append(JSONMember(name: "wallet", value: .string(wallet.rawValue)))
        }
        if let cryptogram: String = card.cryptogram {
            members.append(JSONMember(name: "cryptogram", value: .string(cryptogram)))
        }
        if let eci: String = card.eci { members.append(JSONMember(name: "eci", value: .string(eci))) }
        return try seal(JSONValue.object(members).serialized, as: method)
    }

    /// Seals bytes for the one purpose of this name.
    package func seal(_ bytes: [UInt8], as name: String) throws -> [UInt8] {
        let box = try AES.GCM.seal(bytes, using: key, authenticating: Array(name.utf8))
        guard let combined = box.combined else { throw Broken() }
        return Array(combined)
    }

    /// Opens bytes that were sealed for the purpose of this name.
    /// - Throws: ``Broken``.
    package func open(_ sealed: [UInt8], as name: String) throws(Broken) -> [UInt8] {
        do {
            return Array(
                try AES.GCM.open(try AES.GCM.SealedBox(combined: sealed), using: key, authenticating: Array(name.utf8)))
        } catch {
            throw Broken()
        }
    }

    /// Opens what was sealed for a payment method.
    /// - Throws: ``Broken``.
    package func open(_ sealed: [UInt8], for method: String) throws(Broken) -> WalletCard {
        do {
            let json = try parseJSON(try open(sealed, as: method))
            guard let number = json["number"]?.stringValue.flatMap({ CardNumber($0) }),
                let month = json["exp_month"]?.intValue, let year = json["exp_year"]?.intValue
            else { throw Broken() }
            return WalletCard(
                wallet: json["wallet"]?.stringValue.flatMap(Wallet.init), number: number, expMonth: Int(month),
                expYear: Int(year), cryptogram: json["cryptogram"]?.stringValue, eci: json["eci"]?.stringValue)
        } catch {
            throw Broken()
        }
    }

    /// Names nothing but the type.
    package var description: String { "CredentialSeal" }
    /// Shows no key.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
