import CKafka
import Glibc
import Logging

/// What librdkafka's callbacks find behind their opaque pointer: the loop that owns the handle.
///
/// Every callback set here is served by a poll call of the owning thread, so a loop needs no locks.
class KafkaHandleOwner {
    let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// Called on the owning thread when the client reports a problem of its own.
    func clientFailed(_ error: rd_kafka_resp_err_t, _ reason: String) {
        logger.debug("kafka client", metadata: ["code": "\(KafkaError(error).code)", "reason": "\(reason)"])
    }

    /// Reads the owner back in a callback.
    static func from(_ opaque: UnsafeMutableRawPointer?) -> KafkaHandleOwner? {
        opaque.map { Unmanaged<KafkaHandleOwner>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The opaque pointer for callbacks. The owner outlives its handle: it closes the handle before it goes.
    var opaque: UnsafeMutableRawPointer { Unmanaged<KafkaHandleOwner>.passUnretained(self).toOpaque() }
}

/// A configuration object being filled; ``open(_:)`` turns it into a handle.
struct KafkaHandleBuilder: ~Copyable {
    private static let errorCapacity = 512
    let conf: OpaquePointer

    /// Starts with the settings every client shares.
    static func start(
        _ configuration: KafkaConfiguration, owner: KafkaHandleOwner
    ) throws(KafkaError) -> KafkaHandleBuilder {
        guard let conf = rd_kafka_conf_new() else { throw KafkaError(.resources, message: "no memory") }
        let builder = KafkaHandleBuilder(conf: conf)
        rd_kafka_conf_set_opaque(conf, owner.opaque)
        rd_kafka_conf_set_error_cb(conf) { _, code, reason, opaque in
            KafkaHandleOwner.from(opaque)?
                .clientFailed(rd_kafka_resp_err_t(rawValue: code), reason.map { String(cString: $0) } ?? "")
        }
        rd_kafka_conf_set_log_cb(conf) { handle, _, facility, text in
            let line = text.map { String(cString: $0) } ?? ""
            let place = facility.map { String(cString: $0) } ?? ""
            KafkaHandleOwner.from(rd_kafka_opaque(handle))?.logger
                .debug("librdkafka", metadata: ["at": "\(place)", "text": "\(line)"])
        }
        let backoff = configuration.reconnectBackoffMax.wholeMilliseconds
        try builder.set("bootstrap.servers", configuration.brokers)
        try builder.set("client.id", configuration.clientID)
        try builder.set("log.queue", "true")
        try builder.set("socket.nagle.disable", "true")
        try builder.set("socket.keepalive.enable", "true")
        try builder.set("reconnect.backoff.ms", "\(max(1, backoff / 10))")
        try builder.set("reconnect.backoff.max.ms", "\(max(1, backoff))")
        try builder.set("topic.metadata.refresh.interval.ms", "5000")
        return builder
    }

    private init(conf: OpaquePointer) { self.conf = conf }

    /// Sets one value.
    /// - Throws: ``KafkaError/Kind/configuration`` with librdkafka's own words.
    func set(_ name: String, _ value: String) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: Self.errorCapacity)
        guard rd_kafka_conf_set(conf, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
            throw KafkaError(.configuration, message: Self.string(text))
        }
    }

    /// Applies the caller's own settings last, so that they win.
    func set(_ extra: [String: String]) throws(KafkaError) {
        for (name, value) in extra.sorted(by: { $0.key < $1.key }) { try set(name, value) }
    }

    /// Opens the handle; its log lines go to its main queue.
    consuming func open(_ type: rd_kafka_type_t) throws(KafkaError) -> OpaquePointer {
        var text = [CChar](repeating: 0, count: Self.errorCapacity)
        guard let handle = rd_kafka_new(type, conf, &text, text.count) else {
            _ = consume self
            throw KafkaError(.configuration, message: Self.string(text))
        }
        discard self
        rd_kafka_set_log_queue(handle, nil)
        return handle
    }

    deinit { rd_kafka_conf_destroy(conf) }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The fatal error of a handle, if it has met one.
func fatalError(of handle: OpaquePointer) -> KafkaError? {
    var text = [CChar](repeating: 0, count: 512)
    let code = rd_kafka_fatal_error(handle, &text, text.count)
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
    let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return KafkaError(.restarted, code: KafkaError(code).code, message: reason)
}
