import BillingCore
import JSON
import Postgres
import SubscriptionDomain

extension SubscriptionStatus: PostgresCodable {}
extension BillingReason: PostgresCodable {}
extension BillingStatus: PostgresCodable {}
extension DeclineClass: PostgresCodable {}

/// Why a stored row cannot be read back: a fault of ours, never of the caller.
enum StoredValueFault: Error, Equatable {
    case unknownZone(String)
    case unreadableLines
    case unreadableMetadata
    case incompleteOrigin
}

/// The columns of a plan, read in one order everywhere: id, name, amount, currency, interval, count, trial days.
enum PlanColumns {
    static func read(_ row: inout PostgresRow) throws -> Plan {
        let id: PlanID = try row.next()
        return try read(&row, id: id)
    }

    /// Reads the columns of an outer join; `nil` when there is no plan.
    static func readOptional(_ row: inout PostgresRow) throws -> Plan? {
        guard let id: PlanID = try row.next() else {
            for _ in 0..<6 { row.skip() }
            return nil
        }
        return try read(&row, id: id)
    }

    private static func read(_ row: inout PostgresRow, id: PlanID) throws -> Plan {
        let name: String = try row.next()
        let amount: Int64 = try row.next()
        let currency: Currency = try row.next()
        let interval: String = try row.next()
        let count: Int = try row.next()
        let trialDays: Int = try row.next()
        guard let unit = BillingInterval(rawValue: interval) else {
            throw PostgresError(kind: .decoding, code: "22P02", message: "not a billing interval")
        }
        return Plan(
            id: id, name: name, price: Money(minor: amount, currency: currency),
            rule: BillingPeriodRule(interval: unit, count: count), trialDays: trialDays)
    }
}

/// `metadata` as it is kept: a JSON object of strings.
enum MetadataColumn {
    static func encode(_ metadata: [String: String]) -> String {
        let members: [JSONMember] = metadata.sorted { $0.key < $1.key }.map { pair in
            JSONMember(name: pair.key, value: .string(pair.value))
        }
        return String(decoding: JSONValue.object(members).serialized, as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [String: String] {
        if text == "{}" { return [:] }
        guard case .object(let members) = try parseJSON(text) else { throw StoredValueFault.unreadableMetadata }
        var metadata: [String: String] = [:]
        for member in members { metadata[member.name] = member.value.stringValue }
        return metadata
    }
}

/// A billing's lines as they are kept: a JSON array, written once.
enum LinesColumn {
    static func encode(_ lines: [BillingLine]) -> String {
        var json = JSONWriter(capacity: 160 * lines.count)
        json.beginArray()
        for line in lines {
            json.beginObject()
            json.key("description")
            json.string(line.description)
            json.key("amount")
            json.int(line.amount)
            json.key("start")
            json.int(line.periodStart.microseconds)
            json.key("end")
            json.int(line.periodEnd.microseconds)
            json.key("proration")
            json.bool(line.proration)
            json.endObject()
        }
        json.endArray()
        return String(decoding: json.bytes, as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [BillingLine] {
        guard case .array(let items) = try parseJSON(text) else { throw StoredValueFault.unreadableLines }
        return try items.map { item in
            guard let description = item["description"]?.stringValue, let amount = item["amount"]?.intValue,
                let start = item["start"]?.intValue, let end = item["end"]?.intValue,
                let proration = item["proration"]?.boolValue
            else { throw StoredValueFault.unreadableLines }
            return BillingLine(
                description: description, amount: amount, periodStart: Instant(microseconds: start),
                periodEnd: Instant(microseconds: end), proration: proration)
        }
    }
}
