import Kafka
import Testing

/// Brokers that refuse to make topics for as long as a reason says why.
private final class RefusingCluster: TopicCluster {
    private let refusal: (TopicSpecification) -> String?
    /// The topics that there are.
    private(set) var names: Set<String>
    /// How many copies were asked for, each time.
    private(set) var asked: [Int] = []

    init(topics: Set<String> = [], refusal: @escaping (TopicSpecification) -> String?) {
        names = topics
        self.refusal = refusal
    }

    func create(
        _ names: [String], _ specification: TopicSpecification, _ timeout: Duration
    ) throws(KafkaError) -> [String: KafkaError] {
        asked.append(specification.replicas)
        guard let code: String = refusal(specification) else {
            self.names.formUnion(names)
            return [:]
        }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, KafkaError(.unavailable, code: code, message: $0)) })
    }

    func topics(_ timeout: Duration) throws(KafkaError) -> Set<String> { names }
}

@Suite("Making topics") struct TopicClusterTests {
    private static func ensure(
        _ names: [String], in cluster: RefusingCluster, mayHaveOneCopy: Bool = false
    ) throws(KafkaError) {
        let usual = TopicSpecification(partitions: 12, replicas: -1, mayHaveOneCopy: mayHaveOneCopy)
        try cluster.ensure(names, usual, .seconds(1))
    }

    @Test("where brokers are away a topic waits for them and does not get one copy") func awaitsOthers() {
        let cluster = RefusingCluster { $0.replicas == -1 ? "INVALID_REPLICATION_FACTOR" : nil }
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a", "b"], in: cluster) }
        #expect(error?.code == "INVALID_REPLICATION_FACTOR")
        #expect(cluster.names.isEmpty)
        #expect(cluster.asked == [-1])
    }

    @Test("where one copy will do it is asked for, of a broker that has no default") func alone() throws {
        let cluster = RefusingCluster { $0.replicas == -1 ? "INVALID_REPLICATION_FACTOR" : nil }
        try Self.ensure(["a", "b"], in: cluster, mayHaveOneCopy: true)
        #expect(cluster.names == ["a", "b"])
        #expect(cluster.asked == [-1, 1])
    }

    @Test("topics that are there need no right to make them", arguments: ["TOPIC", "CLUSTER"])
    func forbidden(what: String) throws {
        let code: String = what + "_AUTHORIZATION_FAILED"
        let cluster = RefusingCluster(topics: ["a", "b", "other"]) { _ in code }
        try Self.ensure(["a", "b"], in: cluster)
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a", "c", "d"], in: cluster) }
        #expect(error?.code == code)
        #expect(error?.message == "c")
    }

    @Test("what else keeps a topic from being made is told, also where it is there") func refused() {
        let cluster = RefusingCluster(topics: ["a"]) { _ in "POLICY_VIOLATION" }
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a"], in: cluster) }
        #expect(error?.code == "POLICY_VIOLATION")
    }
}
