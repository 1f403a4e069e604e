import Postgres

/// What one statement found out about a key.
struct KeyState {
    /// Whether the advisory lock is ours.
    let isLocked: Bool
    /// Whether the row was inserted by this very statement.
    let isFresh: Bool
    let isExpired: Bool
    let status: String
    let requestHash: String?
    let resourceID: String?
    let reply: StoredReply?

    /// Whether there was no row when the statement began.
    var isAbsent: Bool { status.isEmpty }

    /// Whether another look is needed: an expired row stands in the way, or a row that was committed after the
    /// statement began, so that the insert met it and the read did not.
    var isUnsettled: Bool { isLocked && !isFresh && (isAbsent || isExpired) }

    /// Reads locked, fresh, expired, status, hash, resource, answer's status, headers and body.
    static func read(_ row: inout PostgresRow) throws -> KeyState {
        let isLocked: Bool = try row.next()
        let isFresh: Bool = try row.next()
        let isExpired: Bool = try row.next()
        let status: String = try row.next()
        let requestHash: String? = try row.next()
        let resourceID: String? = try row.next()
        let replyStatus: Int? = try row.next()
        let headers: String? = try row.next()
        let body: String? = try row.next()
        var reply: StoredReply?
        if let replyStatus, let body {
            reply = StoredReply(status: replyStatus, headers: HeaderText.decode(headers ?? ""), body: Array(body.utf8))
        }
        return KeyState(
            isLocked: isLocked, isFresh: isFresh, isExpired: isExpired, status: status, requestHash: requestHash,
            resourceID: resourceID, reply: reply)
    }

    /// What this means for a claim of the key.
    func result(for claim: IdempotencyClaim) -> ClaimResult {
        if !isLocked { return .twin }
        if isFresh { return .fresh }
        // Still nothing to see: the row was pruned between two looks.
        guard let requestHash else { return .twin }
        if requestHash != claim.requestHash.description { return .mismatch }
        if let reply { return .replay(reply) }
        return .open(resourceID: resourceID)
    }
}

/// Headers as lines of text.
enum HeaderText {
    static func encode(_ headers: [HeaderField]) -> String {
        headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
    }

    static func decode(_ text: String) -> [HeaderField] {
        text.split(separator: "\n").compactMap { (line: Substring) -> HeaderField? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return HeaderField(String(line[..<colon]), String(line[line.index(colon, offsetBy: 2)...]))
        }
    }
}
