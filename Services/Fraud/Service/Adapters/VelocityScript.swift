/// The one round trip to Redis: notes a batch of attempts in sliding windows and counts them.
///
/// A window is a sorted set of attempts by business time, in milliseconds. Adding an attempt twice leaves one, and the
/// counts look back from the attempt's own time, so a repeated delivery gets what the first one got. Old attempts are
/// dropped as new ones come; the keys expire by real time when nothing comes any more.
enum VelocityScript {
    /// KEYS: card and customer window of each attempt, the card's empty when there is no card.
    /// ARGV: hour, day and expiry in ms, the most attempts kept; then member and time of each attempt.
    /// Answer: card hour, card day, customer hour, customer day of each attempt, flat.
    static let text: String = """
        local hour, day = tonumber(ARGV[1]), tonumber(ARGV[2])
        local expiry, kept = ARGV[3], ARGV[4]
        local function moment(ms) return string.format('%.0f', ms) end
        local counts = {}
        for i = 1, #KEYS / 2 do
            local member, text = ARGV[3 + 2 * i], ARGV[4 + 2 * i]
            local at = tonumber(text)
            for side = 1, 2 do
                local key = KEYS[2 * (i - 1) + side]
                if key == '' then
                    counts[#counts + 1] = 0
                    counts[#counts + 1] = 0
                else
                    redis.call('ZADD', key, text, member)
                    redis.call('ZREMRANGEBYSCORE', key, '-inf', moment(at - day))
                    redis.call('ZREMRANGEBYRANK', key, 0, -(kept + 1))
                    redis.call('PEXPIRE', key, expiry)
                    counts[#counts + 1] = redis.call('ZCOUNT', key, '(' .. moment(at - hour), text)
                    counts[#counts + 1] = redis.call('ZCOUNT', key, '(' .. moment(at - day), text)
                end
            end
        end
        return counts
        """

    /// Length of the short window.
    static let hourMilliseconds = 3_600_000
    /// Length of the long window; older attempts are dropped.
    static let dayMilliseconds = 24 * hourMilliseconds
    /// Real time after which a window nobody added to is gone: a day and an hour of slack.
    static let expiryMilliseconds = 25 * hourMilliseconds
    /// Attempts counted in one call; more are counted in further calls, so that Redis is never held for long.
    static let attemptsPerCall = 500
}
