/// Counts of a pool since it was made, and its state at the moment of asking.
public struct PostgresPoolStatistics: Sendable, Equatable {
    /// Callers waiting for a connection.
    public internal(set) var queueDepth: Int = 0
    /// Connections in use.
    public internal(set) var busy: Int = 0
    /// Connections open.
    public internal(set) var open: Int = 0
    /// Callers that found no idle connection.
    public internal(set) var waited: Int = 0
    /// The time those callers waited, all together.
    public internal(set) var waitTime: Duration = .zero
    /// Callers that waited for too long.
    public internal(set) var timeouts: Int = 0
    /// Callers refused because the queue was full.
    public internal(set) var refused: Int = 0
    /// Callers that were cancelled while they waited.
    public internal(set) var cancelled: Int = 0
    /// Connections opened, the first ones included.
    public internal(set) var connects: Int = 0
    /// Connections opened in place of a lost one.
    public internal(set) var reconnects: Int = 0
    /// Attempts to connect that failed.
    public internal(set) var connectFailures: Int = 0
    /// Transactions that committed.
    public internal(set) var transactions: Int = 0
    /// Transactions that did not.
    public internal(set) var rollbacks: Int = 0
    /// Times the pool ran a transaction again by itself.
    public internal(set) var retries: Int = 0
}
