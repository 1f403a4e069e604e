import PaymentAuthentication
import PaymentContract
import PaymentThreeDS
import Synchronization
import Testing

@Suite("Answers of a directory server") struct DirectoryLimitTests {
    /// Notes how long an answer may be, and has a longer one.
    private final class Verbose: ProviderTransport {
        private let limits = Mutex<[Int]>([])

        var asked: [Int] { limits.withLock { $0 } }

        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            limits.withLock { $0.append(request.maxAnswerBytes) }
            throw .unusable("an answer of more than \(request.maxAnswerBytes) bytes")
        }
    }

    @Test("may be long where they list ranges; one that is too long is told from one that does not come")
    func limits() async throws {
        let transport = Verbose()
        let server = ThreeDSServer(
            url: "https://directory.test", profile: DirectoryDouble().server.profile, transport: transport)
        #expect(await server.range(of: "4000000000000002", at: PaymentWorld.start) == nil)
        await #expect(throws: DirectoryFault.unusable) { try await server.ask([]) }
        #expect(transport.asked == [32 << 20, 64 << 10])
    }
}
