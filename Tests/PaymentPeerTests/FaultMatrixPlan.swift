import BillingCore
import TestKit

/// One thing that goes wrong at the double.
struct MatrixFault: Sendable {
    static let kinds: [String] = [
        "429", "500_before", "500_after", "503", "reset_before", "reset_after", "timeout_before", "timeout_after",
        "slow",
        "malformed", "html",
    ]

    let kind: String
    let times: Int
    let method: String?
}

/// What a payment is made of, and what happens to it.
struct MatrixStory: Sendable {
    /// How its customer finishes what the provider's page asks.
    enum Customer: CaseIterable { case pays, fails, leaves }
    /// How an authorization ends.
    enum End: CaseIterable { case captured, canceled, left }

    let index: Int
    /// Which of the provider's kept methods, or the page.
    let method: Int
    let isManual: Bool
    /// Nobody is there: an invoice is collected from the method that the customer keeps.
    let isRenewal: Bool
    /// How often an invoice that was not paid is collected again.
    let collections: Int
    /// Fraud says something; otherwise the sweeper decides for it.
    let isAssessed: Bool
    let minor: Int64
    let faults: [MatrixFault]
    let customer: Customer
    /// Parts that are captured, in percent.
    let parts: [Int64]
    let end: End
    /// Parts that are given back, in percent.
    let refunds: [Int64]
    /// A part is given back on the provider's own pages.
    let isRefundedElsewhere: Bool
    /// The customer objects at their bank: before anything is given back, or after.
    let objection: MatrixObjection?
    let isObjectionFirst: Bool
    /// How many callers send each request under the same key at once.
    let twins: Int
    /// Draws between daemons.
    let daemons: [Int]

    static func draw(_ index: Int, _ random: inout Seeded) -> MatrixStory {
        let faults: [MatrixFault] = (0..<Int.random(in: 0...2, using: &random)).map { _ in
            let kind: Int = Int.random(in: 0..<MatrixFault.kinds.count, using: &random)
            let method: Int = Int.random(in: 0...3, using: &random)
            return MatrixFault(
                kind: MatrixFault.kinds[kind], times: Int.random(in: 1...5, using: &random),
                method: method == 0 ? "GET" : method == 1 ? nil : "POST")
        }
        let customers: [Customer] = [.pays, .pays, .pays, .fails, .leaves]
        let ends: [End] = [.captured, .captured, .captured, .canceled, .left]
        return MatrixStory(
            index: index, method: Int.random(in: 0..<1_000, using: &random), isManual: Bool.random(using: &random),
            isRenewal: Int.random(in: 0..<3, using: &random) == 0, collections: Int.random(in: 0...2, using: &random),
            isAssessed: Int.random(in: 0..<4, using: &random) > 0,
            minor: Int64.random(in: 1_000...90_000, using: &random), faults: faults,
            customer: customers[Int.random(in: 0..<5, using: &random)],
            parts: (0..<Int.random(in: 0...2, using: &random)).map { _ in Int64.random(in: 5...40, using: &random) },
            end: ends[Int.random(in: 0..<5, using: &random)],
            refunds: (0..<Int.random(in: 0...2, using: &random)).map { _ in Int64.random(in: 5...30, using: &random) },
            isRefundedElsewhere: Int.random(in: 0..<6, using: &random) == 0,
            objection: Int.random(in: 0..<4, using: &random) == 0 ? MatrixObjection.draw(&random) : nil,
            isObjectionFirst: Bool.random(using: &random),
            twins: Int.random(in: 1...2, using: &random),
            daemons: (0..<8).map { _ in Int.random(in: 0...1, using: &random) })
    }
}

/// A method that the double offers for stories.
struct MatrixMethod: Sendable {
    /// What is sent to keep it; `nil` for one that is used on a page.
    let kept: (type: String, token: String)?
    let page: String?
    let currency: Currency
    let canBeManual: Bool

    static func kept(_ token: String, type: String = "card", _ currency: Currency = .usd, manual: Bool = true) -> Self {
        MatrixMethod(kept: (type, token), page: nil, currency: currency, canBeManual: manual)
    }

    static func page(_ type: String, _ currency: Currency) -> Self {
        MatrixMethod(kept: nil, page: type, currency: currency, canBeManual: true)
    }
}
