/// What a caller sends to make a write safe to repeat: 1 to 255 printable ASCII characters.
public struct IdempotencyKey: Hashable, Sendable, LosslessStringConvertible {
    /// The longest key.
    public static let maxLength = 255

    /// The key as it was sent.
    public let rawValue: String

    /// Checks a key; `nil` when it is empty, too long or has other characters.
    public init?(_ description: String) {
        let bytes = description.utf8
        guard (1...Self.maxLength).contains(bytes.count), bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return nil
        }
        rawValue = description
    }

    /// The key as it was sent.
    public var description: String { rawValue }
}
