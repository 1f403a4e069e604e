import BillingCore
package import PaymentChains
import Postgres

/// A standing as stored.
package struct StoredStanding: Hashable, Sendable {
    package var outcome: Standing.Outcome
    package var received: BaseUnits
    package var pending: BaseUnits
    package var late: BaseUnits
    package var applied: BaseUnits
    package var held: BaseUnits
    package var refundable: BaseUnits
    package var missing: BaseUnits

    init(row: inout PostgresRow) throws {
        outcome = try row.nextCase()
        received = try row.next()
        pending = try row.next()
        late = try row.next()
        applied = try row.next()
        held = try row.next()
        refundable = try row.next()
        missing = try row.next()
    }

    /// A standing as it was judged.
    package init(_ standing: Standing) {
        outcome = standing.outcome
        received = standing.received
        pending = standing.pending
        late = standing.late
        applied = standing.applied
        held = standing.held
        refundable = standing.refundable
        missing = standing.missing
    }

    /// Nothing has come yet.
    package init(waitingFor expected: BaseUnits) {
        outcome = .waiting
        (received, pending, late, applied, held, refundable) = (.zero, .zero, .zero, .zero, .zero, .zero)
        missing = expected
    }
}
