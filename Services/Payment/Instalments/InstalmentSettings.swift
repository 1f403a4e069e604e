import BillingCore
import PaymentDomain
package import ServiceKit

/// The tunables of instalment plans, `payment.instalments.*`.
package struct InstalmentSettings: Sendable, Equatable {
    /// The terms on offer, by name.
    package let products: [InstalmentProduct]
    /// Hours that a customer has to finish a first payment or a settlement.
    package let actionHours: Int

    private static let prefix = "payment.instalments."

    /// Reads them.
    /// - Throws: `ServiceConfiguration.Invalid` with everything that is wrong.
    package init(_ tunables: [String: String]) throws(ServiceConfiguration.Invalid) {
        var faults: [String] = []
        let hours: Int = tunables["\(Self.prefix)action_hours"].map { Int($0) ?? 0 } ?? 23
        if !(1...720).contains(hours) { faults.append("\(Self.prefix)action_hours must be 1 to 720") }
        actionHours = hours
        var fields: [String: [String: String]] = [:]
        let start: String = "\(Self.prefix)terms."
        for (name, value) in tunables where name.hasPrefix(start) {
            let path: [Substring] = name.dropFirst(start.count).split(separator: ".", maxSplits: 1)
            guard path.count == 2 else { continue }
            fields[String(path[0]), default: [:]][String(path[1])] = value
        }
        var products: [InstalmentProduct] = []
        for (name, values) in fields.sorted(by: { $0.key < $1.key }) {
            var reader = TermsReader(place: start + name, values: values)
            let product: InstalmentProduct = reader.product(name)
            reader.check(product)
            faults += reader.faults
            products.append(product)
        }
        guard faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: faults) }
        // The shortest first, as people are to see them.
        self.products = products.sorted { ($0.count.rawValue, $0.name) < ($1.count.rawValue, $1.name) }
    }
}

/// Reads the fields of one entry of `terms` and collects what is wrong with them.
private struct TermsReader {
    let place: String
    var values: [String: String]
    var faults: [String] = []

    mutating func product(_ name: String) -> InstalmentProduct {
        let product = InstalmentProduct(
            name: name,
            count: InstalmentCount(rawValue: int("count", default: 0, in: 3...12)) ?? refused("count", .three),
            interval: word("interval", default: .month), first: word("first", default: .atPurchase),
            downPaymentShare: decimal("down_payment_share"), annualRate: decimal("annual_rate"),
            fees: amounts("fee"), lateFees: amounts("late_fee"), lateFeeShare: decimal("late_fee_share"),
            graceDays: int("grace_days", default: 3, in: 0...60),
            defaultAfterDays: int("default_after_days", default: 60, in: 1...365), limits: limits(),
            dunning: InstalmentDunning(retryDays: retryDays()))
        for name in values.keys.sorted() { faults.append("\(place).\(name) is not a field of instalment terms") }
        return product
    }

    /// The terms make a plan at both ends of their limits.
    mutating func check(_ product: InstalmentProduct) {
        guard faults.isEmpty else { return }
        if product.defaultAfterDays <= product.graceDays {
            return faults.append("\(place).default_after_days must be more than grace_days")
        }
        if product.annualRate != nil, !product.fees.isEmpty {
            faults.append("\(place) has an annual_rate and a fee: it may have one of them")
        }
        if product.limits.isEmpty { faults.append("\(place).currencies must name at least one currency") }
        for (currency, range) in product.limits {
            for minor in [range.lowerBound, range.upperBound] {
                do {
                    _ = try product.offer(
                        for: Money(minor: minor, currency: currency), on: CivilDate(dayNumber: 20_000))
                } catch { faults.append("\(place) makes no plan for \(minor) \(currency.code)") }
            }
        }
    }

    private mutating func refused<Value>(_ name: String, _ fallback: Value) -> Value {
        faults.append("\(place).\(name) is not usable")
        return fallback
    }

    private mutating func int(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text: String = values.removeValue(forKey: name) else { return fallback }
        guard let number = Int(text), range.contains(number) else { return refused(name, fallback) }
        return number
    }

    private mutating func word<Word: RawRepresentable>(
        _ name: String, default fallback: Word
    ) -> Word where Word.RawValue == String {
        guard let text: String = values.removeValue(forKey: name) else { return fallback }
        return Word(rawValue: text) ?? refused(name, fallback)
    }

    /// A number above zero; zero is none.
    private mutating func decimal(_ name: String) -> ExactDecimal? {
        guard let text: String = values.removeValue(forKey: name) else { return nil }
        guard let number = ExactDecimal(text), !number.isNegative else { return refused(name, nil) }
        return number.isZero ? nil : number
    }

    /// Minor units by currency: `late_fee: {EUR: 500}`.
    private mutating func amounts(_ name: String) -> [Currency: Int64] {
        var amounts: [Currency: Int64] = [:]
        for (currency, text) in byCurrency(name) {
            guard let minor = Int64(text), minor > 0 else { return refused(name, [:]) }
            amounts[currency] = minor
        }
        return amounts
    }

    /// The smallest and the largest purchase: `currencies: {EUR: [3000, 150000]}`.
    private mutating func limits() -> [Currency: ClosedRange<Int64>] {
        var limits: [Currency: ClosedRange<Int64>] = [:]
        for (currency, text) in byCurrency("currencies") {
            let ends: [Int64] = text.split(separator: ",").compactMap { Int64($0.filter { $0 != " " }) }
            guard ends.count == 2, ends[0] >= 1, ends[0] <= ends[1] else { return refused("currencies", [:]) }
            limits[currency] = ends[0]...ends[1]
        }
        return limits
    }

    private mutating func byCurrency(_ name: String) -> [(Currency, String)] {
        var found: [(Currency, String)] = []
        for (field, text) in values where field.hasPrefix("\(name).") {
            values[field] = nil
            guard let currency = Currency(String(field.dropFirst(name.count + 1))) else {
                return refused(field, [])
            }
            found.append((currency, text))
        }
        return found
    }

    private mutating func retryDays() -> [Int] {
        guard let text: String = values.removeValue(forKey: "retry_days") else { return [1, 3, 5, 7] }
        let days: [Int?] = text.split(separator: ",").map { Int($0.filter { $0 != " " }) }
        let known: [Int] = days.compactMap(\.self)
        guard known.count == days.count, known.allSatisfy({ $0 > 0 }),
            zip(known, known.dropFirst()).allSatisfy({ $0 < $1 })
        else { return refused("retry_days", [1, 3, 5, 7]) }
        return known
    }
}
