import BillingCore
import PaymentChains
import TestKit
import Testing

private let now = Instant(seconds: 1_800_000_000)

private func quote(
    _ price: String, _ currency: Currency, in asset: CryptoAsset, rate: String, spread: Int = 0,
    lifetime: Duration = .seconds(900)
) throws -> Quote {
    try Quote(
        price: Money(decimal: price, currency: currency), asset: asset, rate: ExactDecimal(parsing: rate),
        spreadBasisPoints: spread, at: now, lifetime: lifetime)
}

@Suite("Quotes") struct QuoteTests {
    @Test("amounts are exact, rounded up once in the merchant's favour") func table() throws {
        let token = try #require(
            CryptoAsset.token(
                symbol: "USDC", decimals: 6, chainID: 1,
                contract: EVMAddress(
                    parsing: "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")))
        let bitcoin: CryptoAsset = .bitcoin(.main)
        #expect(try quote("100.00", .usd, in: bitcoin, rate: "50000").amount == BaseUnits(200_000))
        #expect(try quote("100.00", .usd, in: bitcoin, rate: "30000").amount == BaseUnits(333_334))
        #expect(try quote("0.01", .usd, in: bitcoin, rate: "99999999").amount == .one)
        #expect(try quote("12.34", .usd, in: token, rate: "1").amount == BaseUnits(12_340_000))
        // A coin at 0.9999 counts for 0.989901 after one percent.
        #expect(try quote("10.00", .eur, in: token, rate: "0.9999", spread: 100).amount == BaseUnits(10_102_021))
        #expect(
            try quote("2500.50", .usd, in: .ether(chainID: 1), rate: "2500.5").amount
                == BaseUnits(1_000_000_000_000_000_000))
        #expect(try quote("1500", .jpy, in: bitcoin, rate: "15000000").amount == BaseUnits(10_000))
        let dinar: Currency = try #require(Currency("KWD"))
        #expect(try quote("1.234", dinar, in: bitcoin, rate: "12340").amount == BaseUnits(10_000))
    }

    @Test("no price, no rate, no life, no sense: no quote") func refusals() throws {
        let bitcoin: CryptoAsset = .bitcoin(.main)
        #expect(throws: Quote.Failure.price) { try quote("0.00", .usd, in: bitcoin, rate: "1") }
        #expect(throws: Quote.Failure.price) { try quote("-1.00", .usd, in: bitcoin, rate: "1") }
        #expect(throws: Quote.Failure.rate) { try quote("1.00", .usd, in: bitcoin, rate: "0") }
        #expect(throws: Quote.Failure.rate) { try quote("1.00", .usd, in: bitcoin, rate: "-5") }
        #expect(throws: Quote.Failure.spread) { try quote("1.00", .usd, in: bitcoin, rate: "1", spread: 10_000) }
        #expect(throws: Quote.Failure.spread) { try quote("1.00", .usd, in: bitcoin, rate: "1", spread: -1) }
        #expect(throws: Quote.Failure.lifetime) { try quote("1.00", .usd, in: bitcoin, rate: "1", lifetime: .zero) }
        let large = "99999999999999999999999999999999999999"
        #expect(throws: Quote.Failure.overflow) { try quote("1.00", .usd, in: bitcoin, rate: large) }
    }

    @Test("a quote is open until it expires, not at that moment") func expiry() throws {
        let quote: Quote = try quote("1.00", .usd, in: .bitcoin(.main), rate: "1")
        #expect(quote.isOpen(at: now) && quote.isOpen(at: quote.expiresAt - .microseconds(1)))
        #expect(!quote.isOpen(at: quote.expiresAt) && quote.expiresAt == now + .seconds(900))
    }

    @Test("the amount is the least that is worth the price") func least() throws {
        var random = Seeded()
        let assets: [CryptoAsset] = [.bitcoin(.main), .ether(chainID: 1), .ether(chainID: 137, symbol: "POL")]
        let currencies: [Currency] = [.usd, .jpy, try #require(Currency("KWD"))]
        for _ in 0..<4_000 {
            let minor: Int64 = .random(in: 1...(1 << Int64.random(in: 1...45, using: &random)), using: &random)
            let price = Money(minor: minor, currency: currencies.randomElement(using: &random) ?? .usd)
            let digits: Int64 = .random(in: 1...99_999_999_999, using: &random)
            let rate = try ExactDecimal(coefficient: Int128(digits), scale: .random(in: 0...12, using: &random))
            let asset: CryptoAsset = assets.randomElement(using: &random) ?? assets[0]
            let spread: Int = .random(in: 0...9_999, using: &random)
            let quote = try Quote(
                price: price, asset: asset, rate: rate, spreadBasisPoints: spread, at: now, lifetime: .seconds(1))
            #expect(try quote.worth(of: quote.amount) == price, "seed \(random.seed)")
            #expect(try quote.worth(of: quote.amount.subtracting(.one)).minor < minor, "seed \(random.seed)")
            #expect(try quote.worth(of: quote.amount.adding(.one)).minor >= minor, "seed \(random.seed)")
            // By other means: amount × rate × (10,000 − spread) against price, in the smallest common unit.
            let wide: Int = asset.decimals + rate.scale + 4
            let paid = try BaseUnits(parsing: quote.amount.description)
                .multiplied(by: UInt128(digits)).multiplied(by: UInt128(10_000 - spread))
            let digitsOfPrice: String = String(minor) + String(repeating: "0", count: wide - price.currency.exponent)
            let trimmed: Int = Int(digits.description.count) - rate.coefficient.magnitude.description.count
            guard trimmed == 0 else { continue }
            #expect(try paid >= BaseUnits(parsing: digitsOfPrice), "seed \(random.seed)")
        }
    }
}

