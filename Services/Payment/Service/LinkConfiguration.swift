import BillingCore
import HTTPKit
import PaymentAuthentication
import PaymentContract
import PaymentCrypto
import PaymentInstalments
package import PaymentLinks
import PaymentQR
import PaymentWallets
package import ServiceKit

extension LinkSettings {
    /// Reads what pages offer.
    /// - Parameter environment: As ``WalletConfiguration`` and ``AppleSettings``.
    /// - Throws: `ServiceConfiguration.Invalid`.
    init(
        _ configuration: ServiceConfiguration, environment: [String: String], _ providers: PaymentProviders,
        _ crypto: CryptoPart, _ instalments: InstalmentSettings
    ) throws(ServiceConfiguration.Invalid) {
        let apple = try AppleSettings(environment)
        self.init(
            publicURL: configuration.publicURL, isSandbox: configuration.mode == .sandbox,
            offered: try Self.methods(configuration), providers: providers,
            assets: crypto.assets.map { asset in
                Asset(type: asset.name, symbol: asset.symbol, decimals: asset.decimals) { currency, now, db in
                    try crypto.prices(asset, in: currency, at: now, in: db)
                }
            },
            hasCoins: Self.coins(crypto),
            wallets: try LinkWallets(configuration, environment: environment, apple: apple.merchant),
            creditor: try LinkCreditor(configuration), instalments: instalments,
            appleAssociation: apple.association,
            qr: { text in
                guard let code = QRCode(text) else { throw Problem.unavailable() }
                return code.svg(label: text)
            })
    }

    /// Who knows whether coins have come; `nil` where none are taken.
    private static func coins(_ crypto: CryptoPart) -> HasCoins? {
        guard !crypto.assets.isEmpty else { return nil }
        return { payment, db in try CryptoChargeStore.hasMoney(of: payment, in: db) }
    }

    /// All that pages know, unless the configuration names some.
    private static func methods(
        _ configuration: ServiceConfiguration
    ) throws(ServiceConfiguration.Invalid) -> [LinkMethod] {
        let words: [String] = configuration.text("payment.page_methods", default: "").split(separator: ",").map {
            word in
            word.filter { !$0.isWhitespace }
        }
        let unknown: [String] = words.filter { LinkMethod(rawValue: $0) == nil }
        guard unknown.isEmpty else {
            throw ServiceConfiguration.Invalid(
                faults: ["payment.page_methods names what is no way to pay: \(unknown.joined(separator: ", "))"])
        }
        return words.isEmpty ? LinkMethod.allCases : words.compactMap(LinkMethod.init(rawValue:))
    }
}

extension LinkCreditor {
    /// `nil` without `payment.sepa_creditor_id`.
    init?(_ configuration: ServiceConfiguration) throws(ServiceConfiguration.Invalid) {
        let identifier: String = configuration.text("payment.sepa_creditor_id", default: "")
        guard !identifier.isEmpty else { return nil }
        let name: String = configuration.text("payment.sepa_creditor_name", default: "")
        guard !name.isEmpty, name.count <= 70, (8...35).contains(identifier.utf8.count) else {
            throw ServiceConfiguration.Invalid(
                faults: ["payment.sepa_creditor_id has 8 to 35 characters and needs payment.sepa_creditor_name"])
        }
        self.init(name: name, identifier: identifier)
    }
}

extension LinkWallets {
    /// `nil` without `payment.merchant_country`, or where that alone is known of a live service: no wallet's tokens are opened
    /// here, and Google knows no merchant.
    package init?(
        _ configuration: ServiceConfiguration, environment: [String: String], apple: AppleMerchantClient?
    ) throws(ServiceConfiguration.Invalid) {
        let country: String = configuration.text("payment.merchant_country", default: "")
        guard !country.isEmpty else { return nil }
        guard country.utf8.count == 2, country.utf8.allSatisfy({ (65...90).contains($0) }) else {
            throw ServiceConfiguration.Invalid(faults: ["payment.merchant_country must be two capital letters"])
        }
        let google: GooglePay? = try Self.google(configuration, environment)
        let merchant: GoogleMerchant? = Self.googleMerchant(configuration, google)
        guard google != nil || merchant != nil || apple != nil else { return nil }
        self.init(country: country, google: google, googleMerchant: merchant, apple: apple)
    }

    /// Google shows a live sheet to merchants it knows only.
    private static func googleMerchant(_ configuration: ServiceConfiguration, _ google: GooglePay?) -> GoogleMerchant? {
        let given: String = configuration.text("payment.google_pay_merchant", default: "")
        let id: String? = google?.merchantID ?? (given.isEmpty ? nil : given)
        let isTest: Bool = configuration.mode == .sandbox
        return id != nil || isTest ? GoogleMerchant(id: id, isTest: isTest) : nil
    }

    private static func google(
        _ configuration: ServiceConfiguration, _ environment: [String: String]
    ) throws(ServiceConfiguration.Invalid) -> GooglePay? {
        guard let found = try WalletConfiguration.googlePayRecipient(environment) else { return nil }
        let given: String = configuration.text("payment.google_pay_merchant", default: "")
        let isTest: Bool = configuration.mode == .sandbox
        switch found.recipient {
        case .merchant(let id):
            return GooglePay(
                merchantID: given.isEmpty ? id : given, recipient: .direct(publicKey: found.publicKey), isTest: isTest)
        case .gateway(let id, let merchant):
            guard !given.isEmpty || isTest else {
                throw ServiceConfiguration.Invalid(
                    faults: ["payment.google_pay_merchant is needed on pages with GOOGLE_PAY_GATEWAY_ID"])
            }
            return GooglePay(
                merchantID: given.isEmpty ? nil : given, recipient: .gateway(id: id, merchantID: merchant),
                isTest: isTest)
        }
    }
}
