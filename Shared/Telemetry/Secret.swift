/// A text that must never be printed: a key, a password, a signing secret.
///
/// Printing, interpolating, dumping or logging it gives `<redacted>`; only ``reveal()`` gives the text.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    /// Wraps a text that must stay out of logs.
    public init(_ text: String) {
        self.text = text
    }

    /// Whether the text is empty, so that configuration can refuse it without revealing it.
    public var isEmpty: Bool { text.isEmpty }

    /// Returns the text itself. Call it at the one place that uses the secret, never to print it.
    public func reveal() -> String { text }

    /// Always `<redacted>`.
    public var description: String { "<redacted>" }

    /// Always `<redacted>`.
    public var debugDescription: String { description }

    /// Shows no children, so that `dump` reveals nothing either.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
