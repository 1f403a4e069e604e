/// Response codes of the card networks: ISO 8583 field 39 as Visa, Mastercard, American Express (two digits) and
/// Discover use it online.
///
/// Source: the code lists that acquirers publish for their merchants, such as Worldpay's "Raw response codes", North's
/// "Transaction response codes" and Visa's 2025 additions 5C and 9G as Cielo announced them.
package enum NetworkDeclines {
    package static let codes: [String: String] = [
        "01": "call_issuer", "02": "call_issuer", "03": "provider_configuration", "04": "pickup_card",
        "05": "do_not_honor", "06": "processing_error", "07": "pickup_card", "12": "transaction_not_allowed",
        "13": "invalid_amount", "14": "incorrect_number", "15": "incorrect_number", "19": "reenter_transaction",
        "21": "generic_decline", "25": "processing_error", "28": "processing_error", "30": "processing_error",
        "33": "expired_card", "34": "fraudulent", "36": "restricted_card", "38": "pin_try_exceeded",
        "39": "invalid_account", "41": "lost_card", "43": "stolen_card", "46": "account_closed",
        "51": "insufficient_funds", "52": "invalid_account", "53": "invalid_account", "54": "expired_card",
        "55": "incorrect_pin", "57": "transaction_not_allowed", "58": "provider_configuration", "59": "fraudulent",
        "61": "limit_exceeded", "62": "restricted_card", "63": "security_violation",
        // 65 is Mastercard's soft decline for European cards without authentication, and everybody's "used too often":
        // see ``isSoftDecline(_:brand:authenticated:)``.
        "65": "frequency_exceeded", "70": "pin_required", "75": "pin_try_exceeded", "76": "processing_error",
        "77": "processing_error", "78": "card_not_activated", "79": "do_not_honor", "80": "processing_error",
        "82": "do_not_honor", "83": "do_not_honor", "85": "generic_decline", "86": "incorrect_pin",
        "87": "pin_required", "88": "processing_error", "89": "processing_error", "91": "issuer_not_available",
        "92": "processing_error", "93": "transaction_not_allowed", "94": "duplicate_transaction",
        "96": "processing_error", "1A": "authentication_required", "5C": "transaction_not_allowed",
        "9G": "blocked_by_cardholder", "6P": "incorrect_address", "B1": "processing_error",
        "B2": "processing_error", "N0": "processing_error", "N3": "transaction_not_allowed",
        "N4": "limit_exceeded", "N7": "incorrect_cvc", "N8": "limit_exceeded", "P5": "pin_try_exceeded",
        "P6": "incorrect_pin", "Q1": "authentication_failed", "R0": "stop_payment_order",
        "R1": "revocation_of_authorization", "R3": "revocation_of_all_authorizations", "Z3": "issuer_not_available",
    ]

    /// Whether a response code asks for authentication: Visa's `1A`, Mastercard's `65`.
    ///
    /// Source: the networks' European guides to strong customer authentication ("soft decline"), as acquirers repeat
    /// them. `65` is only that when the attempt came without authentication; with it, it means "used too often".
    package static func isSoftDecline(_ code: String, brand: String, authenticated: Bool) -> Bool {
        switch brand {
        case "mastercard", "maestro": code == "1A" || (code == "65" && !authenticated)
        default: code == "1A"
        }
    }
}
