public import BillingCore

/// When an instalment that could not be charged is tried again.
public struct InstalmentDunning: Hashable, Sendable {
    /// Days after the due day, growing, on which one that was declined softly is tried again.
    public let retryDays: [Int]

    /// Days that grow and are at least 1.
    public init(retryDays: [Int]) { self.retryDays = retryDays }

    /// Whether a provider has judged the charge. One that refuses our credentials, our request or what our account may do has
    /// not: that the instalment is not paid then is not the customer's doing.
    public static func isJudged(_ decline: Decline) -> Bool { !decline.isOfOurs }

    /// The day of the next attempt after a decline, as the terms go; the card's network may want it later.
    /// - Parameters:
    ///   - isForbidden: Whether nobody was asked, since the card's network did not allow it or no provider could be reached:
    ///     the attempt is still to be made.
    ///   - due: The instalment's day.
    ///   - day: The day of the declined attempt.
    /// - Returns: `nil` when nothing is tried until there is another method: the days are over, or waiting does not help;
    ///   and after a charge that nobody has judged, which uses up none of the days. One that was forbidden uses up none,
    ///   either: its day is the same.
    public func nextAttempt(
        after decline: Decline, isForbidden: Bool = false, due: CivilDate, on day: CivilDate
    ) -> CivilDate? {
        guard decline.declineClass == .soft, decline != .noPaymentMethod, Self.isJudged(decline) else { return nil }
        if isForbidden { return day }
        return retryDays.map { due.adding(days: $0) }.first { $0 > day }
    }
}
