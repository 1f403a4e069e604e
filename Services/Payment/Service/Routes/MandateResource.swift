import BillingCore
import JSON
import PaymentRecords

/// What a customer agreed to, as callers see it.
struct MandateResource: JSONOutput {
    /// Whether it can be charged under.
    enum Standing: String, CaseIterable {
        case active, ended
    }

    let mandate: Mandate

    func write(to o: inout ObjectWriter) {
        o.field("id", mandate.id, doc: "What charges without the customer refer to")
        o.field("type", mandate.type)
        o.field("status", mandate.endedAt == nil ? Standing.active : .ended)
        o.field("accepted_at", mandate.acceptedAt)
        o.field("ip_address", mandate.ip, doc: "Where the customer agreed from")
        o.field("user_agent", mandate.userAgent, doc: "With what")
        o.field("ended_at", mandate.endedAt)
    }

    static var sample: Self {
        Self(
            mandate: Mandate(
                of: .sample, type: .online, acceptedAt: .sample, ip: "192.0.2.7", userAgent: "Mozilla/5.0"))
    }
}
