import BillingCore
import PaymentChains
import Testing

@Suite("Transfers whose block has left the chain") struct DepartedTests {
    private static let units = BaseUnits(1_000_000)

    @Test("are on the way until the chain is the needed confirmations past their block, and count when they come back")
    func waited() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000)
        let height: UInt64 = try #require(world.trail.tip).height
        world.now = WatchWorld.expires
        _ = try world.trail.rewind(to: height - 1)
        #expect(try world.standing.outcome == .seen && world.standing.pending == Self.units)
        #expect(world.watch.counted(on: world.trail).map(\.confirmations) == [0])
        try world.mine(2)
        #expect(try world.standing.outcome == .seen && world.standing.received == .zero)
        try world.mine(1)
        #expect(world.trail.tip?.height == height + 2)
        #expect(try world.standing.outcome == .expired && world.standing.pending == .zero)
        try world.watch.see([world.transfer("t", 1_000_000)], at: world.now)
        try world.mine(1)
        #expect(try world.standing.outcome == .paid && world.standing.pending == .zero)
    }

    @Test("count once, whatever number they have in another block or while they wait") func renumbered() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000)
        _ = try world.trail.rewind(to: 100)
        let again = ChainTransfer(
            id: TransferID(transaction: "t", position: 7), address: "a", amount: Self.units, block: nil)
        try world.watch.replaceUnconfirmed([again], at: world.now)
        #expect(try world.standing.pending == Self.units)
        try world.watch.replaceUnconfirmed([], at: world.now)
        try world.mine(1)
        let block = BlockStamp(ref: try #require(world.trail.tip), time: world.now)
        try world.watch.see(
            [ChainTransfer(id: again.id, address: "a", amount: Self.units, block: block)], at: world.now)
        #expect(try world.standing.pending == Self.units)
        try world.mine(1)
        #expect(try world.standing.outcome == .paid && world.standing.received == Self.units)
        #expect(try world.standing.pending == .zero)
    }

    @Test("that were not carried out there are not waited for") func failed() throws {
        var world = try WatchWorld()
        try world.confirm("t", 1_000_000, succeeded: false)
        _ = try world.trail.rewind(to: 100)
        #expect(try world.standing.outcome == .waiting && world.standing.pending == .zero)
    }
}
