import BillingCore
import PaymentThreeDS
import Synchronization
import Testing

/// Answers as it is told, and counts.
private final class FakeTransport: DirectoryTransport {
    private let answer: Result<DirectoryReply, DirectoryFault>
    private let sent = Mutex<[[UInt8]]>([])

    init(_ answer: Result<DirectoryReply, DirectoryFault>) { self.answer = answer }

    var messages: [[UInt8]] { sent.withLock { $0 } }

    func post(_ message: [UInt8], maxBytes: Int) async throws(DirectoryFault) -> DirectoryReply {
        sent.withLock { $0.append(message) }
        return try answer.get()
    }
}

@Suite("A directory server") struct DirectoryServerTests {
    @Test("an AReq goes out once, whatever becomes of it") func once() async throws {
        let large = [UInt8](repeating: 0x20, count: DirectoryServer.maxAnswerBytes + 1)
        let table: [(Result<DirectoryReply, DirectoryFault>, DirectoryFault)] = [
            (.failure(.timedOut), .timedOut), (.failure(.notSent), .notSent),
            (.success(DirectoryReply(status: 500, body: [])), .status(500)),
            (.success(DirectoryReply(status: 302, body: [])), .status(302)),
            (.success(DirectoryReply(status: 200, body: large)), .unusable),
        ]
        for (answer, fault) in table {
            let transport = FakeTransport(answer)
            await #expect(throws: fault) { try await DirectoryServer(transport: transport).ask([1, 2, 3]) }
            #expect(transport.messages == [[1, 2, 3]])
        }
    }

    @Test("a frictionless authentication runs from the card's range to the outcome") func frictionless() async throws {
        var authentication = Authentication(terms: try terms(), range: plainRange)
        let message = try authentication.ask(as: profile, cardholder, browser: browser, at: start)
        let reply = DirectoryReply(status: 200, body: response(authentication, "Y"))
        let directory = DirectoryServer(transport: FakeTransport(.success(reply)))
        let error = try authentication.receive(try await directory.ask(message), at: start)
        #expect(error == nil && authentication.outcome?.permission(.strict) == .authorize)
        #expect(authentication.outcome?.value?.base64 == cavv && authentication.outcome?.indicator == "05")
    }

    @Test("a card that is in no range is not asked about, and the policy decides") func notEnrolled() {
        let outcome = AuthenticationOutcome.unavailable(.notEnrolled, at: start)
        #expect(outcome.permission(.strict) == .refuse)
        #expect(outcome.permission(.lenient) == .authorizeUnauthenticated && outcome.liability == .merchant)
    }
}
