import BillingCore
import Postgres

/// Identifies an import of settlement lines (`rcn_…`).
package struct ReconciliationRunID: TypedID, PostgresCodable {
    package static let prefix = "rcn"
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a difference between a provider's account and our books (`rcc_…`).
package struct ReconciliationCaseID: TypedID, PostgresCodable {
    package static let prefix = "rcc"
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
}
