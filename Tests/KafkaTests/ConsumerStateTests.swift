import Kafka
import Testing

@Suite("The messages a consumer holds") struct ConsumerStateTests {
    private func message(_ offset: Int64, partition: Int32 = 0) -> KafkaMessage {
        KafkaMessage(topic: "t", partition: partition, offset: offset, key: nil, value: [])
    }

    private func partition(_ number: Int32) -> KafkaPartition { KafkaPartition(topic: "t", partition: number) }

    @Test("leave in batches, in order, one at a time") func batches() {
        var state = ConsumerState(maxBatch: 2, credit: 10)
        state.append([message(0), message(1), message(2)])
        #expect(state.takeBatch()?.map(\.offset) == [0, 1])
        #expect(state.takeBatch() == nil)
        #expect(state.outstanding == 3)
        #expect(state.finishBatch() == 2)
        #expect(state.takeFinished() == [partition(0): 2])
        #expect(state.takeFinished().isEmpty)
        #expect(state.takeBatch()?.map(\.offset) == [2])
        #expect(state.finishBatch() == 1)
        #expect(state.takeFinished() == [partition(0): 3])
        #expect(state.takeBatch() == nil)
        #expect(state.outstanding == 0)
    }

    @Test("are passed over when nobody wants them, but never past what is still held") func passedOver() {
        var state = ConsumerState(maxBatch: 2, credit: 10)
        let isWanted: (KafkaMessage) -> Bool = { $0.offset % 2 == 1 }
        #expect(state.append([message(0), message(4, partition: 1)], isWanted: isWanted) == 2)
        #expect(state.takeFinished() == [partition(0): 1, partition(1): 5])
        #expect(state.takeBatch() == nil)
        // Behind a wanted one they take their turn: an offset stored now would skip it.
        #expect(state.append([message(1), message(2)], isWanted: isWanted) == 0)
        #expect(state.takeFinished().isEmpty)
        #expect(state.takeBatch()?.map(\.offset) == [1, 2])
        #expect(state.append([message(6, partition: 1)], isWanted: isWanted) == 0)
        #expect(state.takeFinished().isEmpty)
        _ = state.finishBatch()
        #expect(state.takeFinished() == [partition(0): 3])
        #expect(state.takeBatch()?.map(\.offset) == [6])
    }

    @Test("use up the credit until a batch has returned") func credit() {
        var state = ConsumerState(maxBatch: 2, credit: 3)
        state.append([message(0), message(1)])
        #expect(!state.isCreditUsedUp)
        state.append([message(2)])
        #expect(state.isCreditUsedUp)
        _ = state.takeBatch()
        #expect(state.isCreditUsedUp)
        _ = state.finishBatch()
        #expect(!state.isCreditUsedUp)
    }

    @Test("are dropped with their partition, and what runs of it finishes nothing") func revocation() {
        var state = ConsumerState(maxBatch: 2, credit: 10)
        state.append([message(0), message(0, partition: 1), message(1), message(1, partition: 1)])
        _ = state.takeBatch()
        state.revoke { $0.partition == 0 }
        #expect(state.isRunning)
        #expect(state.outstanding == 3)
        #expect(state.finishBatch() == 2)
        #expect(state.takeFinished() == [partition(1): 1])
        #expect(state.takeBatch()?.map(\.partition) == [1])
        state.revoke { _ in true }
        #expect(!state.isRunning)
        // The handler still has it: another batch must not run beside it.
        state.append([message(7)])
        #expect(state.takeBatch() == nil)
        _ = state.finishBatch()
        #expect(state.takeFinished().isEmpty)
        #expect(state.takeBatch()?.map(\.offset) == [7])
    }

    @Test("stay where they are while batches are held back") func heldBack() {
        var state = ConsumerState(maxBatch: 2, credit: 10)
        state.append([message(0)])
        state.holdBack()
        #expect(state.takeBatch() == nil)
        state.letGo()
        #expect(state.takeBatch()?.count == 1)
    }

    @Test("all come out of a long queue, in order") func longQueue() {
        var state = ConsumerState(maxBatch: 3, credit: 1_000)
        var seen: [Int64] = []
        for round in 0..<50 {
            state.append((0..<10).map { message(Int64(round * 10 + $0)) })
            for _ in 0..<2 {
                seen += state.takeBatch()?.map(\.offset) ?? []
                _ = state.finishBatch()
            }
        }
        while let batch = state.takeBatch() {
            seen += batch.map(\.offset)
            _ = state.finishBatch()
        }
        #expect(seen == Array(0..<500))
    }
}
