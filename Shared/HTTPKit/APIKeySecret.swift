/// The text of a secret API key: `sk_<mode>_<letters and digits>`.
struct APIKeySecret {
    /// How many random characters a new key has: 40 of base 62 are 238 bits.
    static let randomLength = 40
    /// The fewest a key may have to be looked up at all: 32 of base 62 are 190 bits.
    static let minimumLength = 32
    static let maximumLength = 128

    let text: String
    let mode: String

    /// A new key out of the system's random generator.
    static func random(mode: String) -> APIKeySecret {
        precondition(mode == "sandbox" || mode == "live", "a key is for sandbox or live, not \(mode)")
        var generator = SystemRandomNumberGenerator()
        let tail = (0..<randomLength).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
        return APIKeySecret(text: "sk_\(mode)_" + String(decoding: tail, as: UTF8.self), mode: mode)
    }

    private init(text: String, mode: String) {
        self.text = text
        self.mode = mode
    }

    /// Reads what a caller sent; `nil` when it is too weak or has another form.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maximumLength + 11 else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("sk".utf8) else { return nil }
        let mode = String(Substring(parts[1]))
        guard mode == "sandbox" || mode == "live", (Self.minimumLength...Self.maximumLength).contains(parts[2].count),
            parts[2].allSatisfy({ ($0 >= 48 && $0 <= 57) || ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) })
        else { return nil }
        self.init(text: text, mode: mode)
    }

    /// What people see of it.
    var display: String { String(text.prefix("sk__".utf8.count + mode.utf8.count + 4)) }

    /// What is stored of it.
    var hash: RequestHash { RequestHash(secret: text) }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
}
