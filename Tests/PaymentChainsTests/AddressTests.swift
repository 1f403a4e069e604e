import Testing

import PaymentChains

@Suite("Extended public keys") struct ExtendedPublicKeyTests {
    @Test("every published key reads and writes back", arguments: BIP32Vectors.keys) func keys(text: String) throws {
        #expect(try ExtendedPublicKey(parsing: text).description == text)
    }

    @Test("every published step that needs no private key gives the published child", arguments: BIP32Vectors.steps)
    func steps(parent: String, number: UInt32, child: String) throws {
        #expect(try ExtendedPublicKey(parsing: parent).child(number).description == child)
    }

    /// Source: BIP-32 and SLIP-132 for the versions. The keys are made when the test runs.
    @Test(
        "private keys of every version are refused as such",
        arguments: [
            0x0488_ADE4, 0x0435_8394, 0x04B2_430C, 0x045F_18BC, 0x049D_7878, 0x044A_4E28, 0x0295_B005, 0x02AA_7A99,
        ] as [UInt32])
    func privateKeys(version: UInt32) {
        let code: [UInt8] = (0..<4).map { UInt8(truncatingIfNeeded: version >> (24 - 8 * UInt32($0))) }
        let rest: [UInt8] = [3] + (0..<40).map { _ in UInt8.random(in: 0...255) } + [0]
        let key: [UInt8] = (0..<32).map { _ in UInt8.random(in: 0...255) }
        #expect(throws: AddressFault.privateKey) {
            try ExtendedPublicKey(parsing: Base58Check.encode(code + rest + key))
        }
    }

    @Test("the published invalid keys are refused", arguments: BIP32Vectors.invalid)
    func invalid(text: String, fault: AddressFault) {
        #expect(throws: fault) { try ExtendedPublicKey(parsing: text) }
    }

    @Test("hardened children and keys beyond 255 steps are refused") func limits() throws {
        var key = try ExtendedPublicKey(parsing: BIP32Vectors.keys[0])
        #expect(throws: AddressFault.unsupported) { try key.child(1 << 31) }
        for _ in 0..<255 { key = try key.child(7) }
        #expect(key.depth == 255)
        #expect(throws: AddressFault.unsupported) { try key.child(7) }
        #expect(try ExtendedPublicKey(parsing: key.description) == key)
    }

    @Test("text that is no key is refused, however long")
    func noKeys() {
        for text in ["", "xpub", "0OIl", String(repeating: "1", count: 100_000), "xpüb"] {
            #expect(throws: AddressFault.self) { try ExtendedPublicKey(parsing: text) }
        }
    }
}

@Suite("Accounts") struct AccountTests {
    /// Source: BIP-84, section "Test vectors".
    static let zpub: String =
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG"
        + "1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
    /// The same key under the other version.
    static let xpub: String =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksV"
        + "FkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"

    @Test("Bitcoin's account gives the published addresses", arguments: [Self.zpub, Self.xpub])
    func bitcoin(text: String) throws {
        let key = try ExtendedPublicKey(parsing: text)
        let account = try BitcoinAccount(account: key, network: .main)
        #expect(try account.address(0).text == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")
        #expect(try account.address(1).text == "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")
        let change = try BitcoinAddress.witness(publicKey: try key.child(1).child(0).publicKey, network: .main)
        #expect(change.text == "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el")
        #expect(
            Hex.encode(try key.child(0).child(0).publicKey)
                == "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c")
    }

    @Test("the root key of the vectors is read but is no account") func root() throws {
        let text: String =
            "zpub6jftahH18ngZxLmXaKw3GSZzZsszmt9WqedkyZde"
            + "zFtWRFBZqsQH5hyUmb4pCEeZGmVfQuP5bedXTB8is6fTv19U1GQRyQUKQGUTzyHACMF"
        let key = try ExtendedPublicKey(parsing: text)
        #expect(key.depth == 0 && key.version == .zpub && key.description == text)
        #expect(throws: AddressFault.unsupported) { try BitcoinAccount(account: key, network: .main) }
    }

    @Test("every network has its own addresses, and a key of test networks gives none on the main one")
    func networks() throws {
        let key = try ExtendedPublicKey(parsing: Self.zpub)
        let texts: [String] = try BitcoinNetwork.allCases.map {
            try BitcoinAccount(account: key, network: $0).address(0).text
        }
        #expect(texts[1].hasPrefix("tb1q") && texts[2].hasPrefix("bcrt1q"))
        for (text, network) in zip(texts, BitcoinNetwork.allCases) {
            let address = try BitcoinAddress(parsing: text, network: network)
            #expect(Hex.encode(address.script) == "0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2")
            for other in BitcoinNetwork.allCases where other != network {
                #expect(throws: AddressFault.network) { try BitcoinAddress(parsing: text, network: other) }
            }
        }
        let vpub: String = Self.reversioned(key, to: .vpub)
        let test = try ExtendedPublicKey(parsing: vpub)
        #expect(throws: AddressFault.network) { try BitcoinAccount(account: test, network: .main) }
        #expect(try BitcoinAccount(account: test, network: .regtest).address(0).text == texts[2])
    }

    @Test("an EVM account gives an address per number, and no segwit key is taken") func evm() throws {
        let account = try EVMAccount(account: try ExtendedPublicKey(parsing: Self.xpub))
        let addresses: [EVMAddress] = try (0..<20).map { try account.address($0) }
        #expect(Set(addresses).count == 20)
        #expect(throws: AddressFault.unsupported) {
            try EVMAccount(account: try ExtendedPublicKey(parsing: Self.zpub))
        }
        #expect(throws: AddressFault.unsupported) { try account.address(1 << 31) }
    }

    /// Source: the first key of BIP-84's vectors; and the curve's generator, the key of the private number one, whose
    /// address is well known.
    @Test("the generator's address is the known one") func generator() throws {
        let point = try #require(
            CurvePoint(Hex.decode("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798") ?? []))
        #expect(
            try EVMAddress(publicKey: point.uncompressed).description == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
        #expect(
            try BitcoinAddress.witness(publicKey: point.compressed, network: .main).text
                == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    }

    private static func reversioned(_ key: ExtendedPublicKey, to version: ExtendedPublicKey.Version) -> String {
        let code: [UInt8] = (0..<4).map { UInt8(truncatingIfNeeded: version.rawValue >> (24 - 8 * UInt32($0))) }
        let number: [UInt8] = (0..<4).map { UInt8(truncatingIfNeeded: key.childNumber >> (24 - 8 * UInt32($0))) }
        let rest: [UInt8] = [key.depth] + key.parentFingerprint + number + key.chainCode + key.publicKey
        return Base58Check.encode(code + rest)
    }
}

