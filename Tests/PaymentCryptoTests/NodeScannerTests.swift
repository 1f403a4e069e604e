import BillingCore
import Dispatch
import Glibc
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import PaymentService
import Synchronization
import Telemetry
import Testing

/// 64 digits with a number at the end.
private func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 64 - text.utf8.count) + text
}

/// A node of blocks 0 to 120, each ten minutes after the one before, whose hashes are their numbers.
private final class BlocksNode: ChainTransport {
    /// Answers a call or a path of its own.
    private let special: @Sendable (String, [JSONValue]) -> JSONValue?
    private let asked = Mutex([String]())

    init(_ special: @escaping @Sendable (String, [JSONValue]) -> JSONValue?) { self.special = special }

    var calls: [String] { asked.withLock { $0 } }

    static func time(_ height: UInt64) -> Int64 { 1_800_000_000 + 600 * Int64(height) }

    private static func header(_ height: UInt64) -> JSONValue {
        [
            "hash": .string(digits(height)), "id": .string(digits(height)), "height": .number("\(height)"),
            "time": .number("\(time(height))"), "previousblockhash": .string(digits(height - 1)),
        ]
    }

    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        let question: JSONValue = try JSONRPC.parse(body)
        let method: String = question["method"]?.stringValue ?? ""
        let parameters: [JSONValue] = question["params"]?.arrayValue ?? []
        let height = UInt64(parameters.first?.stringValue?.suffix(8) ?? "", radix: 16) ?? 0
        let answer: JSONValue
        switch method {
        case "getblockcount": answer = 120
        case "getblockhash": answer = .string(digits(UInt64(parameters[0].intValue ?? 0)))
        case "getblockheader": answer = Self.header(height)
        case "getblock": answer = ["hash": .string(digits(height)), "height": .number("\(height)"), "tx": []]
        default: answer = special(method, parameters) ?? .null
        }
        return ChainAnswer(status: 200, body: (["id": 1, "result": answer] as JSONValue).serialized)
    }

    func get(_ path: String) async throws(ChainFault) -> ChainAnswer {
        asked.withLock { $0.append(path) }
        let last: String = path.split(separator: "/").last.map(String.init) ?? ""
        if let answer = special(path, []) { return ChainAnswer(status: 200, body: answer.serialized) }
        if path == "/blocks/tip/height" { return ChainAnswer(status: 200, body: Array("120".utf8)) }
        if path.hasPrefix("/block-height/") {
            return ChainAnswer(status: 200, body: Array(digits(UInt64(last) ?? 0).utf8))
        }
        if path.hasPrefix("/block/") {
            return ChainAnswer(status: 200, body: Self.header(UInt64(last, radix: 16) ?? 0).serialized)
        }
        return ChainAnswer(status: 200, body: Array("[]".utf8))
    }
}

/// Answers requests with so many bytes, on a port of its own.
private struct LongServer {
    let port: Int

    init(_ bytes: Int, requests: Int) {
        let descriptor: Int32 = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(descriptor, raw, size)
                _ = listen(descriptor, 4)
                _ = getsockname(descriptor, raw, &size)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        DispatchQueue.global().async {
            defer { close(descriptor) }
            for _ in 0..<requests {
                let client: Int32 = accept(descriptor, nil, nil)
                var buffer = [UInt8](repeating: 0, count: 4_096)
                _ = recv(client, &buffer, buffer.count, 0)
                // Without a length: only the bytes themselves tell how long it is.
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                var left: [UInt8] = Array(head.utf8) + [UInt8](repeating: 32, count: bytes)
                while !left.isEmpty {
                    let sent: Int = send(client, left, min(left.count, 1 << 20), Int32(MSG_NOSIGNAL))
                    guard sent > 0 else { break }
                    left.removeFirst(sent)
                }
                close(client)
            }
        }
    }
}

@Suite("What scanners make of nodes' answers") struct NodeScannerTests {
    private static let ours = "bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx"
    private static let script = "0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2"
    private static let attempt = AttemptID.new(at: CryptoWorld.start)

    private func watched(
        _ address: String = ours, _ attempt: AttemptID = attempt, since: Instant = CryptoWorld.start,
        waiting: [String] = [], finalBlocks: [String] = []
    ) -> WatchedAddress {
        WatchedAddress(
            attemptID: attempt, provider: "bitcoin", address: address, isOpen: true, since: since, waiting: waiting,
            finalBlocks: finalBlocks)
    }

    /// A trail of up to ten blocks, 111 to 120, that has nothing new.
    private func step(_ reader: any ChainReader, from below: UInt64 = 20) async throws -> TrailAdvance {
        var step: TrailAdvance = try await reader.catchUp(ChainTrail(depth: 10), startingBelowTip: below)
        while !step.added.isEmpty { step = try await reader.catchUp(step.trail) }
        return step
    }

