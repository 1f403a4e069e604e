/// One row of the table of reasons for declines.
public struct DeclineReason: Hashable, Sendable {
    /// Our code.
    public let code: String
    /// What it means for the next attempt; ``Decline/Class/unknown`` for a reason that tells nothing.
    public let declineClass: Decline.Class
    /// When the same card may be tried again.
    public let retry: RetryRule
    /// What the merchant can do, in one sentence.
    public let advice: String
    /// A sentence for the payer.
    public let message: String

    /// The row for codes without a row.
    public static let unknown = DeclineReason(
        "unknown", .unknown, .after(.seconds(86_400)), "The code is not in the table: look at the provider's own.",
        "The charge was declined.")

    /// Every row, in the order of the classes.
    public static let all: [DeclineReason] = hard + soft + fraud + action + [unknown]

    package static let table: [String: DeclineReason] = Dictionary(all.map { ($0.code, $0) }) { first, _ in first }

    init(
        _ code: String, _ declineClass: Decline.Class, _ retry: RetryRule, _ advice: String,
        _ message: String = "The charge was declined."
    ) {
        self.code = code
        self.declineClass = declineClass
        self.retry = retry
        self.advice = advice
        self.message = message
    }
}

/// Whether the same card may be charged again after a decline, and when at the earliest.
public enum RetryRule: Hashable, Sendable {
    /// Never.
    case never
    /// Once the customer or the merchant has put something right; waiting alone changes nothing.
    case onceCorrected
    /// After this long, counted from the decline.
    case after(Duration)

    /// The stricter of two: never, then once corrected, then the longer wait.
    public func stricter(_ other: RetryRule) -> RetryRule {
        switch (self, other) {
        case (.never, _), (_, .never): .never
        case (.onceCorrected, _), (_, .onceCorrected): .onceCorrected
        case (.after(let one), .after(let another)): .after(max(one, another))
        }
    }
}
