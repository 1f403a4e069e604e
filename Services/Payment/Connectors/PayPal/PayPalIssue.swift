import PaymentContract
/// What a refusal of PayPal means for what is known: the issues of Orders v2 and Payments v2
/// (https://developer.paypal.com/api/rest/reference/orders/v2/errors/ and the `422` schemas of the OpenAPI documents).
enum PayPalIssue: Equatable {
    /// The payer, the payer's method or PayPal's risk rules say no to this charge.
    case declined
    /// The order went through before: reading it tells how.
    case done
    /// The payer has to act first, or again.
    case payerAction
    /// The first request of this kind is still running.
    case running
    /// A capture under this invoice id exists that this key does not know of.
    case duplicate
    /// It contradicts what happened before, which may be what an earlier try of ours did.
    case conflict
    /// Our account or our request is at fault, or nobody knows the code: somebody has to look.
    case ours

    init(code: String) {
        if Self.declines.contains(code) {
            self = .declined
        } else if Self.conflicts.contains(code) {
            self = .conflict
        } else {
            self = Self.special[code] ?? .ours
        }
    }

    private static let special: [String: PayPalIssue] = [
        "ORDER_ALREADY_CAPTURED": .done, "ORDER_ALREADY_AUTHORIZED": .done, "ORDER_COMPLETED_OR_VOIDED": .done,
        "ORDER_NOT_APPROVED": .payerAction, "PAYER_ACTION_REQUIRED": .payerAction,
        "ORDER_COMPLETION_IN_PROGRESS": .running, "PREVIOUS_REQUEST_IN_PROGRESS": .running,
        "DUPLICATE_INVOICE_ID": .duplicate,
    ]

    /// Each has a row among the issues of `PayPalDeclines`.
    private static let declines: Set<String> = [
        "AGREEMENT_ALREADY_CANCELLED", "ALIAS_DECLINED_BY_PROCESSOR", "BILLING_ADDRESS_INVALID",
        "BILLING_AGREEMENT_NOT_FOUND", "CARD_BRAND_NOT_SUPPORTED", "CARD_EXPIRED", "CARD_TYPE_NOT_SUPPORTED",
        "COMPLIANCE_VIOLATION", "CONSENT_NEEDED", "CURRENCY_NOT_SUPPORTED_FOR_BANK",
        "CURRENCY_NOT_SUPPORTED_FOR_CARD_TYPE", "CURRENCY_NOT_SUPPORTED_FOR_COUNTRY", "DECLINED_DUE_TO_RELATED_TXN",
        "DOMESTIC_TRANSACTION_REQUIRED", "INSTRUMENT_DECLINED", "INVALID_EXPIRY_DATE", "INVALID_IBAN",
        "INVALID_SECURITY_CODE_LENGTH", "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
        "ORDER_EXPIRED", "PAYEE_BLOCKED_TRANSACTION", "PAYER_ACCOUNT_LOCKED_OR_CLOSED", "PAYER_ACCOUNT_RESTRICTED",
        "PAYER_CANNOT_PAY", "PAYMENT_SOURCE_CANNOT_BE_USED", "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR",
        "PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED", "PREVIOUS_TRANSACTION_REFERENCE_HAS_CHARGEBACK",
        "PREVIOUS_TRANSACTION_REFERENCE_VOIDED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", "REFERENCED_CARD_EXPIRED",
        "TOKEN_EXPIRED", "TOKEN_ID_NOT_FOUND", "TRANSACTION_BLOCKED_BY_PAYEE", "TRANSACTION_LIMIT_EXCEEDED",
        "TRANSACTION_REFUSED",
    ]

    private static let conflicts: Set<String> = [
        "AUTHORIZATION_ALREADY_CAPTURED", "CAPTURE_FULLY_REFUNDED", "MAX_CAPTURE_AMOUNT_EXCEEDED",
        "MAX_CAPTURE_COUNT_EXCEEDED", "MAX_NUMBER_OF_REFUNDS_EXCEEDED", "PREVIOUSLY_CAPTURED", "REFUND_AMOUNT_EXCEEDED",
    ]

    /// Issues of captures and refunds that our own account causes: nothing is wrong with what was asked, and it may
    /// work when the account is in order again.
    static let ofOurAccount: Set<String> = ["PAYEE_ACCOUNT_LOCKED_OR_CLOSED", "PAYEE_ACCOUNT_RESTRICTED"]
}

extension PayPalRefusal {
    /// What the refusal means.
    var issue: PayPalIssue { PayPalIssue(code: code) }

    /// The code with which a capture, a release or a refund is refused for good.
    /// - Throws: The fault, where the refusal settles nothing: an earlier try may have caused it, or our account has.
    ///   One of the request's form (400) settles nothing after an earlier try that may have taken effect.
    func finalCode() throws(ProviderFault) -> String {
        if status == 400, let doubt { throw doubt }
        switch issue {
        case .duplicate: throw .unusable("another capture or refund carries our id: \(code)")
        case .running: throw .timedOut
        case .conflict: if let doubt { throw doubt }
        case .declined, .done, .payerAction, .ours: break
        }
        guard !PayPalIssue.ofOurAccount.contains(code) else { throw rejection }
        return code
    }
}