    @Test("Core: what is waited for is found in a large pool at once, and the look says that it has not read all of it")
    func corePool() async throws {
        let last: UInt64 = UInt64(CoreReader.maxReads) + 10
        let node = BlocksNode { method, parameters in
            if method == "getrawmempool" { return .array((0...last).map { .string(digits($0)) }) }
            let script: String = parameters.first?.stringValue == digits(last) ? Self.script : "6a"
            return [
                "txid": parameters.first ?? .null,
                "vout": [["n": 0, "value": .number("0.002"), "scriptPubKey": ["hex": .string(script)]]],
            ]
        }
        for waiting in [[], [digits(last)]] {
            let scanner = CoreScanner(transport: node, network: .regtest)
            let step: TrailAdvance = try await step(scanner.reader)
            let first: Sighting? = try await scanner.sightings(
                of: [watched(waiting: waiting)], after: step, isWhole: true)[Self.attempt]
            #expect(first?.extent == .partial)
            #expect(first?.unconfirmed?.map(\.id.transaction) == waiting)
            let second: Sighting? = try await scanner.sightings(
                of: [watched(waiting: waiting)], after: step, isWhole: true)[Self.attempt]
            #expect(second?.extent == .whole)
            #expect(second?.unconfirmed?.map(\.amount) == [BaseUnits(200_000)])
        }
    }

    /// A node on which a block holds a payment to us.
    private func history(_ height: UInt64, hash: String? = nil) -> BlocksNode {
        BlocksNode { path, _ in
            guard path == "/address/\(Self.ours)/txs" else { return nil }
            return [
                [
                    "txid": .string(digits(77)), "vout": [["scriptpubkey": .string(Self.script), "value": 200_000]],
                    "status": [
                        "confirmed": true, "block_height": .number("\(height)"),
                        "block_hash": .string(hash ?? digits(height)),
                        "block_time": .number("\(BlocksNode.time(height))"),
                    ],
                ]
            ]
        }
    }

    @Test("Esplora: a payment below the trail is settled when the server has its block, which is asked for once")
    func esploraHistory() async throws {
        let made = Instant(seconds: BlocksNode.time(50))
        let cases: [(WatchedAddress, [UInt64], Int)] = [
            (watched(since: made), [50], 1), (watched(since: made + .seconds(7_200)), [50], 1),
            (watched(since: made + .seconds(7_201)), [], 0), (watched(since: made, finalBlocks: [digits(50)]), [], 0),
        ]
        for (watched, settled, questions) in cases {
            let node: BlocksNode = history(50)
            let scanner = EsploraScanner(transport: node, network: .regtest)
            let step: TrailAdvance = try await step(scanner.reader)
            let found: Sighting? = try await scanner.sightings(of: [watched], after: step, isWhole: true)[Self.attempt]
            #expect(found?.confirmed.count == 1 && found?.extent == .whole)
            #expect(found?.settled.map(\.height) == settled)
            #expect(node.calls.count { $0 == "/block-height/50" } == questions)
        }
    }

    @Test("Esplora: an address with a block that server and trail do not both have is not read, and no other suffers")
    func esploraUnread() async throws {
        // Another block, one to come, and one below a trail that begins too high to say that it is final.
        for (node, below) in [(history(50, hash: digits(9)), UInt64(20)), (history(121), 20), (history(117), 2)] {
            let scanner = EsploraScanner(transport: node, network: .regtest)
            let step: TrailAdvance = try await step(scanner.reader, from: below)
            let other = AttemptID.new(at: CryptoWorld.start + .seconds(1))
            let address: String = try AddressSource(extendedKey: CryptoWorld.account, network: .regtest).address(1)
            let seen: [AttemptID: Sighting] = try await scanner.sightings(
                of: [watched(), watched(address, other)], after: step, isWhole: true)
            #expect(seen == [Self.attempt: Sighting(extent: .unread), other: Sighting(unconfirmed: [])])
        }
    }

    @Test("Esplora: an address with more than 500 transactions is told from one that is not read just now")
    func flooded()
        async throws
    {
        let node = BlocksNode { path, _ in
            guard path.hasPrefix("/address/\(Self.ours)/txs") else { return nil }
            let after: UInt64 = path.split(separator: "/").last.flatMap { UInt64($0, radix: 16) } ?? 1_000_000
            return .array(
                (1...25).map { number in
                    [
                        "txid": .string(digits(after - number)), "vout": [],
                        "status": [
                            "confirmed": true, "block_height": 119, "block_hash": .string(digits(119)),
                            "block_time": .number("\(BlocksNode.time(119))"),
                        ],
                    ]
                })
        }
        let scanner = EsploraScanner(transport: node, network: .regtest)
        let step: TrailAdvance = try await step(scanner.reader)
        let seen: [AttemptID: Sighting] = try await scanner.sightings(of: [watched()], after: step, isWhole: true)
        #expect(seen == [Self.attempt: Sighting(extent: .tooMuch)])
    }

