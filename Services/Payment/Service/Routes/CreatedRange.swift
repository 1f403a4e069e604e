import BillingCore
import HTTPKit

/// When what a list shows was made, as a request says it. It is a range of ids, which begin with their time: no index is
/// needed, and of two ranges that meet each thing lies in exactly one.
struct CreatedRange {
    /// The first moment that belongs to it; `nil` where it has no beginning.
    let from: Instant?
    /// The first moment that does not belong to it any more; `nil` where it has no end.
    let to: Instant?

    /// The query parameter for ``from``.
    static let beginning: QueryParameter = .instant(
        "created_from", doc: "Only those made then or later, to the millisecond")
    /// The query parameter for ``to``.
    static let end: QueryParameter = .instant("created_to", doc: "Only those made before then, to the millisecond")

    /// Reads both parameters.
    /// - Throws: ``Problem`` where the end is not after the beginning.
    init(_ query: QueryValues) throws {
        from = query.instant("created_from")
        to = query.instant("created_to")
        if let from, let to, from >= to {
            throw Problem.invalid("created_to", code: "out_of_range", "must be after created_from")
        }
    }
}
