/// The wallets whose payment tokens are opened here.
package enum Wallet: String, Sendable, CaseIterable {
    case googlePay = "google_pay"
    case applePay = "apple_pay"
}
