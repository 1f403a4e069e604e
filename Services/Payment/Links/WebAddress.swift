/// An address that a page may lead to or show an image from: `https`, or `http` on this machine. Anything that a browser
/// could take for a script, another origin's credentials or more than one line is none.
package struct WebAddress: Sendable, Equatable {
    static let maxLength = 2_000

    package let text: String
    /// Scheme, host and port: `https://shop.example:8443`.
    package let origin: String
    /// Plain `http` to this machine.
    package let isLoopback: Bool

    package init?(_ text: String) {
        guard text.utf8.count <= Self.maxLength, text.utf8.allSatisfy(Self.isPlain) else { return nil }
        let secure = "https://"
        let plain = "http://"
        let isSecure: Bool = text.hasPrefix(secure)
        guard isSecure || text.hasPrefix(plain) else { return nil }
        let rest: Substring = text.dropFirst(isSecure ? secure.count : plain.count)
        let authority: Substring = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let parts: [Substring] = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2, Self.isHost(host) else { return nil }
        if parts.count == 2, UInt16(parts[1]) == nil { return nil }
        isLoopback = !isSecure
        if isLoopback, host != "localhost", host != "127.0.0.1" { return nil }
        self.text = text
        origin = (isSecure ? secure : plain) + authority.lowercased()
    }

    /// Printable ASCII that needs no escape in a header, an attribute or a URL.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\"<>\\^`{|};,'".utf8.contains(byte)
    }

    private static func isHost(_ host: Substring) -> Bool {
        let labels: [Substring] = host.split(separator: ".", omittingEmptySubsequences: false)
        return host.utf8.count <= 253 && (labels.count > 1 || host == "localhost")
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { byte in
                        (48...57).contains(byte) || (97...122).contains(byte | 0x20) || byte == 45
                    }
            }
    }
}
