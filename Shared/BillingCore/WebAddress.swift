/// An address that a browser may be sent to, or show an image from: `https`, or `http` on this machine. What a browser could
/// take for a script, for another host's user or for more than one line is none; nor is a host that it cannot read, or that
/// is neither a domain's name nor IPv4.
public struct WebAddress: Sendable, Equatable {
    /// The longest, where nothing else is said.
    public static let maxLength = 2_000

    /// The address as it was given.
    public let text: String
    /// Scheme, host and port: `https://shop.example:8443`.
    public let origin: String
    /// Plain `http` to this machine.
    public let isLoopback: Bool

    /// Reads an address; `nil` where it is none, or longer.
    /// - Parameter max: In bytes.
    public init?(_ text: String, max: Int = WebAddress.maxLength) {
        guard text.utf8.count <= max, text.utf8.allSatisfy(Self.isPlain) else { return nil }
        let secure = "https://"
        let plain = "http://"
        let isSecure: Bool = text.hasPrefix(secure)
        guard isSecure || text.hasPrefix(plain) else { return nil }
        let rest: Substring = text.dropFirst(isSecure ? secure.count : plain.count)
        let authority: Substring = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let parts: [Substring] = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2, Self.isHost(host) else { return nil }
        if parts.count == 2, !parts[1].utf8.allSatisfy(Self.isDigit) || UInt16(parts[1]) == nil { return nil }
        isLoopback = !isSecure
        if isLoopback, host != "localhost", host != "127.0.0.1" { return nil }
        self.text = text
        origin = (isSecure ? secure : plain) + authority.lowercased()
    }

    /// Printable ASCII that needs no escape in a header, an attribute or a URL.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\"<>\\^`{|}'".utf8.contains(byte)
    }

    private static func isHost(_ host: Substring) -> Bool {
        let labels: [Substring] = host.split(separator: ".", omittingEmptySubsequences: false)
        guard let last = labels.last, host.utf8.count <= 253, labels.count > 1 || host == "localhost",
            labels.allSatisfy(isLabel)
        else { return false }
        // Browsers take a host that ends in a number for IPv4, and stumble over one that is none.
        let endsInNumber: Bool = last.utf8.allSatisfy(isDigit) || last.lowercased().hasPrefix("0x")
        guard endsInNumber else { return true }
        return labels.count == 4 && labels.allSatisfy { label in UInt8(label).map { String($0) } == String(label) }
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.utf8.allSatisfy { byte in isDigit(byte) || (97...122).contains(byte | 0x20) || byte == 45 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
