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
        #expect(committed.collectable == .standard && committed.policy == .standard)
    }

    /// 10 to a power.
    private static func power(_ exponent: Int) -> Int64 { (0..<max(exponent, 0)).reduce(1) { value, _ in value * 10 } }

    @Test("what can be collected is what the connectors do not refuse") func published() throws {
        let table = try String(contentsOfFile: "\(Self.root)/docs/data/provider-units.csv", encoding: .utf8)
        let rows: [[Substring]] = table.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            line.split(separator: ",", omittingEmptySubsequences: false)
        }
        #expect(
            rows.first == [
                "code", "stripe_decimals", "stripe_multiple", "stripe_minimum", "stripe_maximum", "paypal_decimals",
            ])
        var rules: [Currency: CollectableAmounts.Rule] = [:]
        for row in rows.dropFirst() {
            guard let currency = Currency(String(row[0])) else { continue }
            let (least, multiple): (Int64, Int64) = (Int64(row[3]) ?? 0, Int64(row[2]) ?? 1)
            let decimals: Int = Int(row[1]) ?? currency.exponent
            let stripe: Int64 = max(
                multiple / Self.power(decimals - currency.exponent), Self.power(currency.exponent - decimals))
            let payPal: Int64 = Self.power(currency.exponent - (Int(row[5]) ?? currency.exponent))
            rules[currency] = CollectableAmounts.Rule(least: least > 1 ? least : 0, multiple: max(stripe, payPal, 1))
        }
        for currency in Currency.all {
            #expect(CollectableAmounts.standard[currency] == rules[currency] ?? .init(), "\(currency)")
        }
        #expect(rules.values.count { $0.least > 0 } > 20 && rules.values.count { $0.multiple > 1 } > 5)
    }

    @Test("a least amount and a multiple can be changed, added and taken away; the others stay") func changed() throws {
        let collectable: CollectableAmounts = try reading(
            "subscription: {least_amounts: {USD: 100, KWD: 155, EUR: 0}, amount_multiples: {HUF: 1, CHF: 5}}"
        ).collectable
        let codes: [String] = ["USD", "KWD", "EUR", "GBP", "BHD", "HUF", "CHF"]
        let rules: [CollectableAmounts.Rule] = codes.compactMap { Currency($0) }.map { collectable[$0] }
        #expect(rules.map(\.least) == [100, 160, 0, 30, 0, 17_500, 50])
        #expect(rules.map(\.multiple) == [1, 10, 1, 1, 10, 1, 5])
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

    @Test("a multiple is one or more") func refusedMultiple() throws {
        let error = #expect(throws: SubscriptionSettings.Invalid.self) {
            try reading("subscription: {amount_multiples: {KWD: 0}}")
        }
        #expect(
            error?.faults == [
                "subscription.amount_multiples.KWD must be minor units of a currency, 1 or more, such as KWD: 10"
            ])
    }

    @Test("all faults are told at once") func faults() {
        let error = #expect(throws: SubscriptionSettings.Invalid.self) {
            try reading(
                "subscription: {scheduler_workers: 0, dunning_retry_days: [3, 1], least_amounts: {USD: x, FOO: 1}}")
        }
        #expect(error?.faults.count == 4)
    }
}
