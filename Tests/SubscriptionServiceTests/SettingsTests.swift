import BillingCore
import Foundation
import ServiceKit
import SubscriptionDomain
import SubscriptionService
import Testing

@Suite("Subscription's tunables") struct SettingsTests {
    private static let root: String = {
        let path = "/Tests/SubscriptionServiceTests/SettingsTests.swift"
        return String(#filePath.prefix(#filePath.count - path.count))
    }()

    private func read(_ file: String?) throws -> SubscriptionSettings {
        var environment: [String: String] = [
            "BILLING_DB_URL": "postgres://", "KAFKA_BROKERS": "localhost:1", "REDIS_BILLING_URL": "redis://127.0.0.1",
        ]
        environment["REFRAIN_CONFIG"] = file
        return try SubscriptionSettings(ServiceConfiguration(service: "subscription", environment: environment))
    }

    private func reading(_ yaml: String) throws -> SubscriptionSettings {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try yaml.write(to: file, atomically: true, encoding: .utf8)
        return try read(file.path)
    }

    @Test("the committed file says what holds without it") func committed() throws {
        let committed = try read("\(Self.root)/deploy/config/refrain.yaml")
        #expect(try committed == read(nil))
        #expect(committed.least == .standard && committed.policy == .standard)
    }

    @Test("the least amounts are those that the Stripe connector refuses less than") func published() throws {
        let table = try String(contentsOfFile: "\(Self.root)/docs/data/provider-units.csv", encoding: .utf8)
        let rows: [[Substring]] = table.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            line.split(separator: ",", omittingEmptySubsequences: false)
        }
        #expect(rows.first?[0] == "code" && rows.first?[3] == "stripe_minimum")
        var found = 0
        for row in rows.dropFirst() {
            guard let currency = Currency(String(row[0])), let minimum = Int64(row[3]) else { continue }
            #expect(LeastAmounts.standard[currency] == (minimum > 1 ? minimum : 0), "\(currency)")
            if minimum > 1 { found += 1 }
        }
        #expect(Currency.all.count { LeastAmounts.standard[$0] > 0 } == found && found > 20)
    }

    @Test("a least amount can be changed, added and taken away; the others stay") func changed() throws {
        let least: LeastAmounts = try reading("subscription: {least_amounts: {USD: 100, KWD: 150, EUR: 0}}").least
        let codes: [String] = ["USD", "KWD", "EUR", "GBP", "BHD"]
        #expect(codes.compactMap { Currency($0) }.map { least[$0] } == [100, 150, 0, 30, 0])
    }

    @Test(
        "what is not minor units of a currency is refused by its name",
        arguments: [
            "{USD: -1}", "{USD: 0.5}", "{USD: 9223372036854775808}", "{USD: 1000000000000000}", "{USD: fifty}",
            "{XXX: 50}", "{usd: 50}", "{USD: 50, EURO: 50}", "50", "[50, 60]",
        ])
    func refused(_ amounts: String) throws {
        let error = #expect(throws: SubscriptionSettings.Invalid.self) {
            try reading("subscription: {least_amounts: \(amounts)}")
        }
        #expect(error?.faults.count == 1 && error?.description.contains("subscription.least_amounts") == true)
    }

    @Test("all faults are told at once") func faults() {
        let error = #expect(throws: SubscriptionSettings.Invalid.self) {
            try reading(
                "subscription: {scheduler_workers: 0, dunning_retry_days: [3, 1], least_amounts: {USD: x, FOO: 1}}")
        }
        #expect(error?.faults.count == 4)
    }
}
