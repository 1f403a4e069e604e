import BillingCore
import JSON
import PaymentRecords

/// How a customer agreed to be charged without being there.
struct AcceptanceInput: JSONInput {
    let type: Mandate.Kind
    /// As far as it is given; both are, of what is agreed online.
    let ipAddress: String?
    let userAgent: String?

    init(_ f: inout InputFields) {
        type = f.enumeration(
            "type", of: Mandate.Kind.self, default: .online,
            doc: "offline: on paper or by telephone, you have the proof")
        ipAddress = f.optionalIPAddress("ip_address", doc: "The customer's address; needed online")
        userAgent = f.optionalString("user_agent", min: 1, max: 500, doc: "The customer's browser; needed online")
        guard !f.isDescribing else { return }
        guard type == .online else { return }
        for (name, value) in [("ip_address", ipAddress), ("user_agent", userAgent)] where value == nil {
            f.refuse(name, code: FaultCode.required, message: "is needed of what was agreed online")
        }
    }

    /// What is kept of it with a method.
    func mandate(of method: PaymentMethodID, at now: Instant) -> Mandate {
        Mandate(of: method, type: type, acceptedAt: now, ip: ipAddress, userAgent: userAgent)
    }
}
