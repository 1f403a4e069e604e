import BillingCore
import HTTPKit
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit

extension Principal {
    static let ada = Principal(id: "key_ada", scopes: .none)
    static let bob = Principal(id: "key_bob", scopes: .none)
    static let carol = Principal(id: "key_carol", scopes: .none)
}

/// The steps of giving back.
extension CryptoWorld {
    /// A payment that was captured, and where it was paid.
    func captured(_ paid: UInt128 = due) async throws -> (request: ChargeRequest, address: String) {
        let (request, address) = try await opened()
        chain.pay(address, paid)
        chain.mine(2)
        try await look()
        return (request, address)
    }

    func refund(_ address: String, _ minor: Int64, id: RefundID? = nil) async throws -> RefundAnswer {
        try await provider().refund(
            RefundRequest(
                idempotencyKey: id ?? .new(at: clock.now), reference: address,
                amount: Money(minor: minor, currency: .usd)))
    }

    /// Where the payer wants it: an address of nobody in these tests.
    static let payer = "bcrt1q8c6fshw2dlwun7ekn9qwf37cu2rn755ufhry49"

    func direct(
        _ id: RefundID, to address: String = payer, by principal: Principal = .bob
    ) async throws -> InstructionRecord {
        let accepted: AcceptedAssets = accepted
        return try await database.transaction { db in
            try SignOff.direct(id, to: address, by: principal, accepted, in: db)
        }
    }

    func send(
        _ id: RefundID, _ transaction: String, _ fingerprint: String, by signer: Principal = .ada
    ) async throws {
        let (accepted, now): (AcceptedAssets, Instant) = (accepted, clock.now)
        let text = #"{"transaction_id":"\#(transaction)","fingerprint":"\#(fingerprint)"}"#
        let input: InstructionSentInput = try decode(InstructionSentInput.self, from: parseJSON(text))
        try await database.transaction { db in
            _ = try SignOff.send(id, input, by: signer, at: now, accepted, in: db)
        }
    }

    func fingerprint(_ record: InstructionRecord) throws -> String {
        try record.instruction(asset.asset)?.fingerprint ?? ""
    }
}
