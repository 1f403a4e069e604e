import BillingCore
import Foundation
import PaymentDomain
import PaymentService
import ServiceKit
import Testing

@Suite("Reading what is done by risk") struct RiskSettingsTests {
    private static func faults(_ tunables: [String: String]) -> [String] {
        do {
            _ = try RiskPolicy(tunables: tunables)
            return []
        } catch let invalid as ServiceConfiguration.Invalid { return invalid.faults } catch { return ["\(error)"] }
    }

    private static func thresholds(_ review: String, _ stepUp: String, _ block: String) -> [String: String] {
        [
            "payment.fraud_thresholds.review": review, "payment.fraud_thresholds.step_up": stepUp,
            "payment.fraud_thresholds.block": block,
        ]
    }

    @Test("nothing set is the standard, and what is set takes its place") func read() throws {
        #expect(try RiskPolicy(tunables: [:]) == .standard)
        let own = try RiskPolicy(
            tunables: Self.thresholds("0.4", "0.6", "1").merging([
                "payment.fraud_high_risk": "block", "payment.fraud_review": "mark", "payment.fraud_unheld": "block",
            ]) { $1 })
        #expect(own.reviewFrom == ExactDecimal("0.4") && own.stepUpFrom == ExactDecimal("0.6"))
        #expect(own.blockFrom == .one && own.highRisk == .block && own.review == .mark)
        #expect(own.unheld == .block)
        #expect(Self.faults(Self.thresholds("0.5", "0.5", "0.5")).isEmpty, "bands may be empty")
    }

    static let malformed: [(String, String, String)] = [
        ("payment.fraud_thresholds.review", "half", "must be a decimal such as 0.75"),
        ("payment.fraud_thresholds.step_up", "", "must be a decimal such as 0.75"),
        ("payment.fraud_thresholds.block", "95 %", "must be a decimal such as 0.75"),
        ("payment.fraud_high_risk", "ask", "must be one of step_up, block"),
        ("payment.fraud_review", "later", "must be one of hold, mark"),
        ("payment.fraud_unheld", "hold", "must be one of mark, block"),
    ]

    @Test("each malformed setting is named", arguments: malformed)
    func named(path: String, value: String, sentence: String) {
        #expect(Self.faults([path: value]) == ["\(path) \(sentence)"])
    }

    @Test("all malformed settings are named at once") func together() {
        let all: [String: String] = Dictionary(Self.malformed.map { ($0.0, $0.1) }) { $1 }
        #expect(Self.faults(all) == Self.malformed.map { "\($0.0) \($0.2)" })
    }

    @Test("what a silent Fraud means is one of the words, or the service does not start") func fallback() throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("fallback-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        func policy(_ word: String) throws {
            try Data("payment:\n  fraud_fallback: \"\(word)\"\n".utf8).write(to: file)
            let configuration = try ServiceConfiguration(
                service: "payment",
                environment: [
                    "BILLING_DB_URL": "postgres://", "KAFKA_BROKERS": "localhost:1",
                    "REDIS_BILLING_URL": "redis://127.0.0.1", "REFRAIN_CONFIG": file.path,
                ])
            _ = try SweepPolicy(configuration)
        }
        for word in ["rules", "approve", "review", "block"] { #expect(throws: Never.self) { try policy(word) } }
        for word in ["Block", "decline", ""] {
            let fault: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
                try policy(word)
            }
            #expect(fault?.faults == ["payment.fraud_fallback must be one of rules, approve, review, block"])
        }
    }

    @Test(
        "thresholds out of order, or outside of 0 to 1, are told together",
        arguments: [("0", "0.75", "0.95"), ("0.8", "0.75", "0.95"), ("0.5", "0.96", "0.95"), ("0.5", "0.75", "1.01")])
    func order(review: String, stepUp: String, block: String) {
        let faults: [String] = Self.faults(Self.thresholds(review, stepUp, block))
        #expect(faults.count == 1)
        #expect(faults.first?.hasPrefix("payment.fraud_thresholds must be review (\(review)) ≤ step_up") ?? false)
    }
}
