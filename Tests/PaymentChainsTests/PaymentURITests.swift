import BillingCore
import Testing

import PaymentChains

@Suite("Bitcoin URIs") struct BitcoinURITests {
    private static let address = "175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W"

    /// Source: BIP-21, section "Examples"; its addresses are invalid on purpose.
    @Test("the published examples are read") func examples() throws {
        let plain = try BitcoinURI(parsing: "bitcoin:\(Self.address)")
        #expect(plain.address == Self.address && plain.amount == nil && plain.label == nil && plain.message == nil)
        let amount = try BitcoinURI(parsing: "bitcoin:\(Self.address)?amount=20.3&label=Luke-Jr")
        #expect(amount.amount == BaseUnits(2_030_000_000) && amount.label == "Luke-Jr")
        let message = try BitcoinURI(
            parsing: "bitcoin:\(Self.address)?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz")
        #expect(message.amount == BaseUnits(5_000_000_000) && message.message == "Donation for project xyz")
        #expect(message.description.hasSuffix("?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz"))
        #expect(try BitcoinURI(parsing: "bitcoin:\(Self.address)?label=Luke-Jr").label == "Luke-Jr")
        let unknown = "somethingyoudontunderstand=50&somethingelseyoudontget=999"
        #expect(try BitcoinURI(parsing: "bitcoin:\(Self.address)?\(unknown)") == plain)
        #expect(throws: PaymentURIFault.unknownRequirement) {
            try BitcoinURI(
                parsing: "bitcoin:\(Self.address)?req-somethingyoudontunderstand=50&req-somethingelseyoudontget=999")
        }
        #expect(try BitcoinURI(parsing: "BitCoin:\(Self.address)") == plain)
    }

    @Test("what is written is read back, exactly") func written() throws {
        let text = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
        let address = try BitcoinAddress(parsing: text, network: .regtest)
        for amount: UInt128 in [1, 10, 1_500_000, 100_000_000, 2_099_999_997_690_000] {
            let uri = BitcoinURI(
                address: address, amount: BaseUnits(amount), label: "Zoë & Söhne = 100%", message: "№ 7?#/ +")
            #expect(try BitcoinURI(parsing: uri.description) == uri)
        }
        #expect(BitcoinURI(address: address, amount: BaseUnits(1)).description == "bitcoin:\(text)?amount=0.00000001")
        #expect(BitcoinURI(address: address, amount: nil).description == "bitcoin:\(text)")
    }

    @Test(
        "what is wrong is refused",
        arguments: [
            ("", PaymentURIFault.malformed), ("litecoin:abc", .malformed), ("bitcoin:", .address),
            ("bitcoin:?amount=1", .address), ("bitcoin:a/b", .address), ("bitcoin:a?amount=", .amount),
            ("bitcoin:a?amount=-1", .amount), ("bitcoin:a?amount=50,000.00", .amount),
            ("bitcoin:a?amount=1e8", .amount),
            ("bitcoin:a?amount=0.000000001", .amount), ("bitcoin:a?amount=.", .amount),
            ("bitcoin:a?amount=1&amount=2", .repeated), ("bitcoin:a?label=%4", .malformed),
            ("bitcoin:a?label=%zz", .malformed), ("bitcoin:a?label=%FF", .malformed),
        ] as [(String, PaymentURIFault)])
    func refusals(text: String, fault: PaymentURIFault) {
        #expect(throws: fault) { try BitcoinURI(parsing: text) }
    }

    @Test("digits may be missing on one side of the point, as the grammar has it")
    func grammar() throws {
        #expect(try BitcoinURI(parsing: "bitcoin:a?amount=.5").amount == BaseUnits(50_000_000))
        #expect(try BitcoinURI(parsing: "bitcoin:a?amount=5.").amount == BaseUnits(500_000_000))
    }
}

@Suite("Ethereum URIs") struct EthereumURITests {
    /// Source: ERC-681, section "Semantics". The case of the first address is no right checksum.
    @Test("the published examples are read") func examples() throws {
        let coin = try EthereumURI(parsing: "ethereum:0xfb6916095ca1df60bb79Ce92ce3ea74c37c5d359?value=2.014e18")
        let payee = try EVMAddress(ignoringCaseOf: "0xfb6916095ca1df60bb79Ce92ce3ea74c37c5d359")
        #expect(coin.request == .coin(to: payee, amount: BaseUnits(2_014_000_000_000_000_000)) && coin.chainID == nil)
        let token = try EthereumURI(
            parsing: "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/transfer"
                + "?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052&uint256=1")
        #expect(
            token.request
                == .token(
                    contract: try EVMAddress(parsing: "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7"),
                    to: try EVMAddress(parsing: "0x8e23ee67d1332ad560396262c48ffbb01f93d052"), amount: .one))
    }

    @Test("what is written is read back, exactly, with chain ids beyond 32 bits") func written() throws {
        let payee = try EVMAddress(parsing: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let contract = try EVMAddress(parsing: "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")
        for amount: BaseUnits? in [nil, .zero, .one, BaseUnits(2_014_000_000_000_000_000), .max] {
            for request: EthereumURI.Request in [
                .coin(to: payee, amount: amount), .token(contract: contract, to: payee, amount: amount),
            ] {
                let uri = EthereumURI(request, chainID: 131_277_322_940_537)
                #expect(try EthereumURI(parsing: uri.description) == uri)
            }
        }
        let coin = EthereumURI(.coin(to: payee, amount: BaseUnits(5)), chainID: 1)
        #expect(coin.description == "ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed@1?value=5")
    }

    @Test(
        "numbers are read as the grammar has them",
        arguments: [
            ("2.014e18", "2014000000000000000"), ("1e0", "1"), ("1e", "1"), ("1E3", "1000"), ("+7", "7"),
            ("0", "0"), (".5e1", "5"), ("1.50e2", "150"), ("0e77", "0"),
            ("1e77", "1" + String(repeating: "0", count: 77)),
        ])
    func numbers(text: String, units: String) throws {
        let uri = try EthereumURI(parsing: "ethereum:pay-0x8e23ee67d1332ad560396262c48ffbb01f93d052@1?value=\(text)")
        let payee = try EVMAddress(parsing: "0x8e23ee67d1332ad560396262c48ffbb01f93d052")
        #expect(uri.request == .coin(to: payee, amount: try BaseUnits(parsing: units)))
    }

    @Test(
        "what is wrong is refused",
        arguments: [
            ("bitcoin:x", PaymentURIFault.malformed), ("ethereum:", .address), ("ethereum:vitalik.eth", .address),
            ("ethereum:X@", .malformed), ("ethereum:X@0x1", .malformed),
            ("ethereum:X@99999999999999999999", .malformed),
            ("ethereum:X?value=1.5", .amount), ("ethereum:X?value=1.5e0", .amount), ("ethereum:X?value=-1", .amount),
            ("ethereum:X?value=1e78", .amount), ("ethereum:X?value=2e77", .amount),
            ("ethereum:X?value=1e99999999999999999999", .amount),
            ("ethereum:X?value=", .amount), ("ethereum:X?value=0x10", .amount),
            ("ethereum:X?value=1&value=2", .repeated),
            ("ethereum:X/approve?address=X&uint256=1", .unknownRequirement),
            ("ethereum:X/transfer?uint256=1", .address),
        ] as [(String, PaymentURIFault)])
    func refusals(text: String, fault: PaymentURIFault) {
        let uri: String = text.replacing("X", with: "0x8e23ee67d1332ad560396262c48ffbb01f93d052")
        #expect(throws: fault) { try EthereumURI(parsing: uri) }
    }
}
