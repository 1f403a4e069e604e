import BillingCore
import JSON
import PaymentDomain
import PaymentWallets
import TestKit
import Testing

@Suite("Damaged tokens") struct DamagedTokenTests {
    typealias Reader = @Sendable ([UInt8]) throws -> WalletCredential

    /// One right token of every kind and what reads it.
    private func tokens() throws -> [(name: String, token: [UInt8], read: Reader)] {
        let google = GooglePayWriter()
        let apple = ApplePayWriter()
        let fromGoogle = try google.decryptor()
        let fromApple = try apple.decryptor()
        return [
            ("ECv2", try google.token(GooglePayWriter.networkToken), { try fromGoogle.decrypt($0, at: World.now) }),
            ("EC_v1", try apple.token(), { try fromApple.decrypt($0, at: World.now) }),
            ("RSA_v1", try apple.token(isRSA: true), { try fromApple.decrypt($0, at: World.now) }),
        ]
    }

    @Test("are never accepted with one bit of their text turned over") func textBits() throws {
        var random = Seeded()
        for (name, token, read) in try tokens() {
            #expect(try read(token).number.last4 == String(World.token.suffix(4)))
            for _ in 0..<1_500 {
                let place = Int.random(in: 0..<token.count, using: &random)
                var damaged = token
                damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                #expect(throws: WalletTokenError.self, "\(name) at byte \(place)") { try read(damaged) }
            }
        }
    }

    @Test("are never accepted with one bit turned over inside what is signed or sealed") func innerBits() throws {
        var random = Seeded()
        let apple = ApplePayWriter()
        let decryptor = try apple.decryptor()
        let plain: [UInt8] = ApplePayWriter.payment.serialized
        for parts in [try apple.signed(apple.ecParts(plain)), try apple.signed(apple.rsaParts(plain))] {
            let whole = try decryptor.decrypt(parts.json.serialized, at: World.now)
            for _ in 0..<1_500 {
                var damaged = parts
                let bit = UInt8(1) << UInt8.random(in: 0...7, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: damaged.key[Int.random(in: 0..<parts.key.count, using: &random)] ^= bit
                case 1: damaged.data[Int.random(in: 0..<parts.data.count, using: &random)] ^= bit
                case 2: damaged.keyHash[Int.random(in: 0..<32, using: &random)] ^= bit
                default: damaged.signature[Int.random(in: 0..<parts.signature.count, using: &random)] ^= bit
                }
                let read: Result<WalletCredential, any Error> = Result {
                    try decryptor.decrypt(damaged.json.serialized, at: World.now)
                }
                if case .success(let credential) = read {
                    Issue.record("accepted: \(credential.facts == whole.facts)")
                }
            }
        }
    }

    @Test("are never accepted with any one bit of the signature and its certificates turned over") func everyBit()
        throws
    {
        let apple = ApplePayWriter()
        let decryptor = try apple.decryptor()
        let parts = try apple.signed(apple.ecParts(ApplePayWriter.payment.serialized))
        for place in parts.signature.indices {
            for bit in 0..<8 {
                var damaged: [UInt8] = parts.signature
                damaged[place] ^= 1 << UInt8(bit)
                #expect(throws: WalletTokenError.self, "bit \(bit) of byte \(place)") {
                    try decryptor.signingTime(ofSignature: damaged, over: parts.signedBytes, at: World.now)
                }
            }
        }
    }

    @Test("are never accepted cut off at any length, or followed by anything") func lengths() throws {
        for (_, token, read) in try tokens() {
            for count in stride(from: 0, to: token.count, by: 7) {
                #expect(throws: WalletTokenError.self) { try read(Array(token.prefix(count))) }
            }
            #expect(throws: WalletTokenError.malformed("token")) { try read(token + [0]) }
            #expect(throws: WalletTokenError.malformed("token")) { try read(token + token) }
        }
    }

    @Test("are refused unread when they are too large") func sizes() throws {
        for (_, token, read) in try tokens() {
            let padded: [UInt8] = token + [UInt8](repeating: 0x20, count: WalletToken.maxBytes - token.count)
            #expect(try read(padded).number.last4 == String(World.token.suffix(4)))
            expectRefusal(.tooLarge) { try read(padded + [0x20]) }
        }
    }

    @Test("never crash with bytes taken out, put in, doubled or replaced") func surgery() throws {
        var random = Seeded()
        for (_, token, read) in try tokens() {
            for _ in 0..<1_000 {
                var damaged = token
                for _ in 0...Int.random(in: 0...3, using: &random) {
                    let start = Int.random(in: 0..<damaged.count, using: &random)
                    let end = min(damaged.count, start + Int.random(in: 1...40, using: &random))
                    let piece: [UInt8] = Array(damaged[start..<end])
                    switch Int.random(in: 0...3, using: &random) {
                    case 0: damaged.removeSubrange(start..<end)
                    case 1: damaged.insert(contentsOf: piece, at: start)
                    case 2: damaged.replaceSubrange(start..<end, with: piece.reversed())
                    default: damaged.replaceSubrange(start..<end, with: piece.map { _ in .random(in: 32...126) })
                    }
                    if damaged.isEmpty { damaged = token }
                }
                guard damaged != token else { continue }
                #expect(throws: WalletTokenError.self) { try read(damaged) }
            }
        }
    }

    @Test("random bytes and deep or wide JSON are refused") func noise() throws {
        var random = Seeded()
        let deep: [UInt8] = Array(String(repeating: "[", count: 20_000).utf8)
        let wide: [UInt8] = Array("{\(String(repeating: "\"a\":1,", count: 3_000))\"b\":1}".utf8)
        for (_, _, read) in try tokens() {
            for count in 0..<200 {
                let bytes: [UInt8] = (0..<count * 8).map { _ in UInt8.random(in: 0...255, using: &random) }
                #expect(throws: WalletTokenError.malformed("token")) { try read(bytes) }
            }
            for bytes in [deep, wide] { #expect(throws: WalletTokenError.malformed("token")) { try read(bytes) } }
        }
    }
}