    @Test("Esplora: of addresses that nobody is about to pay no more than so many are asked for at a block, and last")
    func esploraMany() async throws {
        let node = BlocksNode { _, _ in nil }
        let scanner = EsploraScanner(transport: node, network: .regtest)
        let source = try AddressSource(extendedKey: CryptoWorld.account, network: .regtest)
        let (open, moving, unsettled) = (try source.address(0), try source.address(1), try source.address(2))
        func watched(
            _ address: String, _ second: Int64, isOpen: Bool = false, isMoving: Bool = false, isUnsettled: Bool = false
        ) -> WatchedAddress {
            let since: Instant = CryptoWorld.start + .seconds(second)
            return WatchedAddress(
                attemptID: .new(at: since), provider: "bitcoin", address: address, isOpen: isOpen, since: since,
                isMoving: isMoving, isUnsettled: isUnsettled)
        }
        let quiet: [WatchedAddress] = (Int64(1)...1_000).map { watched(Self.ours, $0) }
        let addresses: [WatchedAddress] =
            quiet + [
                watched(open, 1_001, isOpen: true), watched(moving, 0, isMoving: true, isUnsettled: true),
                watched(unsettled, -1, isUnsettled: true),
            ]
        func asked(after step: TrailAdvance) async throws -> (paths: [String], seen: Set<AttemptID>) {
            let before: Int = node.calls.count
            let seen: [AttemptID: Sighting] = try await scanner.sightings(of: addresses, after: step, isWhole: true)
            return (Array(node.calls.dropFirst(before)), Set(seen.keys))
        }
        func path(_ address: String) -> String { "/address/\(address)/txs" }
        let urgent: [String] = [path(open), path(moving)]

        let block: TrailAdvance = try await scanner.reader.catchUp(ChainTrail(depth: 10), startingAt: 118)
        #expect(block.added.count == 3)
        let first = try await asked(after: block)
        #expect(Array(first.paths.prefix(2)) == urgent)
        #expect(first.paths.count == 2 + EsploraScanner.quietLimit)
        // The newest are always among them.
        #expect(first.seen.isSuperset(of: quiet.suffix(100).map(\.attemptID)))

        let nothing: TrailAdvance = try await scanner.reader.catchUp(block.trail)
        #expect(nothing.added.isEmpty)
        let between = try await asked(after: nothing)
        #expect(between.paths == urgent)

        var left: ChainTrail = block.trail
        try left.append(
            BlockHeader(
                ref: BlockRef(height: 121, hash: digits(9)), parentHash: digits(120),
                time: Instant(seconds: BlocksNode.time(121))))
        let undone: TrailAdvance = try await scanner.reader.catchUp(left)
        #expect(undone.undone.count == 1 && undone.added.isEmpty)
        let after = try await asked(after: undone)
        #expect(after.paths == urgent + [path(unsettled)])
    }

    @Test("Esplora: where 50 transactions of an address wait, which is all that a server tells, more may")
    func esploraPool() async throws {
        let cases: [(UInt64, Sighting.Extent)] = [(49, .whole), (50, .truncated)]
        for (count, extent) in cases {
            let node = BlocksNode { path, _ in
                guard path == "/address/\(Self.ours)/txs" else { return nil }
                return .array(
                    (0..<count).map { number in
                        [
                            "txid": .string(digits(number)),
                            "vout": [["scriptpubkey": .string(Self.script), "value": 546]],
                            "status": ["confirmed": false],
                        ]
                    })
            }
            let scanner = EsploraScanner(transport: node, network: .regtest)
            let step: TrailAdvance = try await step(scanner.reader)
            let seen: Sighting? = try await scanner.sightings(of: [watched()], after: step, isWhole: true)[Self.attempt]
            #expect(seen?.extent == extent)
            #expect(seen?.unconfirmed?.count == Int(count))
        }
    }

    @Test("a node's answers are read up to 64 MiB, and one that is longer is told from one that does not come")
    func longAnswers() async throws {
        func node(_ server: LongServer) -> NodeTransport {
            NodeTransport(
                url: Secret("http://127.0.0.1:\(server.port)"), credentials: nil, transport: ProviderHTTP.shared)
        }
        let long = LongServer(5 << 20, requests: 2)
        #expect(try await node(long).get("/block").body.count == 5 << 20)
        let request = ProviderHTTPRequest(method: "GET", url: "http://127.0.0.1:\(long.port)/charge", headers: [])
        await #expect(throws: ProviderFault.unusable("an answer of more than 4194304 bytes")) {
            try await ProviderHTTP.shared.send(request)
        }
        let endless = LongServer((64 << 20) + 1, requests: 1)
        await #expect(throws: ChainFault.tooMuch("answer")) { try await node(endless).get("/block") }
    }
}
