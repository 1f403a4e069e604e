import BillingCore
import JSON
import PaymentContract
import PaymentInbound

/// What the double has in its books about one payment of ours.
struct MatrixAccount: Equatable, CustomStringConvertible {
    var captured: Int64 = 0
    var refunded: Int64 = 0
    /// Charges, or captures of one authorization.
    var takings = 0
    /// Charges that took or hold money.
    var charges = 0
    var isHeld = false
    /// Where each dispute stands, by the provider's name of it, in our words.
    var disputes: [String: String] = [:]
    /// What disputes have taken back.
    var disputed: Int64 = 0
    /// What disputes cost beside that.
    var fees: Int64 = 0

    /// What of it is with the provider.
    var balance: Int64 { captured - refunded - disputed - fees }

    var description: String {
        "captured \(captured) refunded \(refunded) takings \(takings) held \(isHeld) disputed \(disputed) "
            + "fees \(fees) \(disputes)"
    }
}

/// A double of a provider, as the fault matrix needs it.
protocol MatrixPeer: Sendable {
    var name: String { get }
    var methods: [MatrixMethod] { get }
    /// Corruptions of a webhook that must be refused.
    var forgeries: [String] { get }
    /// Whether an authorization can be captured in several parts.
    var capturesInParts: Bool { get }

    /// - Parameter patience: How long a connector waits for an answer, in milliseconds.
    func provider(_ life: MatrixLife, clock: any WallClock, patience: Int) -> any PaymentProvider
    func set(_ clocks: MatrixClocks) async throws
    /// Where its webhooks go, and how they are believed.
    func webhooks(to url: String) async throws -> WebhookSource
    func control(_ path: String, _ body: JSONValue?) async throws -> JSONValue
    func clearFaults() async throws
    /// The customer does on the provider's page what the story says.
    func finish(_ reference: String, _ customer: MatrixStory.Customer) async throws
    /// Somebody gives money back on the provider's own pages.
    func refundElsewhere(_ reference: String, _ amount: Money, key: String) async throws
    /// The customer objects at their bank.
    /// - Returns: The provider's name of the dispute; `nil` where the double knows none.
    func dispute(_ reference: String, _ amount: Money, isInquiry: Bool) async throws -> String?
    /// The bank decides a dispute.
    func decide(_ dispute: String, isWon: Bool) async throws
    /// Banks settle what they have under way.
    /// - Parameter answered: Disputes to which an answer of ours is on its way. The double would take it after the bank
    ///   has decided, which Stripe does not.
    func settleBanks(but answered: Set<String>) async throws
    /// Some refunds come back after they were made.
    func returnRefunds() async throws
    /// A day goes by at the double, after which it has forgotten keys; nothing for one whose keys live longer.
    func passDay() async throws
    func books() async throws -> [String: MatrixAccount]
    /// What it holds for us, by currency, fees taken off; `nil` where the double does not report it.
    func balances() async throws -> [String: Int64]?
    /// What the double holds against the client.
    func complaints() async throws -> [JSONValue]
}

extension MatrixPeer {
    func arm(_ fault: MatrixFault) async throws {
        var members: [JSONMember] = [
            JSONMember(name: "kind", value: .string(fault.kind)),
            JSONMember(name: "times", value: .number("\(fault.times)")),
            JSONMember(name: "path", value: "^/v[12]/(?!webhook|notifications)"),
            JSONMember(name: "ms", value: .number(fault.kind == "slow" ? "60" : "450")),
        ]
        if let method = fault.method { members.append(JSONMember(name: "method", value: .string(method))) }
        _ = try await control("faults", .object(members))
    }

    /// The provider delivers what never arrived, as it does for days.
    func deliverAgain() async throws {
        var open: [String: Bool] = [:]
        for delivery in try await control("deliveries", nil).arrayValue ?? [] {
            guard delivery["corrupt"] == "none", let event = delivery["event"]?.stringValue else { continue }
            if delivery["status"]?.intValue == 200 { open[event] = false } else { open[event] = open[event] ?? true }
        }
        for event in open.filter(\.value).keys {
            _ = try await control("webhooks/send", ["event": .string(event), "corrupt": "none"])
        }
    }
}
