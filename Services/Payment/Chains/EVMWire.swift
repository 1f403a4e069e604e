import BillingCore
package import JSON

/// How nodes of EVM chains write numbers, blocks, logs and receipts.
///
/// Source: the Ethereum execution API specification (github.com/ethereum/execution-apis).
package enum EVMWire {
    /// `Transfer(address,address,uint256)` (ERC-20), hashed.
    package static let transferTopic: String =
        "0x" + Hex.encode(Keccak256.hash(Array("Transfer(address,address,uint256)".utf8)))

    /// A `Transfer` log.
    package struct Log: Hashable, Sendable {
        let contract: EVMAddress
        let payee: EVMAddress
        let amount: BaseUnits
        let transaction: String
        let position: UInt64
        let block: BlockRef
    }

    /// A number as a node takes it: `0x1f`.
    package static func quantity(_ number: UInt64) -> JSONValue { .string("0x" + String(number, radix: 16)) }

    /// Reads a quantity of up to 256 bits.
    package static func units(_ value: JSONValue?, _ name: String) throws(ChainFault) -> BaseUnits {
        guard let text = value?.stringValue, text.hasPrefix("0x") else { throw .unusable(name) }
        do throws(MoneyError) {
            return try BaseUnits(hexDigits: text.dropFirst(2))
        } catch {
            throw .unusable(name)
        }
    }

    /// Reads a quantity of up to 64 bits.
    package static func number(_ value: JSONValue?, _ name: String) throws(ChainFault) -> UInt64 {
        let units: BaseUnits = try units(value, name)
        guard units.high == 0, let number = UInt64(exactly: units.low) else { throw .unusable(name) }
        return number
    }

    /// Reads a block's height or a log's index: like heights elsewhere below 2^48, and so one that can be stored.
    private static func place(_ value: JSONValue?, _ name: String) throws(ChainFault) -> UInt64 {
        let number: UInt64 = try number(value, name)
        guard number < 1 << 48 else { throw .unusable(name) }
        return number
    }

    /// Reads a hash of 32 bytes, in lower case.
    package static func hash(_ value: JSONValue?, _ name: String) throws(ChainFault) -> String {
        guard let text = value?.stringValue, text.hasPrefix("0x"), text.utf8.count == 66,
            Hex.decode(text.dropFirst(2)) != nil
        else { throw .unusable(name) }
        return text.lowercased()
    }

    /// Reads a block without its transactions.
    package static func header(_ block: JSONValue) throws(ChainFault) -> BlockHeader {
        let ref = BlockRef(
            height: try number(block["number"], "number"), hash: try hash(block["hash"], "hash"))
        return BlockHeader(
            ref: ref, parentHash: try hash(block["parentHash"], "parentHash"),
            time: try Instant(nodeSeconds: number(block["timestamp"], "timestamp")))
    }

    /// Reads a `Transfer` log; `nil` for another event.
    package static func transfer(_ log: JSONValue) throws(ChainFault) -> Log? {
        let topics: [JSONValue] = try log.list("topics")
        guard topics.first?.stringValue?.lowercased() == transferTopic, topics.count == 3,
            let data = log["data"]?.stringValue, data.utf8.count == 66
        else { return nil }
        do throws(AddressFault) {
            return Log(
                contract: try EVMAddress(ignoringCaseOf: log["address"]?.stringValue ?? ""),
                payee: try EVMAddress(topic: topics[2].stringValue ?? ""),
                amount: try faulty { () throws(ChainFault) in try units(.string(data), "data") },
                transaction: try faulty { () throws(ChainFault) in try hash(log["transactionHash"], "transactionHash")
                },
                position: try faulty { () throws(ChainFault) in try place(log["logIndex"], "logIndex") },
                block: try faulty { () throws(ChainFault) in
                    BlockRef(
                        height: try place(log["blockNumber"], "blockNumber"),
                        hash: try hash(log["blockHash"], "blockHash"))
                })
        } catch {
            throw .unusable("log")
        }
    }

    /// One kind of fault for a whole log: which part is wrong does not matter.
    private static func faulty<Value>(_ read: () throws(ChainFault) -> Value) throws(AddressFault) -> Value {
        do throws(ChainFault) {
            return try read()
        } catch {
            throw .malformed
        }
    }
}
