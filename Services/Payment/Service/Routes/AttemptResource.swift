import BillingCore
import JSON
import PaymentDomain
import PaymentRecords

/// An attempt at a payment as callers see it.
struct AttemptResource: JSONOutput {
    let attempt: AttemptRecord

    init(_ attempt: AttemptRecord) { self.attempt = attempt }

    func write(to o: inout ObjectWriter) {
        o.field("object", "payment_attempt")
        o.field("id", attempt.id, doc: "Also the key under which the provider was asked")
        o.field("payment_id", attempt.paymentID)
        o.field(
            "number", attempt.number,
            doc: "From 1 on; one is missing where its charge came late and is a payment of its own")
        o.field("status", attempt.status)
        o.field("payment_method_id", attempt.paymentMethodID)
        o.field("provider", attempt.provider, doc: "Who was asked; none where there was no method to charge")
        o.field(
            "provider_reference", attempt.providerReference,
            doc: "What the provider calls the charge; null where it has told nothing")
        o.field(
            "failure", attempt.decline.map { FailureResource(decline: $0, retryAt: attempt.retryAt) },
            doc: "Null unless it failed")
        o.field("provider_code", attempt.providerCode, doc: "The provider's own word for a decline")
        o.field("network_code", attempt.networkCode, doc: "The network's, where the provider passes it on")
        o.field("network_advice_code", attempt.adviceCode, doc: "The network's advice beside a decline, as it came")
        o.field("cascade_of", attempt.cascadeOf, doc: "The attempt that it follows at once, without a new assessment")
        o.field(
            "routing", attempt.routing.flatMap(AttemptRoutingResource.init(stored:)),
            doc:
                "Why this provider was asked; null where there were no rules: the method's own was, and nothing else tried"
        )
        o.field("started_at", attempt.startedAt)
        let isOpen: Bool = attempt.status == .started || attempt.status == .requiresAction
        o.field(
            "ended_at", isOpen ? nil : attempt.endedAt,
            doc: "Of a held one, when it was held or captured last; null while it is open")
    }

    static var sample: Self { Self(.sample) }
}

/// Why an attempt went where it went, as it is stored.
struct AttemptRoutingResource: JSONOutput {
    let json: JSONValue

    /// `nil` for what is no JSON; the column only ever holds what routing wrote.
    init?(stored text: String) {
        guard let json: JSONValue = try? parseJSON(text) else { return nil }
        self.init(json: json)
    }

    private init(json: JSONValue) { self.json = json }

    func write(to o: inout ObjectWriter) {
        let version: Int64 = json["version"]?.intValue ?? 0
        let cascade: [String] = (json["cascade"]?.arrayValue ?? []).compactMap(\.stringValue)
        let candidates: [JSONValue] = json["candidates"]?.arrayValue ?? []
        o.field("version", version, doc: "Of the routing rules")
        o.field("cascade", cascade, doc: "Providers in the order in which they are tried")
        o.field("ordered_by", json["ordered_by"]?.stringValue, doc: "The rule that set the order; null for the rest")
        o.field("candidates", candidates.map(AttemptCandidateResource.init))
        o.field("stopped", json["stopped"]?.stringValue, doc: "Why no other provider was tried after it; for people")
    }

    static var sample: Self {
        Self(json: [
            "version": 3, "cascade": ["sandbox_b"],
            "candidates": [
                ["provider": "sandbox_b", "verdict": "chosen", "place": 1, "reason": "listed at place 1"]
            ],
        ])
    }
}

/// What became of one provider when an attempt was routed.
struct AttemptCandidateResource: JSONOutput {
    let json: JSONValue

    func write(to o: inout ObjectWriter) {
        let provider: String = json["provider"]?.stringValue ?? ""
        let verdict: String = json["verdict"]?.stringValue ?? ""
        let reason: String = json["reason"]?.stringValue ?? ""
        o.field("provider", provider)
        o.field("verdict", verdict, doc: "chosen, spare, filtered, lacks, circuit_open or down")
        o.field("place", json["place"]?.intValue, doc: "1 is tried first")
        o.field("reason", reason, doc: "For people")
    }

    static var sample: Self {
        Self(json: ["provider": "sandbox_b", "verdict": "chosen", "place": 1, "reason": "listed at place 1"])
    }
}
