import BillingCore
import JSON
import PaymentChains
import PaymentCrypto
import PaymentWebhooks
import TestKit

/// Where money of an asset can be.
struct CoinPlace: Hashable, Sendable {
    let asset: String
    let address: String
}

/// A chain as the coin matrix plays on it.
protocol CoinChain: HistoryChain {
    /// Its node, as payers and miners use it.
    var node: CryptoNode { get }
    /// What its node is called where it tells that something has happened.
    var source: VerifiedWebhook.Source { get }
    /// Where addresses of ours come from.
    func addresses() throws -> AddressSource
    /// What an asset is.
    func coin(_ name: String) throws -> CryptoAsset
    /// How payments on it are found.
    func scanner(_ transport: any ChainTransport, _ assets: [AcceptedAsset]) -> any ChainScanner
    /// Sends to a place what is no payment there: other tokens and coins, and what fails.
    func misdirect(_ place: CoinPlace, _ units: UInt128) async throws
    /// Whether it has a transaction, in a block or waiting for one.
    func knows(_ transaction: String) async throws -> Bool
    /// What it says is at places; nothing of one at which nothing is.
    func holdings(_ places: [CoinPlace]) async throws -> [CoinPlace: BaseUnits]
}

extension CoinChain {
    /// Its assets as they are taken. Three blocks confirm a payment, and reorganisations are less deep: what was booked
    /// stays true. Nothing less than the price is enough, so that whole minor units are whole numbers of base units
    /// everywhere. What becomes of late money is drawn.
    func accepted(_ random: inout Seeded) throws -> [AcceptedAsset] {
        var accepted: [AcceptedAsset] = []
        for (name, due) in assets {
            let coin: CryptoAsset = try coin(name)
            let late: WatchPolicy.LateRule = WatchPolicy.LateRule.allCases.randomElement(using: &random) ?? .hold
            let policy = try WatchPolicy(
                tiers: [.init(upTo: nil, confirmations: 3)], toleranceBasisPoints: 0, leastRefund: .one, late: late)
            let price: UInt128 = try BaseUnits.powerOfTen(coin.decimals) * 100 / due
            accepted.append(
                AcceptedAsset(
                    name: name, asset: coin, policy: policy, fixedRates: [.usd: ExactDecimal(Int64(price))],
                    refundFee: BaseUnits(unit(name) * 10)))
        }
        return accepted
    }

    /// What a minor unit is in base units.
    func unit(_ asset: String) -> UInt128 { (assets.first { $0.name == asset }?.due ?? 0) / 10_000 }
}

extension BitcoinHistory: CoinChain {
    var source: VerifiedWebhook.Source { .bitcoin }

    func addresses() throws -> AddressSource { try AddressSource(extendedKey: CryptoPeer.zpub, network: .regtest) }

    func coin(_ name: String) throws -> CryptoAsset { .bitcoin(.regtest) }

    func scanner(_ transport: any ChainTransport, _ assets: [AcceptedAsset]) -> any ChainScanner {
        CoreScanner(transport: transport, network: .regtest)
    }

    func misdirect(_ place: CoinPlace, _ units: UInt128) async throws {}

    func knows(_ transaction: String) async throws -> Bool {
        do {
            try await node.send("getrawtransaction", [.string(transaction), true])
            return true
        } catch is CryptoNode.NoSuchCall { return false }
    }

    func holdings(_ places: [CoinPlace]) async throws -> [CoinPlace: BaseUnits] {
        // One question for all of them: the double goes through its whole chain at each.
        let wanted: [JSONValue] = places.map { place in ["desc": .string("addr(\(place.address))")] }
        let found: JSONValue = try await node.send("scantxoutset", ["start", .array(wanted)])
        var held: [CoinPlace: BaseUnits] = [:]
        for output in found["unspents"]?.arrayValue ?? [] {
            guard case .number(let coins)? = output["amount"], let text = output["desc"]?.stringValue else { continue }
            let place = CoinPlace(asset: "bitcoin", address: String(text.dropFirst("addr(".count).dropLast()))
            held[place] = try (held[place] ?? .zero).adding(try BaseUnits(coins: coins, decimals: 8))
        }
        return held
    }
}

extension EVMHistory: CoinChain {
    var node: CryptoNode { chain.node }
    var source: VerifiedWebhook.Source { .evm }

    func addresses() throws -> AddressSource { try AddressSource(extendedKey: CryptoPeer.xpub, network: nil) }

    func coin(_ name: String) throws -> CryptoAsset {
        guard name == "usdc" else { return .ether(chainID: chain.chainID) }
        guard
            let token = CryptoAsset.token(
                symbol: "USDC", decimals: 6, chainID: chain.chainID, contract: try EVMAddress(parsing: chain.token))
        else { throw MissingInfrastructure("no token") }
        return token
    }

    func scanner(_ transport: any ChainTransport, _ assets: [AcceptedAsset]) -> any ChainScanner {
        EVMScanner(
            transport: transport, chainID: chain.chainID,
            assets: Dictionary(uniqueKeysWithValues: assets.map { ($0.name, $0.asset) }))
    }

    func misdirect(_ place: CoinPlace, _ units: UInt128) async throws {
        guard place.asset == "usdc" else {
            try await chain.payToken(place.address, 1_000_000)
            return
        }
        let other: String =
            try await node.send("dev_deployERC20", ["Fake", "USDC", 6, 1_000_000_000_000]).stringValue ?? ""
        try await chain.payToken(place.address, units, of: other)
        try await chain.payToken(place.address, units, from: chain.poor)
        try await chain.pay(place.address, BaseUnits(units))
    }

    func knows(_ transaction: String) async throws -> Bool {
        do {
            return try await !node.send("eth_getTransactionReceipt", [.string(transaction)]).isNull
        } catch is CryptoNode.NoSuchCall { return false }
    }

    func holdings(_ places: [CoinPlace]) async throws -> [CoinPlace: BaseUnits] {
        var held: [CoinPlace: BaseUnits] = [:]
        for place in places { held[place] = try await has(place.asset, place.address) }
        return held
    }
}
