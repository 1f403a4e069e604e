/// Mastercard's merchant advice code, beside a decline: what the merchant should do next.
///
/// Source: Mastercard's merchant advice codes as Braintree, EVO and Worldline list them for their merchants.
public enum MerchantAdviceCode: String, Sendable, Hashable, CaseIterable {
    /// New account information is available: get it.
    case newAccountInformation = "01"
    /// Cannot approve now: try again later.
    case tryAgainLater = "02"
    /// Do not try again.
    case doNotTryAgain = "03"
    /// The token was used in a way it is not made for.
    case tokenRequirements = "04"
    /// The negotiated value was not approved.
    case negotiatedValue = "05"
    /// The customer canceled the recurring payment.
    case paymentCancellation = "21"
    /// The merchant does not qualify for the product code.
    case productCode = "22"
    /// Try again after an hour.
    case afterHour = "24"
    /// Try again after a day.
    case afterDay = "25"
    /// Try again after two days.
    case afterTwoDays = "26"
    /// Try again after four days.
    case afterFourDays = "27"
    /// Try again after six days.
    case afterSixDays = "28"
    /// Try again after eight days.
    case afterEightDays = "29"
    /// Try again after ten days.
    case afterTenDays = "30"
    /// A prepaid card that cannot be filled again.
    case nonReloadablePrepaid = "40"
    /// A virtual number for one use.
    case singleUseNumber = "41"
    /// Stopped by a sanctions check.
    case sanctions = "42"
    /// A virtual number for several uses; says nothing about retrying.
    case multiUseNumber = "43"

    /// Reads what came beside the decline of a card; `nil` for what says nothing about it.
    ///
    /// The table is Mastercard's. Processors pass on other networks' words under the same numbers, and do not agree on them:
    /// `02` of a Visa card asks for patience at one, and is the cardholder's order to stop a payment at another. Of another
    /// network's card, or of an unknown one, only what means an end with all of them counts.
    /// - Parameters:
    ///   - code: Two digits, as the provider passed them on.
    ///   - brand: By the names of ``CardNumber/brand``; `nil` where it is not known.
    public init?(_ code: String, brand: String?) {
        guard let read = MerchantAdviceCode(rawValue: code) else { return nil }
        switch brand {
        case "mastercard", "maestro": self = read
        default:
            guard read == .doNotTryAgain || read == .paymentCancellation else { return nil }
            self = read
        }
    }

    /// What it says about the same card; `nil` where it says nothing.
    public var retry: RetryRule? {
        switch self {
        // EVO names 72 hours for 02, which Mastercard leaves open.
        case .tryAgainLater: .after(.seconds(72 * 3_600))
        case .newAccountInformation, .doNotTryAgain, .paymentCancellation, .nonReloadablePrepaid, .singleUseNumber,
            .sanctions:
            .never
        case .tokenRequirements, .negotiatedValue, .productCode: .onceCorrected
        case .afterHour: .after(.seconds(3_600))
        case .afterDay: .after(.seconds(86_400))
        case .afterTwoDays: .after(.seconds(2 * 86_400))
        case .afterFourDays: .after(.seconds(4 * 86_400))
        case .afterSixDays: .after(.seconds(6 * 86_400))
        case .afterEightDays: .after(.seconds(8 * 86_400))
        case .afterTenDays: .after(.seconds(10 * 86_400))
        case .multiUseNumber: nil
        }
    }

    /// The reason it stands for where the response code gives none.
    var decline: Decline? {
        switch self {
        case .newAccountInformation: Decline(code: "new_account_information_available")
        case .tryAgainLater: Decline(code: "retry_later")
        case .doNotTryAgain, .sanctions: Decline(code: "do_not_try_again")
        case .paymentCancellation: Decline(code: "revocation_of_authorization")
        case .nonReloadablePrepaid, .singleUseNumber: Decline(code: "card_not_supported")
        case .tokenRequirements, .negotiatedValue, .productCode: .otherDataRequired
        case .afterHour, .afterDay, .afterTwoDays, .afterFourDays, .afterSixDays, .afterEightDays, .afterTenDays:
            .insufficientFunds
        case .multiUseNumber: nil
        }
    }
}