@Suite("Bitcoin addresses") struct BitcoinAddressTests {
    @Test("the published texts are Bech32 and not Bech32m", arguments: SegwitVectors.validBech32)
    func bech32(text: String) throws {
        let parts: Bech32.Text = try Bech32.decode(text)
        #expect(parts.variant == .bech32)
        #expect(
            Bech32.encode(prefix: parts.prefix, groups: parts.groups, variant: .bech32) == text.lowercased())
    }

    @Test("the published texts are Bech32m and not Bech32", arguments: SegwitVectors.validBech32m)
    func bech32m(text: String) throws {
        let parts: Bech32.Text = try Bech32.decode(text)
        #expect(parts.variant == .bech32m)
        #expect(
            Bech32.encode(prefix: parts.prefix, groups: parts.groups, variant: .bech32m) == text.lowercased())
    }

    @Test("the published invalid texts are refused", arguments: SegwitVectors.invalidBech32)
    func invalid(text: String) { #expect(!isValid(text, .bech32)) }

    @Test("the published invalid texts of the later variant are refused", arguments: SegwitVectors.invalidBech32m)
    func invalidLater(text: String) { #expect(!isValid(text, .bech32m)) }

    @Test("the published addresses stand for the published scripts", arguments: SegwitVectors.addresses)
    func scripts(text: String, script: String) throws {
        let network: BitcoinNetwork = text.lowercased().hasPrefix("bc") ? .main : .test
        let address = try BitcoinAddress(parsing: text, network: network)
        #expect(Hex.encode(address.script) == script && address.text == text.lowercased())
    }

    @Test("the published invalid addresses are refused on every network", arguments: SegwitVectors.invalidAddresses)
    func invalidAddresses(text: String) {
        for network in BitcoinNetwork.allCases {
            #expect(throws: AddressFault.self) { try BitcoinAddress(parsing: text, network: network) }
        }
    }

    /// Source: the examples of the Bitcoin wiki, "Invoice address".
    @Test(
        "older addresses stand for their scripts",
        arguments: [
            ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac"),
            ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
        ])
    func older(text: String, script: String) throws {
        #expect(Hex.encode(try BitcoinAddress(parsing: text, network: .main).script) == script)
        #expect(throws: AddressFault.network) { try BitcoinAddress(parsing: text, network: .test) }
        for index in text.indices {
            var wrong: String = text
            wrong.replaceSubrange(index...index, with: text[index] == "2" ? "3" : "2")
            #expect(throws: AddressFault.self) { try BitcoinAddress(parsing: wrong, network: .main) }
        }
    }

    private func isValid(_ text: String, _ variant: Bech32.Variant) -> Bool {
        do throws(AddressFault) {
            return try Bech32.decode(text).variant == variant
        } catch {
            return false
        }
    }
}

@Suite("EVM addresses") struct EVMAddressTests {
    /// Source: ERC-55, section "Test Cases".
    static let checksummed: [String] = [
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ]

    @Test("the published addresses are written as published, from any single case", arguments: Self.checksummed)
    func checksums(text: String) throws {
        #expect(try EVMAddress(parsing: text).description == text)
        #expect(try EVMAddress(parsing: text.lowercased()).description == text)
        #expect(try EVMAddress(parsing: "0x" + text.dropFirst(2).uppercased()).description == text)
        #expect(try EVMAddress(topic: EVMAddress(parsing: text).topic).description == text)
    }

    @Test("one letter in the wrong case is an error") func wrongCase() throws {
        let text: String = Self.checksummed[4]
        for index in text.indices.dropFirst(2) where text[index].isLetter {
            var wrong: String = text
            let letter: Character = text[index]
            wrong.replaceSubrange(index...index, with: letter.isUppercase ? letter.lowercased() : letter.uppercased())
            #expect(throws: AddressFault.checksum) { try EVMAddress(parsing: wrong) }
            #expect(try EVMAddress(ignoringCaseOf: wrong).description == text)
        }
    }

    @Test(
        "other text is refused",
        arguments: [
            "", "0x", "0x12", "0X52908400098527886E0F7030069857D2E4169EE7", "52908400098527886E0F7030069857D2E4169EE7",
            "0x52908400098527886E0F7030069857D2E4169EE", "0x52908400098527886E0F7030069857D2E4169EE70",
            "0x52908400098527886E0F7030069857D2E4169EG7", " 0x52908400098527886E0F7030069857D2E4169EE7", "vitalik.eth",
        ])
    func malformed(text: String) {
        #expect(throws: AddressFault.malformed) { try EVMAddress(parsing: text) }
    }
}
