import Kafka
import Testing

/// Brokers that refuse to make topics for as long as a reason says why.
private final class RefusingCluster: TopicCluster {
    private let count: Int
    private let refusal: (TopicSpecification) -> String?
    /// The topics that there are.
    private(set) var names: Set<String>
    /// How many copies were asked for, each time.
    private(set) var asked: [Int] = []

    init(brokers: Int, topics: Set<String> = [], refusal: @escaping (TopicSpecification) -> String?) {
        count = brokers
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

    func brokers(_ timeout: Duration) throws(KafkaError) -> Int { count }

    func topics(_ timeout: Duration) throws(KafkaError) -> Set<String> { names }
}

@Suite("Making topics") struct TopicClusterTests {
    private static let usual = TopicSpecification(partitions: 12, replicas: -1)

    private static func ensure(_ names: [String], in cluster: RefusingCluster) throws(KafkaError) {
        try cluster.ensure(names, usual, .seconds(1))
    }

    @Test("where other brokers are away a topic waits for them and does not get one copy", arguments: [2, 3])
    func awaitsOthers(brokers: Int) {
        let cluster = RefusingCluster(brokers: brokers) { $0.replicas == -1 ? "INVALID_REPLICATION_FACTOR" : nil }
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a", "b"], in: cluster) }
        #expect(error?.code == "INVALID_REPLICATION_FACTOR")
        #expect(cluster.names.isEmpty)
        #expect(cluster.asked == [-1])
    }

    @Test("a broker that is alone and has no default is asked for one copy") func alone() throws {
        let cluster = RefusingCluster(brokers: 1) { $0.replicas == -1 ? "INVALID_REPLICATION_FACTOR" : nil }
        try Self.ensure(["a", "b"], in: cluster)
        #expect(cluster.names == ["a", "b"])
        #expect(cluster.asked == [-1, 1])
    }

    @Test("topics that are there need no right to make them", arguments: ["TOPIC", "CLUSTER"])
    func forbidden(what: String) throws {
        let code: String = what + "_AUTHORIZATION_FAILED"
        let cluster = RefusingCluster(brokers: 3, topics: ["a", "b", "other"]) { _ in code }
        try Self.ensure(["a", "b"], in: cluster)
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a", "c", "d"], in: cluster) }
        #expect(error?.code == code)
        #expect(error?.message == "c")
    }

    @Test("what else keeps a topic from being made is told, also where it is there") func refused() {
        let cluster = RefusingCluster(brokers: 3, topics: ["a"]) { _ in "POLICY_VIOLATION" }
        let error = #expect(throws: KafkaError.self) { try Self.ensure(["a"], in: cluster) }
        #expect(error?.code == "POLICY_VIOLATION")
    }
}
