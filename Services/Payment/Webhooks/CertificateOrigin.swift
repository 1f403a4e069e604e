/// A server that may hand out a provider's certificates: scheme, host and port, nothing else.
package struct CertificateOrigin: Sendable, Hashable, LosslessStringConvertible {
    /// `https://api.paypal.com`.
    package let description: String

    /// PayPal's servers, live and sandbox.
    package static let payPal: [CertificateOrigin] = [
        CertificateOrigin(unchecked: "https://api.paypal.com"),
        CertificateOrigin(unchecked: "https://api.sandbox.paypal.com"),
    ]

    /// Reads an origin out of the configuration.
    /// - Returns: `nil` unless it is `https` (plain `http` on this machine only, where a double listens) with a host in
    ///   lower case, perhaps a port, and nothing after it.
    package init?(_ description: String) {
        let isPlain = description.hasPrefix("http://")
        guard isPlain || description.hasPrefix("https://"), description.utf8.count <= 255 else { return nil }
        let parts = description.dropFirst(isPlain ? 7 : 8).split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let host = parts.first, !host.isEmpty,
            host.utf8.allSatisfy(Self.isHostByte)
        else { return nil }
        if parts.count == 2 {
            guard (1...5).contains(parts[1].utf8.count), UInt16(parts[1]) != nil,
                parts[1].utf8.allSatisfy({ $0 &- 0x30 < 10 })
            else { return nil }
        }
        guard !isPlain || host == "127.0.0.1" || host == "localhost" else { return nil }
        self.description = description
    }

    private init(unchecked description: String) { self.description = description }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The DNS names to one of which a signer's certificate on this server must be issued. PayPal's sandbox has a
    /// signer of its own, who is believed there only.
    var signerNames: [String] {
        let live = "messageverificationcerts.paypal.com"
        let isSandbox: Bool = description.hasPrefix("https://") && description.hasSuffix(".sandbox.paypal.com")
        return isSandbox ? [live, "messageverificationcerts.sandbox.paypal.com"] : [live]
    }

    /// Where PayPal keeps its certificates.
    private static let path = "/v1/notifications/certs/"

    /// Whether a certificate's address is on this server and in the right place, character by character: there is no
    /// room for a user name, another port, an escape, a query or a way up.
    func holds(_ address: String) -> Bool {
        let start: [UInt8] = Array((description + Self.path).utf8)
        guard address.utf8.starts(with: start) else { return false }
        let name = address.utf8.dropFirst(start.count)
        return (1...128).contains(name.count)
            && name.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
