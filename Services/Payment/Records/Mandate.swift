package import BillingCore
package import Postgres

/// What a customer agreed to when a method was kept: that it may be charged without them.
package struct Mandate: Sendable, Equatable {
    /// How they agreed.
    package enum Kind: String, Sendable, CaseIterable {
        /// On a page, from an address and with a browser that are known.
        case online
        /// On paper, by telephone: the caller has the proof.
        case offline
    }

    /// What charges refer to it by: `mdt_…`.
    package let id: String
    package let type: Kind
    package let acceptedAt: Instant
    /// Where they agreed from.
    package let ip: String?
    /// With what.
    package let userAgent: String?
    /// When it ended, with its method; `nil` while it is in force.
    package let endedAt: Instant?

    package static let columns: SQL = """
        mandate_id, mandate_type, mandate_accepted_at, mandate_ip, mandate_agent, mandate_ended_at
        """

    package init(
        id: String, type: Kind, acceptedAt: Instant, ip: String?, userAgent: String?, endedAt: Instant? = nil
    ) {
        self.id = id
        self.type = type
        self.acceptedAt = acceptedAt
        self.ip = ip
        self.userAgent = userAgent
        self.endedAt = endedAt
    }

    /// The one of a method that is kept; its reference is the method's, so that a repeat makes the same.
    package init(
        of method: PaymentMethodID, type: Kind, acceptedAt: Instant, ip: String?, userAgent: String?
    ) {
        self.init(
            id: "mdt_\(method.rawValue.dropFirst(PaymentMethodID.prefix.count + 1))", type: type,
            acceptedAt: acceptedAt, ip: ip, userAgent: userAgent)
    }

    /// `nil` where the customer agreed to nothing.
    package init?(row: inout PostgresRow) throws {
        let id: String? = try row.next()
        let type: String? = try row.next()
        let acceptedAt: Instant? = try row.next()
        let ip: String? = try row.next()
        let userAgent: String? = try row.next()
        let endedAt: Instant? = try row.next()
        guard let id, let acceptedAt else { return nil }
        self.init(
            id: id, type: type.flatMap(Kind.init) ?? .offline, acceptedAt: acceptedAt, ip: ip, userAgent: userAgent,
            endedAt: endedAt)
    }
}
