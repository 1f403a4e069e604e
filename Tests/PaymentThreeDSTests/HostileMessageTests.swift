import BillingCore
import JSON
import PaymentThreeDS
import TestKit
import Testing

@Suite("Hostile messages") struct HostileMessageTests {
    /// Changes a message as a bad line or a bad party would.
    private func mutated(_ bytes: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var changed = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !changed.isEmpty {
            let at = Int.random(in: 0..<changed.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: changed[at] = UInt8.random(in: .min ... .max, using: &random)
            case 1: changed.remove(at: at)
            case 2: changed.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: at)
            case 3: changed.removeLast(Int.random(in: 0...min(30, changed.count), using: &random))
            default: changed[at] = Array("\"{}[]:,0\\YNRA".utf8).randomElement(using: &random) ?? 0
            }
        }
        return changed
    }

    /// Whether the bytes still say a yes for this authentication, read by other means.
    private func saysYes(_ bytes: [UInt8], _ authentication: Authentication) -> Bool {
        guard let value = try? parseJSON(bytes) else { return false }
        return ["Y", "A"].contains(value["transStatus"]?.stringValue)
            && value["threeDSServerTransID"] == .string(authentication.id.description)
            && value["authenticationValue"]?.stringValue?.utf8.count == 28
    }

    @Test("no change of an ARes crashes, and none makes a yes of what does not say yes") func responses() throws {
        var random = Seeded()
        let terms = try terms(decoupledMinutes: 5)
        for round in 0..<6_000 {
            var authentication = try asked(terms)
            let bytes = mutated(response(authentication, ["Y", "A", "C", "D", "N", "R", "U"][round % 7]), &random)
            _ = try authentication.receive(bytes, at: start)
            guard let outcome = authentication.outcome, outcome.permission(.lenient) == .authorize else { continue }
            #expect(saysYes(bytes, authentication), "seed \(random.seed)")
        }
    }

    @Test("no change of an RReq crashes, decides twice, or makes a yes of what does not say yes") func results() throws
    {
        var random = Seeded()
        for round in 0..<6_000 {
            var authentication = try challenged()
            let bytes = mutated(result(authentication, ["Y", "A", "N", "R", "U"][round % 5]), &random)
            guard let request = try? ResultRequest(bytes) else { continue }
            let answer = authentication.apply(request, at: start)
            #expect(answer.isDecision == (authentication.outcome != nil), "seed \(random.seed)")
            #expect(authentication.apply(request, at: start).isDecision == false, "seed \(random.seed)")
            if authentication.outcome?.permission(.lenient) == .authorize {
                #expect(saysYes(bytes, authentication), "seed \(random.seed)")
                #expect(request.id == authentication.id, "seed \(random.seed)")
            }
        }
    }

    @Test("no change of what a browser brings crashes or decides") func browsers() throws {
        var random = Seeded()
        for _ in 0..<3_000 {
            var authentication = try challenged()
            let inner = mutated(try #require(Base64.url.decode(returned(authentication))), &random)
            let field: String =
                Bool.random(using: &random)
                ? Base64.url.encode(inner)
                : String(decoding: mutated(Array(returned(authentication).utf8), &random), as: UTF8.self)
            if let response = try? ChallengeResponse(field) {
                try? authentication.cardholderReturned(response, session: nil, at: start)
            }
            #expect(authentication.outcome == nil, "seed \(random.seed)")
            _ = try? MethodNotification(field)
        }
    }

    @Test("random walks end in one outcome, which no further message changes") func walks() throws {
        var random = Seeded()
        for _ in 0..<1_500 {
            var authentication = try asked(try terms())
            var now = start
            var ended: AuthenticationOutcome?
            for _ in 0..<12 {
                now = now + .seconds(Int.random(in: 0...200, using: &random))
                let status: String = ["Y", "A", "N", "R", "U"].randomElement(using: &random) ?? "N"
                switch Int.random(in: 0..<5, using: &random) {
                case 0: _ = try? authentication.receive(response(authentication, "C"), at: now)
                case 1: _ = try? authentication.beginChallenge(window: .fullPage, at: now)
                case 2: _ = authentication.apply(try ResultRequest(result(authentication, status)), at: now)
                case 3:
                    try? authentication.cardholderReturned(
                        try ChallengeResponse(returned(authentication, "Y")), session: nil, at: now)
                default: authentication.expire(at: now)
                }
                if let ended { #expect(authentication.outcome == ended, "seed \(random.seed)") }
                ended = authentication.outcome
                if ended?.permission(.lenient) == .authorize {
                    #expect(authentication.result != nil, "seed \(random.seed)")
                }
            }
        }
    }
}
