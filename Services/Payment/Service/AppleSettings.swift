import Foundation
import PaymentAuthentication
package import ServiceKit

/// Apple Pay on payment pages, out of the environment: `APPLE_PAY_IDENTITY_CERTIFICATE_PATH` and
/// `APPLE_PAY_IDENTITY_KEY_PATH` name files with the merchant identity certificate and its key in PEM, which need
/// `APPLE_PAY_MERCHANT_ID` and `APPLE_PAY_KEYS_PATH`; `APPLE_PAY_DOMAIN_ASSOCIATION_PATH` names the file that Apple gives for
/// the pages' domain.
package struct AppleSettings: Sendable {
    /// Apple's file has about 9 KB.
    private static let maxAssociationBytes = 64 << 10

    /// Who asks Apple for sessions; `nil`: no page offers Apple Pay.
    package let merchant: AppleMerchantClient?
    /// What is served as proof that the domain is ours.
    package let association: [UInt8]?

    /// - Throws: `ServiceConfiguration.Invalid` naming everything that is missing or unusable, never a key.
    package init(_ environment: [String: String]) throws(ServiceConfiguration.Invalid) {
        var faults: [String] = []
        func text(_ name: String) -> String? { WalletConfiguration.text(name, environment) }
        func file(_ name: String) -> String? {
            do { return try WalletConfiguration.file(name, environment) } catch {
                faults += error.faults
                return nil
            }
        }
        let (certificateName, keyName) = ("APPLE_PAY_IDENTITY_CERTIFICATE_PATH", "APPLE_PAY_IDENTITY_KEY_PATH")
        let wanted: [String] = [certificateName, keyName, "APPLE_PAY_MERCHANT_ID", "APPLE_PAY_KEYS_PATH"]
        let isWanted: Bool = text(certificateName) != nil || text(keyName) != nil
        if isWanted {
            faults += wanted.filter { text($0) == nil }.map { "Apple Pay on payment pages needs \($0)" }
        }
        let merchantID: String? = text("APPLE_PAY_MERCHANT_ID")
        if let merchantID, !Self.isIdentifier(merchantID) {
            faults.append("APPLE_PAY_MERCHANT_ID must be 1 to 255 visible characters, such as merchant.com.example")
        }
        let (certificate, key): (String?, String?) = (file(certificateName), file(keyName))
        association = file("APPLE_PAY_DOMAIN_ASSOCIATION_PATH").map { Array($0.utf8) }
        if let association, !(1...Self.maxAssociationBytes).contains(association.count) {
            faults.append(
                "APPLE_PAY_DOMAIN_ASSOCIATION_PATH must name a file of 1 to \(Self.maxAssociationBytes) bytes")
        }
        var merchant: AppleMerchantClient?
        if isWanted, faults.isEmpty, let certificate, let key, let merchantID {
            do {
                merchant = try AppleMerchantClient(identifier: merchantID, certificate: certificate, key: key)
            } catch {
                // What the library says of it could hold a part of the key.
                faults.append("\(certificateName) and \(keyName) must name a certificate and its key in PEM")
            }
        }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        self.merchant = merchant
    }

    private static func isIdentifier(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
