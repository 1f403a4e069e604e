package import BillingCore
import Crypto

/// A secret that a provider signs its deliveries with. It never prints.
package struct WebhookSecret: Sendable, CustomStringConvertible, CustomReflectable {
    private let key: SymmetricKey

    /// Takes over a secret as the provider shows it, prefix included.
    /// - Returns: `nil` below 16 bytes, where it could be guessed.
    package init?(_ text: String) {
        guard text.utf8.count >= 16 else { return nil }
        key = SymmetricKey(data: Array(text.utf8))
    }

    /// Shows nothing.
    package var description: String { "<redacted>" }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }

    /// HMAC-SHA256 over `time.body`.
    func code(time: String, body: [UInt8]) -> HMAC<SHA256>.MAC {
        var hash = HMAC<SHA256>(key: key)
        hash.update(data: Array(time.utf8))
        hash.update(data: [UInt8(ascii: ".")])
        hash.update(data: body)
        return hash.finalize()
    }

    /// The signature header of a delivery: `t=1700000000,v1=…`. The sandbox signs with it.
    package func signature(of body: [UInt8], at now: Instant) -> String {
        let time = String(now.seconds)
        let digits: String = code(time: time, body: body).map(Self.hexadecimal).joined()
        return "t=\(time),v1=\(digits)"
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
