public import BillingCore

/// The ECB's reference rates as read from `eurofxref-daily.xml` or `eurofxref-hist.xml`.
public struct ECBFeed: Hashable, Sendable {
    /// The days, in the feed's order (the historical feed has the newest first).
    public let days: [RateDay]
    /// Codes that are no active currency, such as HRK or CYP in old days, and how many rates of each were left out.
    public let skipped: [String: Int]

    /// The largest feed taken by default, in bytes: the historical one has grown to about 10 MB since 1999.
    public static let usualLimit = 32 * 1_024 * 1_024

    /// Reads a whole feed. Nothing of a faulty feed is taken.
    ///
    /// This is no XML reader: it takes exactly the elements and attributes of the two feeds, in their order, with
    /// either quote and any white space between them. Whatever else XML allows (document types, entities, comments,
    /// CDATA, processing instructions, other encodings) is refused.
    /// - Parameters:
    ///   - bytes: The feed as fetched.
    ///   - limit: The most bytes to read.
    /// - Throws: ``ECBFeedError``.
    public init(reading bytes: [UInt8], limit: Int = ECBFeed.usualLimit) throws(ECBFeedError) {
        guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
        var reader = ECBFeedReader(bytes)
        try reader.readFeed()
        days = reader.days
        skipped = reader.skipped
    }
}

/// Why a feed is refused. Offsets count bytes from the start.
public enum ECBFeedError: Error, Hashable, Sendable {
    /// More bytes than allowed.
    case tooLarge(limit: Int)
    /// Something else stands where this was to come.
    case expected(String, at: Int)
    /// A document type, an entity, a comment or another construct that the feeds do not use.
    case forbiddenMarkup(at: Int)
    /// No day of the calendar, as `YYYY-MM-DD`.
    case invalidDate(at: Int)
    /// Not three capital letters, or the euro itself.
    case invalidCurrency(at: Int)
    /// No plain decimal, zero, negative, or of too many digits.
    case invalidRate(at: Int)
    /// A day that came before.
    case duplicateDay(CivilDate)
    /// A currency that came before on the same day.
    case duplicateCurrency(String, on: CivilDate)
    /// No day at all, or a day without a rate.
    case empty
    /// A day that is still to come: whoever wrote the feed cannot know its rates.
    case dayToCome(CivilDate)
}
