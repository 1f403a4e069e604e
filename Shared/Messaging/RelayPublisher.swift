import BillingCore
import Kafka
import Logging
import Postgres
import Telemetry

/// Publishes the relay's rows. One that the broker takes in no case is passed over, so that the others leave; it stays in
/// the outbox, for `outbox replay` once the limits allow it.
struct RelayPublisher: Sendable {
    private static let patience: Duration = .seconds(30)
    /// librdkafka's names of what is wrong with a record, or with how many go together. Anything else is the broker's or
    /// the settings' trouble, and nothing is passed over for it.
    private static let faultsOfRecords: Set<String> = [
        "MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD", "_BAD_MSG",
    ]

    let producer: KafkaProducer
    /// The CloudEvents source.
    let source: String
    let refused: Counter
    let logger: Logger

    /// Publishes rows in one go, and one by one where the broker refuses them: so the one is found.
    /// - Returns: Those that the broker has confirmed.
    func publish(_ rows: ArraySlice<OutboxRow>) throws(KafkaError) -> ArraySlice<OutboxRow> {
        if try send(rows) == nil { return rows }
        var sent: ArraySlice<OutboxRow> = []
        for row in rows {
            if let fault: KafkaError = try send([row]) { passOver(row, fault) } else { sent.append(row) }
        }
        return sent
    }

    /// - Returns: What is wrong with the records; `nil` when they are published.
    private func send(_ rows: ArraySlice<OutboxRow>) throws(KafkaError) -> KafkaError? {
        do throws(KafkaError) {
            try producer.publishBlocking(rows.map { $0.record(source: source) }, timeout: Self.patience)
            return nil
        } catch {
            guard error.kind == .rejected, Self.faultsOfRecords.contains(error.code) else { throw error }
            return error
        }
    }

    private func passOver(_ row: OutboxRow, _ fault: KafkaError) {
        refused.increment()
        logger.error(
            "an event is passed over: the broker takes it in no case",
            metadata: ["event": "\(row.id)", "type": "\(row.type)", "error": "\(fault)"])
    }
}

/// One event as the relay reads it.
struct OutboxRow {
    let xid: String
    let seq: Int64
    let id: String
    let type: String
    let topic: String
    let key: String
    let time: Instant
    let recordedAt: Instant
    let traceparent: String?
    let body: String
    let isBehindHorizon: Bool

    init(row: inout PostgresRow) throws {
        xid = try row.next()
        seq = try row.next()
        id = try row.next()
        type = try row.next()
        topic = try row.next()
        key = try row.next()
        time = try row.next()
        recordedAt = try row.next()
        traceparent = try row.next()
        body = try row.next()
        isBehindHorizon = try row.next()
    }

    /// The transaction's id as a number.
    var transaction: Int64 { Int64(xid) ?? .max }

    /// Reads what comes next after a place, as much as is published in one go, and what of it is behind the horizon of the
    /// whole server.
    static func look(after position: RelayPosition) -> SQL {
        """
        SELECT o.xid::text, o.seq, o.id, o.type, o.topic, o.key, o.time, o.recorded_at, o.traceparent, o.body,
            o.xid < pg_snapshot_xmin(pg_current_snapshot())
        FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY xid, seq ROWS UNBOUNDED PRECEDING) AS bytes
              FROM (SELECT * FROM outbox
                    WHERE (xid, seq) > (\(position.xid)::xid8, \(position.seq))
                    ORDER BY xid, seq LIMIT \(OutboxRelay.batchLimit)) AS next) AS o
        WHERE o.bytes - octet_length(o.body) < \(OutboxRelay.batchBytes)
        ORDER BY o.xid, o.seq
        """
    }

    /// CloudEvents 1.0 in Kafka's binary mode; `recordedtime` is the registered extension.
    func record(source: String) -> KafkaRecord {
        var headers: [(String, String)] = [
            ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source),
            ("ce_time", time.rfc3339), ("ce_recordedtime", recordedAt.rfc3339), ("content-type", "application/json"),
        ]
        if let traceparent { headers.append(("traceparent", traceparent)) }
        return KafkaRecord(topic: topic, key: key, headers: headers, value: Array(body.utf8))
    }
}
