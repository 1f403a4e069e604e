import BillingCore
import PaymentChains
import ServiceKit
import Telemetry

/// Reads the configuration of crypto and collects what is wrong with it.
struct CryptoSettingsReader {
    private static let prefix = "payment.crypto."
    private static let secretFault = "is not an account's extended public key"

    let tunables: [String: String]
    let environment: [String: String]
    let mode: RefrainMode
    var faults: [String] = []

    init(tunables: [String: String], environment: [String: String], mode: RefrainMode) {
        self.tunables = tunables
        self.environment = environment
        self.mode = mode
    }

    mutating func terms() -> CryptoTerms {
        var terms = CryptoTerms()
        terms.lifetime = .seconds(number("quote_seconds", default: 900, in: 1...86_400))
        terms.spreadBasisPoints = number("spread_basis_points", default: 100, in: 0...9_999)
        terms.grace = .seconds(number("grace_seconds", default: 120, in: 0...604_800))
        terms.watch = .seconds(number("watch_hours", default: 720, in: 0...87_600) * 3_600)
        terms.rateAge = .seconds(number("rate_seconds", default: 300, in: 1...86_400))
        terms.poll = .seconds(number("poll_seconds", default: 10, in: 1...600))
        terms.blindSeconds = number("blind_seconds", default: 300, in: 1...86_400)
        let keeps: String = text("keep_surplus") ?? "true"
        if !["true", "false"].contains(keeps) { faults.append("\(Self.prefix)keep_surplus must be true or false") }
        terms.keepsSurplus = keeps == "true"
        return terms
    }

    mutating func bitcoin() -> CryptoSettings.Bitcoin? {
        guard let (key, node) = account("BITCOIN", kind: "bitcoin.node") else { return nil }
        guard let network = BitcoinNetwork(rawValue: text("bitcoin.network") ?? "main") else {
            faults.append("\(Self.prefix)bitcoin.network must be one of main, test, regtest")
            return nil
        }
        guard let addresses = addresses("BITCOIN", key, network),
            let asset = accepted("bitcoin", .bitcoin(network), under: "bitcoin", confirmations: "100000:1,10000000:3,6")
        else { return nil }
        return CryptoSettings.Bitcoin(network: network, node: node, addresses: addresses, asset: asset)
    }

    mutating func evm() -> CryptoSettings.EVM? {
        guard let (key, node) = account("EVM", kind: nil) else { return nil }
        guard let chainID = UInt64(text("ethereum.chain_id") ?? "1"), chainID > 0 else {
            faults.append("\(Self.prefix)ethereum.chain_id must be a whole number above zero")
            return nil
        }
        guard let addresses = addresses("EVM", key, nil) else { return nil }
        var assets: [AcceptedAsset] = []
        if (text("ethereum.coin") ?? "true") == "true",
            let coin = accepted("ethereum", .ether(chainID: chainID), under: "ethereum", confirmations: "12")
        {
            assets.append(coin)
        }
        for name in tokenNames { if let token = token(name, chainID) { assets.append(token) } }
        if assets.isEmpty, faults.isEmpty { faults.append("\(Self.prefix)ethereum accepts no coin and no token") }
        return CryptoSettings.EVM(chainID: chainID, node: node, addresses: addresses, assets: assets)
    }

    /// The names under `payment.crypto.tokens`, in order.
    private var tokenNames: [String] {
        let prefix: String = Self.prefix + "tokens."
        let names: [String] = tunables.keys.filter { $0.hasPrefix(prefix) }.compactMap { key in
            key.dropFirst(prefix.count).split(separator: ".").first.map(String.init)
        }
        return Set(names).sorted()
    }

    private mutating func token(_ name: String, _ chainID: UInt64) -> AcceptedAsset? {
        let path = "tokens.\(name)"
        let letters: ClosedRange<Character> = "a"..."z"
        guard name.count <= 16, name.allSatisfy({ letters.contains($0) || ("0"..."9").contains($0) || $0 == "_" }),
            name.first.map(letters.contains) == true, !["bitcoin", "ethereum"].contains(name)
        else {
            faults.append("\(Self.prefix)\(path) must be a name of lower-case letters and digits")
            return nil
        }
        let contract: EVMAddress
        do throws(AddressFault) {
            contract = try EVMAddress(parsing: text("\(path).contract") ?? "")
        } catch {
            faults.append("\(Self.prefix)\(path).contract must be the contract's address")
            return nil
        }
        let decimals: Int? = text("\(path).decimals").flatMap { Int($0) }
        guard let decimals,
            let asset = CryptoAsset.token(
                symbol: text("\(path).symbol") ?? name.uppercased(), decimals: decimals, chainID: chainID,
                contract: contract)
        else {
            faults.append("\(Self.prefix)\(path).decimals must be a whole number from 0 to \(CryptoAsset.maxDecimals)")
            return nil
        }
        return accepted(name, asset, under: path, confirmations: "12")
    }

