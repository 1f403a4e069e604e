import BillingCore

/// The issuer's cryptogram (CAVV, AAV): goes into one authorization, unchanged. It never prints.
package struct AuthenticationValue: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// 28 characters: base 64 of 20 bytes. Hand them to the provider only; store them sealed.
    package let base64: String

    /// Reads a value; `nil` when it is not the base 64 of 20 bytes.
    package init?(_ base64: String) {
        guard base64.utf8.count == 28, Base64.standard.decode(base64)?.count == 20 else { return nil }
        self.base64 = base64
    }

    /// Shows nothing.
    package var description: String { "<redacted>" }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
