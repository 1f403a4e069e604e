import Synchronization

/// A time zone of the IANA database, by name. The rules come from the machine's tzdata; `UTC` is always known.
public struct TimeZoneID: Sendable {
    /// The name, such as `Europe/Berlin`.
    public let name: String
    private let rules: ZoneRules

    /// Coordinated universal time.
    public static let utc = TimeZoneID(name: "UTC", rules: .utc)

    private init(name: String, rules: ZoneRules) {
        self.name = name
        self.rules = rules
    }

    /// Finds a zone; `nil` when the machine has no zone of that name. Each zone is read from disk once per process.
    public init?(_ iana: String) {
        guard let rules = ZoneCache.rules(iana) else { return nil }
        self.init(name: iana, rules: rules)
    }

    /// The first instant of a day: midnight, or later when the clocks skip midnight.
    public func startOfDay(_ date: CivilDate) -> Instant { instant(of: date, secondsOfDay: 0) }

    /// The day that the zone's calendars show at an instant.
    public func civilDate(at instant: Instant) -> CivilDate {
        CivilDate(dayNumber: Int(localSeconds(at: instant).flooredQuotient(by: 86_400)))
    }

    /// How many seconds after (nominal) midnight the zone's clocks show at an instant.
    public func secondsOfDay(at instant: Instant) -> Int {
        Int(localSeconds(at: instant).flooredRemainder(by: 86_400))
    }

    /// Seconds east of UTC at an instant.
    public func offsetSeconds(at instant: Instant) -> Int { rules.offset(at: instant.seconds) }

    /// The instant at which the zone's clocks show a time on a day.
    ///
    /// A time that the clocks show twice is the first of the two. A time that they skip comes out as much later as the
    /// gap is long (02:30 becomes 03:30).
    public func instant(of date: CivilDate, secondsOfDay: Int) -> Instant {
        let local = Int64(date.dayNumber) * 86_400 + Int64(secondsOfDay)
        return Instant(seconds: rules.instant(ofLocal: local))
    }

    private func localSeconds(at instant: Instant) -> Int64 {
        let seconds = instant.seconds
        return seconds + Int64(rules.offset(at: seconds))
    }
}

extension TimeZoneID: Hashable {
    /// Zones are the same when their names are.
    public static func == (left: TimeZoneID, right: TimeZoneID) -> Bool { left.name == right.name }
    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension TimeZoneID: LosslessStringConvertible {
    /// The name.
    public var description: String { name }
}

/// The zones read so far. Bounded by the number of zones there are; unknown names are not kept.
private enum ZoneCache {
    private static let zones = Mutex<[String: ZoneRules]>(["UTC": .utc])

    static func rules(_ name: String) -> ZoneRules? {
        if let known = zones.withLock({ $0[name] }) { return known }
        guard let rules = TimeZoneFile.load(name) else { return nil }
        return zones.withLock { zones in
            if let first = zones[name] { return first }
            zones[name] = rules
            return rules
        }
    }
}
