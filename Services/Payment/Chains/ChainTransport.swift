/// Carries requests to one node. Addresses, credentials, TLS, time limits and pools live behind it.
package protocol ChainTransport: Sendable {
    /// Sends a JSON-RPC body and reads the whole answer, whatever its status: Bitcoin Core answers errors with 500.
    /// - Throws: ``ChainFault/unreachable``, ``ChainFault/timedOut``, ``ChainFault/tooMuch(_:)``.
    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer
    /// Reads a path of a REST interface, such as `/blocks/tip/height`.
    /// - Throws: ``ChainFault/unreachable``, ``ChainFault/timedOut``, ``ChainFault/tooMuch(_:)``.
    func get(_ path: String) async throws(ChainFault) -> ChainAnswer
}

/// A node's answer.
package struct ChainAnswer: Sendable {
    /// The HTTP status.
    package let status: Int
    /// The whole body.
    package let body: [UInt8]

    /// An answer.
    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// Why a chain could not be read. Nothing is known then, and nothing may be concluded.
package enum ChainFault: Error, Equatable, Sendable {
    /// No connection, or it broke.
    case unreachable
    /// No answer in time.
    case timedOut
    /// The node is overloaded or broken: the status.
    case unavailable(Int)
    /// The node refuses our credentials or our request: the status.
    case refused(Int)
    /// The node answered with an error of its own: the code.
    case rpc(Int64)
    /// The chain changed while it was read: ask again.
    case moved
    /// The node has not caught up with its network yet.
    case behind
    /// The node is on another chain. Raises an alarm.
    case otherChain
    /// A reorganisation undoes what was final. Raises an alarm.
    case reorganisedTooDeep
    /// An answer that makes no sense; which part of it. Raises an alarm.
    case unusable(String)
    /// More than the named limit allows: asking again changes nothing. Raises an alarm.
    case tooMuch(String)
}
