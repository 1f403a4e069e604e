/// PayPal's words for a refusal. A processor's documented code is in ``processorCodes`` or in ``silent``.
package enum PayPalDeclines {
    /// `processor_response.response_code` of Orders v2 and Payments v2.
    ///
    /// Source: the processor response codes in PayPal's OpenAPI documents and the server SDK's enumeration.
    package static let processorCodes: [String: String] = numeric.merging(lettered) { first, _ in first }

    /// `payment_advice_code` beside a Visa card's decline: the cardholder has the bank stop this payment, all of this
    /// merchant's, or all of the card's. On Mastercard it is a ``MerchantAdviceCode``.
    ///
    /// Source: the payment advice codes in PayPal's OpenAPI documents and the server SDK's enumeration.
    package static let visaAdvice: [String: String] = [
        "02": "stop_payment_order", "03": "revocation_of_authorization", "21": "revocation_of_all_authorizations",
    ]

    /// Processor response codes that do not say why a charge was refused, so that the issue or the state beside them
    /// counts: approvals; codes of refunds, reversals and other transactions; names that say no more than that there is an
    /// answer, and those whose meaning is published nowhere.
    ///
    /// Source: as of ``processorCodes``.
    package static let silent: Set<String> = [
        "0000", "1000", "7600",
        "5800", "PPCR", "PPFE", "PPGR", "PPLR", "PPRE", "PPRF", "PPUR",
        "9600", "PPAR", "PPDV", "PPLS", "PPMD", "PPNC", "PPSD", "PPTE", "PPTR", "PPTV",
    ]

    private static let numeric: [String: String] = [
        "00N7": "incorrect_cvc", "0100": "call_issuer", "0390": "invalid_account", "0500": "do_not_honor",
        "0580": "security_violation", "0800": "processing_error", "0880": "processing_error",
        "0890": "incorrect_pin", "0960": "processing_error", "0R00": "stop_payment_order",
        "10BR": "do_not_honor", "1300": "processing_error", "1310": "invalid_amount",
        "1312": "transaction_not_allowed", "1317": "processing_error", "1320": "currency_not_supported",
        "1330": "invalid_account", "1335": "invalid_account", "1340": "provider_configuration",
        "1350": "provider_configuration", "1352": "restricted_card", "1360": "processing_error",
        "1370": "provider_configuration", "1380": "incorrect_expiry", "1382": "incorrect_cvc",
        "1384": "processing_error", "1390": "processing_error", "1393": "transaction_not_allowed",
        "5100": "generic_decline", "5110": "incorrect_cvc", "5120": "insufficient_funds", "5130": "incorrect_pin",
        "5135": "pin_try_exceeded", "5140": "account_closed", "5150": "pickup_card", "5160": "security_violation",
        "5170": "incorrect_address", "5180": "restricted_card", "5190": "incorrect_address",
        "5200": "duplicate_transaction", "5210": "transaction_not_allowed", "5400": "expired_card",
        "5500": "incorrect_pin", "5650": "authentication_required", "5700": "transaction_not_allowed",
        "5710": "frequency_exceeded", "5900": "call_issuer", "5910": "issuer_not_available",
        "5920": "issuer_not_available", "5930": "card_not_activated", "5950": "new_account_information_available",
        "6300": "invalid_account", "7700": "authentication_failed", "7710": "authentication_failed",
        "7800": "incorrect_number", "7900": "incorrect_pin", "8000": "processing_error",
        "8010": "provider_configuration", "8020": "provider_configuration", "8030": "provider_configuration",
        "8100": "processing_error", "8110": "processing_error", "8220": "processing_error",
        "9100": "reenter_transaction", "9500": "fraudulent", "9510": "security_violation", "9520": "stolen_card",
        "9530": "call_issuer", "9540": "do_not_try_again",
    ]

    private static let lettered: [String: String] = [
        "PCNR": "approval_needed", "PCVV": "incorrect_cvc", "PP06": "account_closed", "PPAB": "restricted_card",
        "PPAD": "incorrect_address", "PPAE": "provider_configuration", "PPAG": "transaction_not_allowed",
        "PPAI": "invalid_amount", "PPAU": "provider_configuration", "PPAV": "incorrect_address",
        "PPAX": "limit_exceeded", "PPBG": "transaction_not_allowed", "PPC2": "incorrect_cvc",
        "PPCE": "provider_configuration", "PPCO": "transaction_not_allowed", "PPCT": "card_not_supported",
        "PPCU": "currency_not_supported", "PPD3": "authentication_failed", "PPDC": "provider_configuration",
        "PPDI": "provider_configuration", "PPDT": "too_many_attempts", "PPEF": "expired_card",
        "PPEL": "frequency_exceeded", "PPER": "processing_error", "PPEX": "incorrect_expiry",
        "PPFI": "invalid_account", "PPFR": "restricted_card", "PPFV": "processing_error",
        "PPH1": "processing_error", "PPIF": "processing_error", "PPII": "processing_error",
        "PPIM": "processing_error", "PPIT": "processing_error", "PPMB": "provider_configuration",
        "PPMC": "provider_configuration", "PPNL": "frequency_exceeded", "PPNM": "provider_configuration",
        "PPNT": "processing_error", "PPPH": "provider_configuration", "PPPI": "provider_configuration",
        "PPPM": "card_not_supported", "PPQC": "transaction_not_allowed", "PPRN": "do_not_try_again",
        "PPRR": "provider_configuration", "PPS0": "processing_error", "PPS1": "duplicate_transaction",
        "PPS2": "hold_released", "PPS3": "hold_released", "PPS4": "processing_error", "PPS5": "processing_error",
        "PPS6": "processing_error", "PPSC": "fraudulent", "PPSE": "generic_decline", "PPTF": "processing_error",
        "PPTI": "processing_error", "PPTT": "transaction_not_allowed", "PPUA": "provider_configuration",
        "PPUC": "currency_not_supported", "PPUE": "provider_configuration", "PPUI": "provider_configuration",
        "PPUP": "provider_configuration", "PPVC": "currency_not_supported", "PPVE": "processing_error",
        "PPVT": "provider_configuration",
    ]

    /// Issues of the error answers 422 that refuse a payer's means, or find that what was held is let go. The others tell of
    /// a faulty request or of a state, and are no declines.
    ///
    /// Source: the issues listed in PayPal's OpenAPI documents of Orders v2 and Payments v2.
    package static let issues: [String: String] = [
        "ALIAS_DECLINED_BY_PROCESSOR": "invalid_account",
        "AUTHORIZATION_DENIED": "generic_decline",
        "AUTHORIZATION_EXPIRED": "hold_released",
        "AUTHORIZATION_VOIDED": "hold_released",
        "BILLING_ADDRESS_INVALID": "incorrect_address",
        "BILLING_AGREEMENT_NOT_FOUND": "mandate_invalid",
        "AGREEMENT_ALREADY_CANCELLED": "mandate_invalid",
        "CARD_BRAND_NOT_SUPPORTED": "card_not_supported",
        "CARD_EXPIRED": "expired_card",
        "CARD_TYPE_NOT_SUPPORTED": "card_not_supported",
        "COMPLIANCE_VIOLATION": "transaction_not_allowed",
        "CONSENT_NEEDED": "approval_needed",
        "CURRENCY_NOT_SUPPORTED_FOR_BANK": "currency_not_supported",
        "CURRENCY_NOT_SUPPORTED_FOR_CARD_TYPE": "currency_not_supported",
        "CURRENCY_NOT_SUPPORTED_FOR_COUNTRY": "currency_not_supported",
        "DECLINED_DUE_TO_RELATED_TXN": "generic_decline",
        "DOMESTIC_TRANSACTION_REQUIRED": "transaction_not_allowed",
        "INSTRUMENT_DECLINED": "generic_decline",
        "INVALID_EXPIRY_DATE": "incorrect_expiry",
        "INVALID_IBAN": "invalid_account",
        "INVALID_SECURITY_CODE_LENGTH": "incorrect_cvc",
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "too_many_attempts",
        "NOT_ENABLED_FOR_CARD_PROCESSING": "provider_configuration",
        "ORDER_EXPIRED": "action_expired",
        "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": "provider_configuration",
        "PAYEE_ACCOUNT_RESTRICTED": "provider_configuration",
        "PAYEE_BLOCKED_TRANSACTION": "blocked_by_risk",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "account_closed",
        "PAYER_ACCOUNT_RESTRICTED": "restricted_card",
        "PAYER_ACTION_REQUIRED": "authentication_required",
        "PAYER_CANNOT_PAY": "transaction_not_allowed",
        "PAYMENT_SOURCE_CANNOT_BE_USED": "restricted_card",
        "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR": "generic_decline",
        "PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED": "incorrect_address",
        "PREVIOUS_TRANSACTION_REFERENCE_HAS_CHARGEBACK": "mandate_invalid",
        "PREVIOUS_TRANSACTION_REFERENCE_VOIDED": "mandate_invalid",
        "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": "approval_needed",
        "REFERENCED_CARD_EXPIRED": "expired_card",
        "TOKEN_EXPIRED": "mandate_invalid",
        "TOKEN_ID_NOT_FOUND": "token_gone",
        "TRANSACTION_BLOCKED_BY_PAYEE": "blocked_by_risk",
        "TRANSACTION_LIMIT_EXCEEDED": "limit_exceeded",
        "TRANSACTION_RECEIVING_LIMIT_EXCEEDED": "provider_configuration",
        "TRANSACTION_REFUSED": "generic_decline",
    ]

    /// Why captures and authorizations did not come about, by their `status_details.reason`; the other reasons tell why one
    /// waits or was given back.
    ///
    /// Source: the reasons of captures and authorizations in PayPal's OpenAPI document of Payments v2.
    package static let reasons: [String: String] = ["DECLINED_BY_RISK_FRAUD_FILTERS": "blocked_by_risk"]

    /// The word that says most of a capture or an authorization that did not come about.
    /// - Parameters:
    ///   - reason: Its `status_details.reason`, which counts where it is known to tell something.
    ///   - status: Its `status`.
    package static func word(_ reason: String?, status: String) -> String {
        guard let reason, reasons[reason] != nil || issues[reason] != nil else { return status }
        return reason
    }

    /// How captures and authorizations that did not come about are called in their `status`, where nothing says why: a
    /// refusal of the payer's means, for this time, or a hold that is let go.
    ///
    /// Source: the status enumerations of captures and authorizations in PayPal's OpenAPI document of Payments v2.
    package static let statuses: [String: String] = [
        "DECLINED": "generic_decline", "DENIED": "generic_decline", "FAILED": "processing_error",
        "VOIDED": "hold_released",
    ]
}
