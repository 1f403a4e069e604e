/// How new topics are made.
package struct TopicSpecification: Sendable {
    /// Partitions of each.
    package var partitions: Int
    /// Copies of each partition, -1 for the broker's default.
    package var replicas: Int
    /// Whether one copy will do where the broker cannot give its default; topics keep what they are made with.
    package var mayHaveOneCopy: Bool
    /// Whether records are to be stamped when the broker appends them.
    package var stampsOnAppend = true

    /// Describes topics whose records are stamped on append.
    package init(partitions: Int, replicas: Int, mayHaveOneCopy: Bool) {
        self.partitions = partitions
        self.replicas = replicas
        self.mayHaveOneCopy = mayHaveOneCopy
    }
}

/// A cluster that is asked to make topics.
package protocol TopicCluster {
    /// Asks for topics to be made.
    /// - Returns: Those that could not be, with the reason.
    func create(
        _ names: [String], _ specification: TopicSpecification, _ timeout: Duration
    ) throws(KafkaError) -> [String: KafkaError]

    /// Which topics there are, of those that the login may see.
    func topics(_ timeout: Duration) throws(KafkaError) -> Set<String>
}

extension TopicCluster {
    /// Makes the topics that do not exist yet, with less than what is asked for where no more can ever be had.
    /// - Throws: ``KafkaError`` with the first topic that could not be made and is not there.
    package func ensure(
        _ names: [String], _ specification: TopicSpecification, _ timeout: Duration
    ) throws(KafkaError) {
        var specification = specification
        var missing = try create(names, specification, timeout)
        // Brokers may be away, or not there yet: the topics would keep one copy for good.
        if specification.mayHaveOneCopy, missing.values.contains(where: { $0.code == "INVALID_REPLICATION_FACTOR" }) {
            specification.replicas = 1
            missing = try create(missing.keys.sorted(), specification, timeout)
        }
        if missing.values.contains(where: { $0.code == "INVALID_CONFIG" }) {
            specification.stampsOnAppend = false
            missing = try create(missing.keys.sorted(), specification, timeout)
        }
        // Brokers look at the right to make a topic before they look whether it is there.
        if missing.values.contains(where: Self.isForbidden) {
            let present = try topics(timeout)
            missing = missing.filter { name, error in !(Self.isForbidden(error) && present.contains(name)) }
        }
        if let (_, error) = missing.min(by: { $0.key < $1.key }) { throw error }
    }

    private static func isForbidden(_ error: KafkaError) -> Bool {
        error.code == "TOPIC_AUTHORIZATION_FAILED" || error.code == "CLUSTER_AUTHORIZATION_FAILED"
    }
}
