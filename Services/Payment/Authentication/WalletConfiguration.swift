import BillingCore
import Foundation
import PKI
import PaymentWallets
package import ServiceKit

/// Which wallets' tokens are read here. A wallet without keys is not accepted.
///
/// `GOOGLE_PAY_KEYS_PATH` and `APPLE_PAY_KEYS_PATH` name files with private keys in PEM, the one in use first: while one
/// key takes another's place there are both. `GOOGLE_PAY_ROOT_KEYS_PATH` is Google's published document of root keys,
/// `APPLE_PAY_ROOTS_PATH` the trusted roots in PEM. Google encrypts for `GOOGLE_PAY_MERCHANT_ID`, or for
/// `GOOGLE_PAY_GATEWAY_ID` and the merchant's id there; Apple for `APPLE_PAY_MERCHANT_ID`.
package enum WalletConfiguration {
    /// Reads keys and roots.
    /// - Throws: `ServiceConfiguration.Invalid` naming what is missing or unreadable, never a key.
    package static func wallets(
        _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> ConfiguredWallets {
        ConfiguredWallets(google: try google(environment), apple: try apple(environment))
    }

    private static func google(
        _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> GooglePayDecryptor? {
        guard let keys: String = try file("GOOGLE_PAY_KEYS_PATH", environment) else { return nil }
        guard let roots: String = try file("GOOGLE_PAY_ROOT_KEYS_PATH", environment),
            let merchant: String = text("GOOGLE_PAY_MERCHANT_ID", environment)
        else { throw invalid("GOOGLE_PAY_KEYS_PATH needs GOOGLE_PAY_ROOT_KEYS_PATH and GOOGLE_PAY_MERCHANT_ID") }
        let gateway: String? = text("GOOGLE_PAY_GATEWAY_ID", environment)
        do {
            return try GooglePayDecryptor(
                roots: GooglePayRootKeys(json: Array(roots.utf8)),
                recipient: gateway.map { .gateway(id: $0, merchantID: merchant) } ?? .merchant(id: merchant),
                privateKeys: PEM.blocks(of: keys))
        } catch {
            throw invalid("Google Pay's keys cannot be used: \(error)")
        }
    }

    private static func apple(
        _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> ApplePayDecryptor? {
        guard let texts: String = try file("APPLE_PAY_KEYS_PATH", environment) else { return nil }
        guard let roots: String = try file("APPLE_PAY_ROOTS_PATH", environment),
            let merchant: String = text("APPLE_PAY_MERCHANT_ID", environment)
        else { throw invalid("APPLE_PAY_KEYS_PATH needs APPLE_PAY_ROOTS_PATH and APPLE_PAY_MERCHANT_ID") }
        do {
            let keys: [ApplePayMerchantKey] = try PEM.blocks(of: texts).map { der in
                do { return try ApplePayMerchantKey(ellipticCurve: der, merchantID: merchant) } catch {
                    return try ApplePayMerchantKey(rsa: der)  // The file may hold keys of both kinds.
                }
            }
            return try ApplePayDecryptor(roots: Certificate.reading(pem: roots), keys: keys)
        } catch {
            throw invalid("Apple Pay's keys or roots cannot be used: \(error)")
        }
    }

    /// A variable that is set.
    package static func text(_ name: String, _ environment: [String: String]) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The text of the file that a variable names.
    package static func file(
        _ name: String, _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> String? {
        guard let path: String = text(name, environment) else { return nil }
        do { return try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8) } catch {
            throw invalid("\(name) names a file that cannot be read")
        }
    }

    package static func invalid(_ fault: String) -> ServiceConfiguration.Invalid {
        ServiceConfiguration.Invalid(faults: [fault])
    }
}

/// Texts of keys (RFC 7468).
enum PEM {
    /// What stands between the lines `BEGIN` and `END`, decoded, in order; what is not base 64 is an empty key, which
    /// nothing takes.
    static func blocks(of text: String) -> [[UInt8]] {
        var blocks: [[UInt8]] = []
        var body: String?
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("-----BEGIN ") {
                body = ""
            } else if line.hasPrefix("-----END "), let whole = body {
                blocks.append(Base64.standard.decode(whole) ?? [])
                body = nil
            } else {
                body?.append(line.trimmingCharacters(in: .whitespaces))
            }
        }
        return blocks
    }
}