@Suite("Refund instructions") struct RefundInstructionTests {
    private let id = RefundID.new(at: now)

    @Test("they name asset, address, amount and reason, and what is signed off cannot be changed") func text() throws {
        let address = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
        let refund = try RefundInstruction(
            refundID: id, asset: .bitcoin(.main), to: address.uppercased(), amount: BaseUnits(150_000), reason: .late)
        #expect(refund.address == address && refund.uri == "bitcoin:\(address)?amount=0.0015")
        #expect(
            refund.text == """
                refund \(id)
                asset BTC
                to \(address)
                amount 0.0015 BTC
                base units 150000
                reason late
                bitcoin:\(address)?amount=0.0015
                """)
        let other = try RefundInstruction(
            refundID: id, asset: .bitcoin(.main), to: address, amount: BaseUnits(150_001), reason: .late)
        #expect(refund.fingerprint.utf8.count == 64 && refund.fingerprint != other.fingerprint)
    }

    @Test("their payment URIs are read back") func uris() throws {
        let payee = try EVMAddress(parsing: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let contract = try EVMAddress(parsing: "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")
        let token = try #require(CryptoAsset.token(symbol: "USDC", decimals: 6, chainID: 7, contract: contract))
        let amount = BaseUnits(1_234_567)
        let coin = try RefundInstruction(
            refundID: id, asset: .ether(chainID: 7), to: payee.description, amount: amount, reason: .overpaid)
        #expect(try EthereumURI(parsing: coin.uri) == EthereumURI(.coin(to: payee, amount: amount), chainID: 7))
        let tokens = try RefundInstruction(
            refundID: id, asset: token, to: payee.lowercased, amount: amount, reason: .merchant)
        #expect(
            try EthereumURI(parsing: tokens.uri)
                == EthereumURI(.token(contract: contract, to: payee, amount: amount), chainID: 7))
    }

    @Test("nothing goes to nobody, to the token itself or to another chain") func refusals() throws {
        let contract = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"
        let token = try #require(
            CryptoAsset.token(symbol: "T", decimals: 6, chainID: 1, contract: EVMAddress(parsing: contract)))
        func make(_ asset: CryptoAsset, _ address: String, _ amount: BaseUnits = .one) throws -> RefundInstruction {
            try RefundInstruction(refundID: id, asset: asset, to: address, amount: amount, reason: .merchant)
        }
        #expect(throws: RefundInstruction.Failure.lost) { try make(token, contract) }
        #expect(throws: RefundInstruction.Failure.lost) { try make(token, EVMAddress.zero.lowercased) }
        #expect(throws: RefundInstruction.Failure.amount) { try make(token, contract, .zero) }
        #expect(throws: RefundInstruction.Failure.address(.network)) {
            try make(.bitcoin(.test), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")
        }
        #expect(throws: RefundInstruction.Failure.address(.malformed)) { try make(.bitcoin(.main), contract) }
        #expect(throws: RefundInstruction.Failure.address(.checksum)) {
            try make(.ether(chainID: 1), "0xd1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb")
        }
    }
}
