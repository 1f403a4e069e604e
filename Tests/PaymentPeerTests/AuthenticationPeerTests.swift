import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import PaymentThreeDS
import Postgres
import TestKit
import Testing

@Suite("The service against the double of a directory server and issuer", .serialized) struct AuthenticationPeerTests {
    @Test("the issuer's first word decides, as its scheme has it") func frictionless() async throws {
        try await withAuthenticationPeer { world in
            let table: [(card: String, country: String?, status: PaymentStatus, note: String)] = [
                ("5200000000000007", "FR", .succeeded, "authenticated 02 issuer"),
                ("4000000000000044", nil, .succeeded, "attempted 06 issuer"),
                ("4000000000000028", nil, .failed, "not_authenticated - merchant"),
                ("4000000000000051", nil, .failed, "rejected - merchant"),
                ("4000000000000036", nil, .succeeded, "unavailable/issuer - merchant"),
                ("4000000000000093", nil, .succeeded, "unavailable/no_answer - merchant"),
                ("4000000000000119", nil, .succeeded, "unavailable/no_answer - merchant"),
                ("4000000000000127", nil, .failed, "unavailable/unusable_answer - merchant"),
                ("4000000000000135", nil, .failed, "unavailable/unusable_answer - merchant"),
                ("4000000000000143", "FR", .failed, "unavailable/unusable_answer - merchant"),
            ]
            for row in table {
                let (payment, code) = try await world.waiting(row.card, country: row.country)
                let step: JSONValue? = try await world.toEnd(code)["step"]
                #expect(step == (row.status == .failed ? "over" : "waiting"), "\(row.card)")
                let ended: PaymentRecord = try await world.ended(payment)
                #expect(ended.status == row.status && world.note(ended) == row.note, "\(row.card) \(world.note(ended))")
            }
            #expect(try await world.violations() == [])
        }
    }

    @Test("a merchant that wants no unauthenticated charge declines them") func strict() async throws {
        try await withAuthenticationPeer(policy: .strict) { world in
            for card in ["4000000000000036", "4000000000000093"] {
                let (payment, code) = try await world.waiting(card)
                _ = try await world.toEnd(code)
                #expect(try await world.ended(payment).decline == .authenticationFailed)
            }
        }
    }

    @Test("a challenge ends as the RReq says, whatever the browser brings") func challenges() async throws {
        try await withAuthenticationPeer { world in
            let table: [(result: String, order: String, status: PaymentStatus)] = [
                ("Y", "rreq_first", .succeeded), ("N", "rreq_first", .failed), ("cancel", "rreq_first", .failed),
                ("Y", "cres_first", .succeeded), ("Y", "rreq_twice", .succeeded), ("timeout", "rreq_first", .failed),
            ]
            for card in ["4000000000000010", "4000000000000101", "5200000000000015"] {
                for row in table {
                    let (payment, code) = try await world.waiting(card)
                    let challenge: JSONValue = try await world.toEnd(code)
                    #expect(challenge["step"] == "challenge", "\(card)")
                    try await world.challenge(challenge, row.result, row.order)
                    let ended: PaymentRecord = try await world.ended(payment)
                    #expect(ended.status == row.status, "\(card) \(row.result) \(row.order)")
                    #expect(ended.attempts == (row.status == .succeeded ? 2 : 1))
                    #expect(
                        ended.authentication?.liability == (row.status == .succeeded ? "issuer" : "merchant"))
                    #expect(try await world.step(code)["step"] == "over")
                }
            }
            // The script of the issuers that have one had run; every result was answered as the protocol wants it.
            let log: [JSONValue] = try await world.log()
            let asked: [JSONValue] = log.compactMap { $0["got"] }
            #expect(asked.count == 18)
            #expect(asked.filter { $0["threeDSCompInd"] == "Y" }.count == 12)
            #expect(asked.filter { $0["threeDSCompInd"] == "U" }.count == 6)
            #expect(asked.allSatisfy { $0["threeDSRequestorChallengeInd"] == "04" })
            let results: [JSONValue] = log.filter { $0["sent"] == "RReq" }
            #expect(results.count == 21 && results.allSatisfy { $0["valid_rres"] == true })
            #expect(try await world.violations() == [])
        }
    }

    @Test("a browser that lies gets nothing; who never comes back has said no") func forged() async throws {
        try await withAuthenticationPeer { world in
            let (payment, code) = try await world.waiting("4000000000000010")
            try await world.challenge(try await world.toEnd(code), "Y", "forged_cres")
            #expect(try await world.step(code)["step"] == "waiting")
            #expect(try await world.payment(payment).status == .requiresAction)
            world.clock.advance(by: .seconds(61))
            try await world.authenticate.sweep()
            #expect(try await world.ended(payment).decline == .authenticationFailed)

            let (second, later) = try await world.waiting("4000000000000010")
            _ = try await world.toEnd(later)
            world.clock.advance(by: .seconds(601))
            try await world.authenticate.sweep()
            #expect(try await world.ended(second).decline == .authenticationFailed)
        }
    }

    @Test("an issuer that asks on its own way is waited for, and not for ever") func decoupled() async throws {
        try await withAuthenticationPeer { world in
            let (payment, code) = try await world.waiting("4000000000000077")
            #expect(try await world.toEnd(code)["step"] == "decoupled")
            try await world.complete(try await world.lastIssuerID(), "Y", "rreq_first")
            #expect(try await world.ended(payment).authentication?.liability == "issuer")

            let (second, later) = try await world.waiting("4000000000000077")
            #expect(try await world.toEnd(later)["step"] == "decoupled")
            world.clock.advance(by: .seconds(359))
            try await world.authenticate.sweep()
            #expect(try await world.payment(second).status == .requiresAction)
            world.clock.advance(by: .seconds(2))
            try await world.authenticate.sweep()
            #expect(try await world.ended(second).decline == .authenticationFailed)
        }
    }
}
