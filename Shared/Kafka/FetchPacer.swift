import CKafka
import Glibc
import Synchronization

/// Slows fetching down in front of a broker that answers an empty fetch at once instead of holding it.
///
/// Kafka holds a fetch that finds nothing for up to `fetch.wait.max.ms`. A broker that does not (noida-db) would be
/// asked thousands of times per second by librdkafka, which has no setting against it. So the thread that receives
/// answers rests after an empty one: briefly at first, then twice as long each time up to a limit. An answer that
/// took its time, or carried something, resets the rest to none.
///
/// An answer is empty when it is as small as the smallest answer to a request of that size: requests of equal size
/// ask for equally many partitions, and an answer without records has a fixed size per partition.
package struct FetchPacer: Sendable {
    private static let firstPauseMicroseconds = 500
    private let longestPauseMicroseconds: Int
    private let gatherMicroseconds: Int
    private let holdMicroseconds: Int
    private var requestBytes = 0
    private var emptyBytes = Int.max
    private var pauseMicroseconds = 0

    /// - Parameters:
    ///   - longestPause: Limit of a rest; zero switches the pacing off.
    ///   - fetchWait: How long the broker was asked to hold an empty fetch.
    ///   - gather: The rest after an answer that carried something, so that the next carries more.
    package init(longestPause: Duration, fetchWait: Duration, gather: Duration = .zero) {
        gatherMicroseconds = Int(gather.wholeMilliseconds) * 1_000
        longestPauseMicroseconds = Int(longestPause.wholeMilliseconds) * 1_000
        holdMicroseconds = Int(fetchWait.wholeMilliseconds) * 1_000 / 2
    }

    /// A fetch has been sent.
    package mutating func sent(bytes: Int) {
        guard bytes != requestBytes else { return }
        requestBytes = bytes
        emptyBytes = .max
    }

    /// An answer has come.
    /// - Returns: Microseconds to rest before the next fetch.
    package mutating func received(bytes: Int, roundTripMicroseconds: Int) -> Int {
        let isEmpty = bytes == emptyBytes
        emptyBytes = min(emptyBytes, bytes)
        guard isEmpty, roundTripMicroseconds < holdMicroseconds else {
            pauseMicroseconds = 0
            return isEmpty ? 0 : gatherMicroseconds
        }
        pauseMicroseconds = min(max(Self.firstPauseMicroseconds, pauseMicroseconds * 2), longestPauseMicroseconds)
        return pauseMicroseconds
    }
}

/// One ``FetchPacer`` per broker, fed from librdkafka's broker threads.
final class FetchPacing: Sendable {
    private static let fetchAPI: Int16 = 1
    private let fresh: FetchPacer
    private let brokers = Mutex([Int32: FetchPacer]())

    init(_ pacer: FetchPacer) { fresh = pacer }

    /// Installs the callbacks; this object must outlive the handle made of the configuration.
    func install(in conf: OpaquePointer) {
        rd_kafka_conf_interceptor_add_on_new(
            conf, "fetch-pacing",
            { handle, _, opaque, _, _ in
                rd_kafka_interceptor_add_on_request_sent(
                    handle, "fetch-pacing",
                    { _, _, _, broker, api, _, _, bytes, opaque in
                        if api == FetchPacing.fetchAPI { FetchPacing.from(opaque)?.sent(broker, bytes) }
                        return RD_KAFKA_RESP_ERR_NO_ERROR
                    }, opaque)
                return rd_kafka_interceptor_add_on_response_received(
                    handle, "fetch-pacing",
                    { _, _, _, broker, api, _, _, bytes, roundTrip, error, opaque in
                        guard api == FetchPacing.fetchAPI, error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                            return RD_KAFKA_RESP_ERR_NO_ERROR
                        }
                        FetchPacing.from(opaque)?.received(broker, bytes, roundTrip)
                        return RD_KAFKA_RESP_ERR_NO_ERROR
                    }, opaque)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private static func from(_ opaque: UnsafeMutableRawPointer?) -> FetchPacing? {
        opaque.map { Unmanaged<FetchPacing>.fromOpaque($0).takeUnretainedValue() }
    }

    private func sent(_ broker: Int32, _ bytes: Int) {
        brokers.withLock { $0[broker, default: fresh].sent(bytes: bytes) }
    }

    private func received(_ broker: Int32, _ bytes: Int, _ roundTrip: Int64) {
        let pause = brokers.withLock {
            $0[broker, default: fresh].received(bytes: bytes, roundTripMicroseconds: Int(roundTrip))
        }
        // This thread serves one broker's fetches; group membership and commits have a connection of their own.
        if pause > 0 { usleep(UInt32(pause)) }
    }
}
