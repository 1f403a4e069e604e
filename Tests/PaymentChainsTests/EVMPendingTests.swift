import JSON
import PaymentChains
import Testing

@Suite("What an EVM node would put into its next block") struct EVMPendingTests {
    private static let payee = "0x00000000000000000000000000000000000000aB"
    private static let hash = "0x" + String(repeating: "1f", count: 32)

    private func block(_ data: String, to: JSONValue = .string(payee), value: String = "0x0") -> JSONValue {
        [
            "number": "0x10",
            "transactions": [["hash": .string(Self.hash), "to": to, "value": .string(value), "input": .string(data)]],
        ]
    }

    /// `transfer(payee, amount)`
    private func call(_ amount: String) -> String {
        "0xA9059CBB" + String(repeating: "0", count: 62) + "ab" + String(repeating: "0", count: 64 - amount.count)
            + amount
    }

    @Test("coin and token that wait are read, with the height of their block") func reads() throws {
        let read: EVMPending = try #require(try EVMPending(block(call("ff"), value: "0x2")))
        #expect(read.height == 16)
        #expect(read.transfers.map(\.amount) == [BaseUnits(2), BaseUnits(255)])
        #expect(read.transfers.map(\.contract) == [nil, Self.payee.lowercased()])
        #expect(read.transfers.map(\.payee) == [Self.payee.lowercased(), Self.payee.lowercased()])
        #expect(read.transfers.allSatisfy { $0.transaction == Self.hash })
    }

    @Test(
        "other calls, calls that are cut short, contracts about to be made and nothing at all are no transfers",
        arguments: ["0x", "0xa9059cbb", "0x23b872dd" + String(repeating: "0", count: 128)])
    func others(_ data: String) throws {
        #expect(try EVMPending(block(data))?.transfers.isEmpty == true)
        #expect(try EVMPending(block(call("ff"), to: .null, value: "0x2"))?.transfers.isEmpty == true)
        #expect(try EVMPending(block(call("0")))?.transfers.isEmpty == true)
    }

    @Test("a node without such a block, or that does not say which it will be, tells nothing; nonsense is a fault")
    func silent() throws {
        #expect(try EVMPending(.null) == nil)
        #expect(try EVMPending(["number": .null, "transactions": []]) == nil)
        #expect(throws: ChainFault.unusable("transactions")) { try EVMPending(["number": "0x1"]) }
        #expect(throws: ChainFault.unusable("value")) { try EVMPending(block("0x", value: "much")) }
    }
}
