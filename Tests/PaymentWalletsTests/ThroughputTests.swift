import BillingCore
import Crypto
import Glibc
import JSON
import PaymentDomain
import PaymentWallets
import Testing

@Suite("Throughput", .serialized) struct ThroughputTests {
    /// Time that this thread spent computing, which other work on the machine does not add to.
    private func computed() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// What no token is opened without, on this machine now: two signatures checked and a key agreed on, a second.
    private func reference() throws -> Int64 {
        let signing = P256.Signing.PrivateKey()
        let agreeing = P256.KeyAgreement.PrivateKey()
        let peer = P256.KeyAgreement.PrivateKey().publicKey
        let message: [UInt8] = Array(repeating: 7, count: 400)
        let signature = try signing.signature(for: message)
        let start: Duration = computed()
        for _ in 0..<1_000 {
            for _ in 0..<2 { #expect(signing.publicKey.isValidSignature(signature, for: message)) }
            _ = try agreeing.sharedSecretFromKeyAgreement(with: peer)
        }
        return 1_000 * 1_000_000 / max(1, (computed() - start).wholeMicroseconds)
    }

    /// Different tokens under one chain, as they come in a day.
    private func appleTokens(isRSA: Bool, _ apple: ApplePayWriter) throws -> [[UInt8]] {
        let certificates: [[UInt8]] = [try apple.chain.leafDER(), try apple.chain.intermediateDER()]
        let plain: [UInt8] = ApplePayWriter.payment.serialized
        return try (0..<50).map { _ in
            let parts = try isRSA ? apple.rsaParts(plain) : apple.ecParts(plain)
            return try apple.signed(parts) { $0.certificates = certificates }.json.serialized
        }
    }

    @Test("tokens of each kind are decrypted one after the other, and the rate on one core is printed")
    func rates() throws {
        let google = GooglePayWriter()
        let apple = ApplePayWriter()
        let fromGoogle = try google.decryptor()
        let fromApple = try apple.decryptor()
        let kinds: [(String, [[UInt8]], ([UInt8]) throws -> WalletCredential)] = [
            (
                "ECv2", try (0..<50).map { _ in try google.token(GooglePayWriter.networkToken) },
                { try fromGoogle.decrypt($0, at: World.now) }
            ),
            ("EC_v1", try appleTokens(isRSA: false, apple), { try fromApple.decrypt($0, at: World.now) }),
            ("RSA_v1", try appleTokens(isRSA: true, apple), { try fromApple.decrypt($0, at: World.now) }),
        ]
        print("wallet tokens per second of one core, reference: \(try reference())")
        for (name, tokens, read) in kinds {
            var opened = 0
            let start: Duration = computed()
            for _ in 0..<40 {
                for token in tokens where try read(token).number.digits == World.token { opened += 1 }
            }
            let took: Int64 = max(1, (computed() - start).wholeMicroseconds)
            #expect(opened == 2_000)
            print("wallet tokens per second of one core, \(name): \(2_000 * 1_000_000 / took)")
        }
    }
}