    private mutating func accepted(
        _ name: String, _ asset: CryptoAsset, under path: String, confirmations: String
    ) -> AcceptedAsset? {
        let late: WatchPolicy.LateRule? = WatchPolicy.LateRule(rawValue: text("late") ?? "refund")
        if late == nil { faults.append("\(Self.prefix)late must be one of accept, hold, refund") }
        let tiers: [WatchPolicy.Tier]? = ConfirmationTiers.parse(text("\(path).confirmations") ?? confirmations)
        // A block is final, and asked for no more, at half of those that are kept.
        let most = UInt64(ChainStore.depth / 2)
        if tiers?.contains(where: { $0.confirmations > most }) == true {
            faults.append("\(Self.prefix)\(path).confirmations must be at most \(most)")
        }
        let least = BaseUnits(text("\(path).least_refund") ?? "1")
        if least == nil { faults.append("\(Self.prefix)\(path).least_refund must be a number of base units") }
        let fee = BaseUnits(text("\(path).refund_fee") ?? "0")
        if fee == nil { faults.append("\(Self.prefix)\(path).refund_fee must be a number of base units") }
        let tolerance: Int = number("tolerance_basis_points", default: 50, in: 0...9_999)
        do throws(WatchPolicy.Failure) {
            guard let tiers else { throw .tiers }
            let policy = try WatchPolicy(
                tiers: tiers, toleranceBasisPoints: tolerance, leastRefund: least ?? .one, late: late ?? .hold)
            return AcceptedAsset(
                name: name, asset: asset, policy: policy, fixedRates: rates(path, asset),
                refundFee: fee ?? .zero)
        } catch {
            faults.append("\(Self.prefix)\(path).confirmations must look like 100000:1,10000000:3,6")
            return nil
        }
    }

    /// `…rates.usd`: what one whole coin costs.
    private mutating func rates(_ path: String, _ asset: CryptoAsset) -> [Currency: ExactDecimal] {
        let prefix = "\(Self.prefix)\(path).rates."
        var rates: [Currency: ExactDecimal] = [:]
        for (name, value) in tunables.sorted(by: { $0.key < $1.key }) where name.hasPrefix(prefix) {
            guard let currency = Currency(name.dropFirst(prefix.count).uppercased()), let rate = ExactDecimal(value),
                rate > .zero
            else {
                faults.append("\(name) must be a price above zero under the code of a currency")
                continue
            }
            rates[currency] = rate
        }
        if mode == .live, !rates.isEmpty, asset.isCoin {
            faults.append("\(Self.prefix)\(path).rates must not be fixed in live mode: tell rates to /v1/crypto/rates")
        }
        return rates
    }

    /// Key and node of a chain; both or none.
    private mutating func account(_ chain: String, kind path: String?) -> (key: Secret, node: CryptoSettings.Node)? {
        let (keyName, urlName) = ("CRYPTO_\(chain)_XPUB", "CRYPTO_\(chain)_URL")
        let (key, url): (String, String) = (environment[keyName] ?? "", environment[urlName] ?? "")
        if key.isEmpty, url.isEmpty { return nil }
        guard !key.isEmpty, !url.isEmpty else {
            faults.append("\(keyName) and \(urlName) are set together or not at all")
            return nil
        }
        let isNear: Bool = WebAddress(url)?.isLoopback ?? false
        guard url.hasPrefix("https://") || (url.hasPrefix("http://") && (mode == .sandbox || isNear)) else {
            faults.append("\(urlName) must be an https URL")
            return nil
        }
        let kind: CryptoSettings.Node.Kind? = path.map { text($0) ?? "core" }.map { .init(rawValue: $0) } ?? .core
        guard let kind else {
            faults.append("\(Self.prefix)\(path ?? "") must be one of core, esplora")
            return nil
        }
        let credentials: String = environment["CRYPTO_\(chain)_CREDENTIALS"] ?? ""
        let node = CryptoSettings.Node(
            kind: kind, url: Secret(url.last == "/" ? String(url.dropLast()) : url),
            credentials: credentials.isEmpty ? nil : Secret(credentials))
        return (Secret(key), node)
    }

    private mutating func addresses(_ chain: String, _ key: Secret, _ network: BitcoinNetwork?) -> AddressSource? {
        do throws(AddressFault) {
            return try AddressSource(extendedKey: key.reveal(), network: network)
        } catch .privateKey {
            faults.append(
                "CRYPTO_\(chain)_XPUB is a private key: move the money it can spend, it was in plain text here")
        } catch .network {
            faults.append("CRYPTO_\(chain)_XPUB is a key for another network")
        } catch {
            faults.append("CRYPTO_\(chain)_XPUB \(Self.secretFault)")
        }
        return nil
    }

    private func text(_ name: String) -> String? { tunables[Self.prefix + name] }

    private mutating func number(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text = text(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            faults.append(
                "\(Self.prefix)\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return number
    }
}

extension CryptoAsset {
    /// A chain's own coin, whose price nobody holds.
    var isCoin: Bool {
        if case .token = kind { return false }
        return true
    }
}
