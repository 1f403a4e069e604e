import BillingCore
import Crypto
import JSON
import PaymentWallets
import PKI
import Testing

@Suite("Apple Pay signatures and certificates") struct ApplePaySignatureTests {
    let apple = ApplePayWriter()

    /// A token with the chain changed, and the decryptor that trusts the unchanged one's root.
    private func refusal(_ expected: WalletTokenError, _ change: (inout TestChain) -> Void) throws {
        var writer = apple
        change(&writer.chain)
        let token = try writer.token()
        expectRefusal(expected) { try apple.decryptor().decrypt(token, at: World.now) }
    }

    @Test("a chain to another root is not trusted, whatever the names say") func otherRoot() throws {
        let token = try apple.token()
        let stranger = try apple.decryptor(chain: TestChain())
        expectRefusal(.certificateChain) { try stranger.decrypt(token, at: World.now) }
    }

    @Test("each certificate must bear the extension that says what it is for") func markers() throws {
        try refusal(.leafMarker) { $0.leaf.marker = nil }
        try refusal(.leafMarker) { $0.leaf.marker = TestCertificate.intermediateMarker }
        try refusal(.leafMarker) { $0.leaf.marker = "1.2.840.113635.100.6.30" }
        try refusal(.intermediateMarker) { $0.intermediate.marker = nil }
        try refusal(.intermediateMarker) { $0.intermediate.marker = TestCertificate.leafMarker }
    }

    @Test("every certificate must be valid now") func validity() throws {
        let (past, future) = (World.now - .seconds(1), World.now + .seconds(1))
        try refusal(.certificateChain) { $0.leaf.notAfter = past }
        try refusal(.certificateChain) { $0.leaf.notBefore = future }
        try refusal(.certificateChain) { $0.intermediate.notAfter = past }
        try refusal(.certificateChain) { $0.intermediate.notBefore = future }
        var writer = apple
        writer.chain.root.notAfter = past
        let token = try writer.token()
        expectRefusal(.certificateChain) { try writer.decryptor().decrypt(token, at: World.now) }
    }

    @Test("a remembered chain is asked again about the time") func rememberedChain() throws {
        var writer = apple
        writer.chain.leaf.notAfter = World.now + .seconds(10)
        let token = try writer.token()
        let decryptor = try writer.decryptor()
        for _ in 0..<2 { #expect(try decryptor.decrypt(token, at: World.now).amount != nil) }
        #expect(try decryptor.decrypt(token, at: World.now + .seconds(10)).amount != nil)
        expectRefusal(.certificateChain) { try decryptor.decrypt(token, at: World.now + .seconds(11)) }
    }

    @Test("an intermediate must be an authority, and signed by the root") func authority() throws {
        try refusal(.certificateChain) { $0.intermediate.isAuthority = false }
        try refusal(.certificateChain) { $0.root.key = .p384(P384.Signing.PrivateKey()) }
        let (leaf, stranger) = (try apple.chain.leafDER(), TestChain())
        let parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        let strangers: [[UInt8]] = [leaf, try stranger.intermediateDER()]
        for certificates in [[leaf], strangers] {
            let token = try apple.signed(parts) { $0.certificates = certificates }.json.serialized
            expectRefusal(.certificateChain) { try apple.decryptor().decrypt(token, at: World.now) }
        }
    }

    @Test("a certificate that is no part of the chain may not come along") func stowaway() throws {
        let (leaf, middle) = (try apple.chain.leafDER(), try apple.chain.intermediateDER())
        let stranger: [UInt8] = try TestChain().rootCertificate().der
        let parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        let token = try apple.signed(parts) { $0.certificates = [leaf, middle, stranger] }.json.serialized
        expectRefusal(.certificateChain) { try apple.decryptor().decrypt(token, at: World.now) }
    }

    @Test("a chain of two or of four is not Apple's") func length() throws {
        var short = apple
        short.chain.intermediate = short.chain.root
        let parts = try short.ecParts(ApplePayWriter.payment.serialized)
        let leafOnly: [[UInt8]] = [try short.chain.leafDER()]
        let two = try short.signed(parts) { $0.certificates = leafOnly }.json.serialized
        expectRefusal(.certificateChain) { try short.decryptor().decrypt(two, at: World.now) }

        var long = apple
        var middle: TestCertificate = long.chain.intermediate
        middle.name = "Test Sub CA"
        middle.key = .fresh256()
        middle.serial = 9
        let middleDER: [UInt8] = try middle.signed(by: long.chain.intermediate)
        let upper: [UInt8] = try long.chain.intermediateDER()
        long.chain.intermediate = middle
        let all: [[UInt8]] = [try long.chain.leafDER(), middleDER, upper]
        let four = try long.signed(parts) { $0.certificates = all }.json.serialized
        expectRefusal(.certificateChain) { try apple.decryptor().decrypt(four, at: World.now) }
    }

    @Test("a signature by another key than the leaf's, or whose certificate is missing, is wrong") func signer() throws
    {
        var thief = apple
        thief.chain.leaf.key = .fresh256()
        let (leaf, upper) = (try apple.chain.leafDER(), try apple.chain.intermediateDER())
        let parts = try thief.ecParts(ApplePayWriter.payment.serialized)
        let forged = try thief.signed(parts) { $0.certificates = [leaf, upper] }.json.serialized
        expectRefusal(.signature) { try apple.decryptor().decrypt(forged, at: World.now) }
        let unsigned = try apple.signed(parts) { $0.certificates = [upper] }.json.serialized
        expectRefusal(.signature) { try apple.decryptor().decrypt(unsigned, at: World.now) }
    }

    @Test("SignedData of another shape is refused") func shape() throws {
        let parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        let changes: [(inout TestSignature) -> Void] = [
            { $0.attachesContent = true }, { $0.hasAttributes = false }, { $0.signers = 0 }, { $0.signers = 2 },
        ]
        for change in changes {
            let token = try apple.signed(parts, change).json.serialized
            expectRefusal(.malformed("signature")) { try apple.decryptor().decrypt(token, at: World.now) }
        }
        var trailing = try apple.signed(parts)
        trailing.signature.append(0)
        expectRefusal(.malformed("signature")) {
            try apple.decryptor().decrypt(trailing.json.serialized, at: World.now)
        }
        let weak = try apple.signed(parts) { $0.digest = "1.3.14.3.2.26" }.json.serialized
        expectRefusal(.malformed("signature")) { try apple.decryptor().decrypt(weak, at: World.now) }
    }
}

@Suite("Certificates") struct CertificateTests {
    let chain = TestChain()

