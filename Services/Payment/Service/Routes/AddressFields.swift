import Glibc
import JSON

extension InputFields {
    /// An IPv4 or IPv6 address, in the forms that `inet_pton` reads; any other text is refused as `invalid_ip_address`.
    mutating func optionalIPAddress(_ name: String, doc: String) -> String? {
        let address: String? = optionalString(name, min: 2, max: 45, doc: doc)
        guard !isDescribing, let address else { return address }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) != 1, inet_pton(AF_INET6, address, &bytes) != 1 {
            refuse(name, code: "invalid_ip_address", message: "must be an IPv4 or IPv6 address")
        }
        return address
    }
}
