/// A statement that follows a COMMIT on its session: it sees what was committed, and costs no round trip of its own.
///
/// It goes out together with COMMIT, but under a Sync of its own. What becomes of the transaction is what the answer to
/// COMMIT says, whether this statement fails, takes long, or never gets an answer.
package struct CommitLook: Sendable {
    let statement: SQL
    let found: @Sendable (OpaquePointer) throws -> Void
    let missed: @Sendable () -> Void

    /// Of `found` and `missed` one is called, once, on the session's thread, when the transaction has committed; neither
    /// when it has not, or when that is unknown.
    /// - Parameters:
    ///   - statement: It only reads.
    ///   - decode: Reads one row.
    ///   - found: Gets every row.
    ///   - missed: Called where the rows cannot be had, or not soon.
    package init<T: Sendable>(
        _ statement: SQL, _ decode: @escaping @Sendable (inout PostgresRow) throws -> T,
        found: @escaping @Sendable ([T]) -> Void, missed: @escaping @Sendable () -> Void
    ) {
        self.statement = statement
        self.found = { result in found(try PostgresRow.all(of: result, decode)) }
        self.missed = missed
    }
}

/// The wish for a look after COMMIT.
struct FollowUp {
    /// Asked when COMMIT is sent.
    let ask: @Sendable () -> CommitLook?
    /// What is done after COMMIT where no look was given.
    let otherwise: @Sendable () -> Void
}

/// A look that was sent with a COMMIT and whose answer is still to be read.
struct PendingLook {
    let look: CommitLook
    let steps: [Connection.Step]
}