    @Test("are read from DER and from PEM, whole or not at all") func reading() throws {
        let der: [UInt8] = try chain.leafDER()
        let certificate = try Certificate(der: der)
        #expect(certificate.der == der)
        #expect(certificate.notBefore == World.now - .seconds(86_400))
        #expect(certificate.notAfter == World.now + .seconds(86_400))
        let block = "-----BEGIN CERTIFICATE-----\n\(base64(der))\n-----END CERTIFICATE-----\n"
        #expect(try Certificate.reading(pem: "first\n\(block)then\n\(block)") == [certificate, certificate])
        for pem in ["", "nothing", block + block.replacing("MI", with: "MJ"), String(block.dropLast(40))] {
            #expect(throws: CertificateError.malformed) { try Certificate.reading(pem: pem) }
        }
        for bytes in [[], [0x30], der + [0], Array(der.dropLast())] as [[UInt8]] {
            #expect(throws: CertificateError.malformed) { try Certificate(der: bytes) }
        }
        #expect(throws: CertificateError.tooLarge) { try Certificate(der: [UInt8](repeating: 48, count: 16_385)) }
    }

    @Test("give the content of an extension by its identifier") func extensions() throws {
        let certificate = try Certificate(der: try chain.leafDER())
        #expect(certificate.extensionValue(TestCertificate.leafMarker) == DER.null)
        #expect(certificate.extensionValue(TestCertificate.intermediateMarker) == nil)
        #expect(certificate.extensionValue("2.5.29.15") == [0x03, 0x02, 0x07, 0x80])
        #expect(certificate.extensionValue("not an identifier") == nil)
    }

    @Test("verify signatures of their own key, ECDSA and RSA") func signatures() throws {
        let message: [UInt8] = Array("a message".utf8)
        for key in [SigningKey.fresh256(), .rsa(try ApplePayWriter.rsaSigner.get())] {
            let chain = TestChain(leafKey: key)
            let certificate = try Certificate(der: try chain.leafDER())
            let signature: [UInt8] = try key.sign(message)
            #expect(certificate.verifies(signature, over: message))
            #expect(!certificate.verifies(signature, over: message + [0]))
            #expect(!certificate.verifies(Array(signature.dropLast()), over: message))
            #expect(!certificate.verifies([], over: []))
        }
    }

    @Test("form chains only to roots that are trusted, at times when all are valid") func chains() throws {
        let root = try chain.rootCertificate()
        let anchors = TrustAnchors([root])
        let leaf = try Certificate(der: try chain.leafDER())
        let middle = try Certificate(der: try chain.intermediateDER())
        for _ in 0..<2 {
            #expect(try anchors.chain(from: leaf, through: [middle], at: World.now) == [leaf, middle, root])
            #expect(throws: ChainError.untrusted) { try anchors.chain(from: leaf, through: [], at: World.now) }
            #expect(throws: ChainError.outsideValidity) {
                try anchors.chain(from: leaf, through: [middle], at: World.now + .seconds(86_401))
            }
        }
        #expect(throws: ChainError.untrusted) {
            try TrustAnchors([]).chain(from: leaf, through: [middle, root], at: World.now)
        }
    }
}
