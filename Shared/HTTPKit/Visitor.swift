import Glibc

/// Whom an address stands for where callers without a key are counted.
package enum Visitor {
    /// IPv4 by itself, however it is written; of IPv6 the first 64 bits: whoever has one address there has all of them.
    package static func of(_ address: String) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address.prefix { $0 != "%" }.description, &bytes) == 1 else { return address }
        // ::ffff:a.b.c.d
        let isMapped: Bool = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        if isMapped { return bytes[12...].map { String($0) }.joined(separator: ".") }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}
