import BillingCore
import PaymentChains
import PaymentCrypto
import ServiceKit
import Telemetry
import Testing

@Suite("The configuration of crypto") struct SettingsTests {
    private static let zpub = CryptoWorld.account
    /// The account `m/44'/60'/0'` of BIP-84's published words.
    private static let xpub =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"
    private static let dai = "0x6B175474E89094C44Da98b954EedeAC495271d0F"

    private static let whole: [String: String] = [
        "CRYPTO_BITCOIN_XPUB": zpub, "CRYPTO_BITCOIN_URL": "https://node.test/",
        "CRYPTO_BITCOIN_CREDENTIALS": "rpc:rpc",
        "CRYPTO_EVM_XPUB": xpub, "CRYPTO_EVM_URL": "http://127.0.0.1:8545",
    ]

    private func read(
        _ tunables: [String: String], _ environment: [String: String] = whole, _ mode: RefrainMode = .live
    ) throws(ServiceConfiguration.Invalid) -> CryptoSettings {
        var named: [String: String] = [:]
        for (name, value) in tunables { named["payment.crypto." + name] = value }
        return try CryptoSettings(tunables: named, environment: environment, mode: mode)
    }

    @Test("without keys and nodes there is no crypto") func absent() throws {
        let settings: CryptoSettings = try read([:], [:])
        #expect(settings.bitcoin == nil && settings.evm == nil)
    }

    @Test("each asset has its name, its rules and, where it is pegged, its rate") func whole() throws {
        let settings: CryptoSettings = try read([
            "quote_seconds": "600", "late": "hold", "keep_surplus": "false", "bitcoin.refund_fee": "500",
            "bitcoin.confirmations": "5000:1,6", "bitcoin.node": "esplora",
            "tokens.dai.contract": Self.dai, "tokens.dai.decimals": "18", "tokens.dai.rates.usd": "1",
        ])
        let bitcoin: CryptoSettings.Bitcoin = try #require(settings.bitcoin)
        #expect(settings.terms.lifetime == .seconds(600))
        #expect(bitcoin.network == .main)
        #expect(bitcoin.node.kind == .esplora)
        #expect(bitcoin.node.url.reveal() == "https://node.test")
        #expect(bitcoin.asset.policy.late == .hold)
        #expect(bitcoin.asset.refundFee == BaseUnits(500) && !settings.terms.keepsSurplus)
        #expect(bitcoin.asset.policy.confirmations(for: BaseUnits(5_001)) == 6)
        #expect(settings.evm?.assets.map(\.name) == ["ethereum", "dai"])
        #expect(settings.evm?.assets.last?.fixedRates == [.usd: .one])
        #expect(settings.evm?.assets.last?.asset.symbol == "DAI")
    }

    @Test("the same account has the same name, however its key is written") func accountName() throws {
        let one = try AddressSource(extendedKey: Self.zpub, network: .main)
        let other = try AddressSource(extendedKey: Self.xpub, network: .main)
        #expect(one.account == other.account)
    }

    @Test(
        "every fault is named, all at once",
        arguments: [
            (["late": "never"], "late"), (["keep_surplus": "perhaps"], "keep_surplus"),
            (["bitcoin.refund_fee": "0.1"], "bitcoin.refund_fee"), (["quote_seconds": "0"], "quote_seconds"),
            (["spread_basis_points": "10000"], "spread_basis_points"),
            (["bitcoin.network": "moon"], "bitcoin.network"), (["bitcoin.node": "p2p"], "bitcoin.node"),
            (["bitcoin.confirmations": "0"], "bitcoin.confirmations"),
            (["bitcoin.confirmations": "10:3,1"], "bitcoin.confirmations"),
            (["bitcoin.confirmations": "10:3,201"], "bitcoin.confirmations must be at most 200"),
            (["bitcoin.least_refund": "-1"], "bitcoin.least_refund"),
            (["bitcoin.rates.usd": "65000"], "bitcoin.rates must not be fixed"),
            (["ethereum.chain_id": "0"], "ethereum.chain_id"),
            (["tokens.dai.contract": "0x1", "tokens.dai.decimals": "18"], "tokens.dai.contract"),
            (["tokens.dai.contract": dai, "tokens.dai.decimals": "39"], "tokens.dai.decimals"),
            (["tokens.bitcoin.contract": dai, "tokens.bitcoin.decimals": "8"], "tokens.bitcoin"),
            (["tokens.dai.contract": dai, "tokens.dai.decimals": "18", "tokens.dai.rates.xxx": "1"], "rates.xxx"),
        ])
    func faults(_ tunables: [String: String], _ named: String) {
        let fault: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
            try read(tunables)
        }
        #expect(fault?.faults.contains { $0.contains(named) } == true)
    }

    @Test("half a chain, plain text to a node elsewhere, and a private key are refused; the key is not repeated")
    func environmentFaults() {
        let secret =
            "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1yYNZKEm7z6qUWCroSQnE"
        let environment: [String: String] = [
            "CRYPTO_BITCOIN_XPUB": secret, "CRYPTO_BITCOIN_URL": "https://node.test", "CRYPTO_EVM_XPUB": Self.xpub,
        ]
        let fault: ServiceConfiguration.Invalid? = #expect(throws: ServiceConfiguration.Invalid.self) {
            try read([:], environment)
        }
        #expect(fault?.faults.contains { $0.contains("private key") } == true)
        #expect(fault?.faults.contains { $0.contains("CRYPTO_EVM_URL are set together") } == true)
        #expect(fault?.description.contains("zprv") == false)
        var plain: [String: String] = Self.whole
        plain["CRYPTO_BITCOIN_URL"] = "http://node.test"
        #expect(throws: ServiceConfiguration.Invalid.self) { try read([:], plain) }
        #expect(throws: Never.self) { try read([:], plain, .sandbox) }
        plain["CRYPTO_BITCOIN_URL"] = "http://localhost.node.test"
        #expect(throws: ServiceConfiguration.Invalid.self) { try read([:], plain) }
    }
}
