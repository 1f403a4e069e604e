/// The rows. The waits after soft declines are ours: long enough for what they wait for (an issuer's outage, a new
/// day's limit, a salary). Networks' stricter words come from ``MerchantAdviceCode`` and ``RetryBudget``.
extension DeclineReason {
    private static let minutes5: RetryRule = .after(.seconds(300))
    private static let hour: RetryRule = .after(.seconds(3_600))
    private static let day: RetryRule = .after(.seconds(86_400))
    private static let days3: RetryRule = .after(.seconds(3 * 86_400))

    /// The card will not work: it needs another.
    static let hard: [DeclineReason] = [
        DeclineReason(
            "expired_card", .hard, .never, "Ask for the card that replaced it.", "The card has expired."),
        DeclineReason("lost_card", .hard, .never, "Ask for another card; do not tell the payer why."),
        DeclineReason("stolen_card", .hard, .never, "Ask for another card; do not tell the payer why."),
        DeclineReason("pickup_card", .hard, .never, "Ask for another card; do not tell the payer why."),
        DeclineReason(
            "incorrect_number", .hard, .never, "Ask for the number again, or for another card.",
            "The card number is not right."),
        DeclineReason(
            "invalid_account", .hard, .never, "Ask for another card or account.",
            "The account behind the card or mandate does not exist."),
        DeclineReason(
            "account_closed", .hard, .never, "Ask for another card or account.",
            "The account behind the card or mandate is closed."),
        DeclineReason(
            "restricted_card", .hard, .never, "Ask for another card.", "The card cannot be used for this payment."),
        DeclineReason(
            "transaction_not_allowed", .hard, .never, "Ask for another card: this one is not made for such payments.",
            "The bank does not allow this kind of payment with the card."),
        DeclineReason(
            "card_not_supported", .hard, .never, "Ask for another card.", "This kind of card is not accepted."),
        DeclineReason(
            "currency_not_supported", .hard, .never, "Charge another currency, or ask for another card.",
            "The card cannot pay in this currency."),
        DeclineReason(
            "revocation_of_authorization", .hard, .never,
            "The customer withdrew the agreement at the bank: stop charging and ask the customer.",
            "The bank was told to stop this payment."),
        DeclineReason(
            "revocation_of_all_authorizations", .hard, .never,
            "The customer withdrew every agreement at the bank: stop charging and ask the customer.",
            "The bank was told to stop all such payments."),
        DeclineReason(
            "stop_payment_order", .hard, .never, "The customer stopped this payment at the bank: ask the customer.",
            "The bank was told to stop this payment."),
        DeclineReason(
            "do_not_try_again", .hard, .never, "The network forbids another attempt: ask for another card.",
            "The bank does not accept the card for this payment."),
        DeclineReason(
            "new_account_information_available", .hard, .never,
            "Get the new card details, from an updater or the payer.",
            "The card was replaced by a new one."),
        DeclineReason(
            "mandate_invalid", .hard, .never, "Ask for a new mandate.", "The mandate is no longer valid."),
        DeclineReason(
            "test_card", .hard, .never, "A test card was used with live keys, or the other way round.",
            "The card is a test card, or the shop is in test mode."),
    ]

    /// It may work later.
    static let soft: [DeclineReason] = [
        DeclineReason(
            "insufficient_funds", .soft, days3, "Try again in some days, or ask for another card.",
            "The card has insufficient funds."),
        DeclineReason(
            "do_not_honor", .soft, day, "Try again later; the payer can ask the bank.",
            "The bank did not honor the charge and gave no reason."),
        DeclineReason(
            "generic_decline", .soft, day, "Try again later; the payer can ask the bank.",
            "The bank declined the charge."),
        DeclineReason(
            "no_payment_method", .soft, .onceCorrected, "Ask the customer for a payment method.",
            "The customer has no default payment method."),
        DeclineReason(
            "limit_exceeded", .soft, day, "Try again on another day, with less, or with another card.",
            "The payment is above a limit of the card."),
        DeclineReason(
            "frequency_exceeded", .soft, day, "Try again on another day.", "The card was used too often today."),
        DeclineReason(
            "invalid_amount", .soft, .onceCorrected, "The amount is not one the bank takes: look at it.",
            "The bank does not accept the amount."),
        DeclineReason(
            "duplicate_transaction", .soft, .onceCorrected,
            "Look for an earlier payment of the same amount before anything else.",
            "The same payment was just made."),
        DeclineReason(
            "issuer_not_available", .soft, hour, "Try again later.", "The bank could not be reached."),
        DeclineReason(
            "processing_error", .soft, minutes5, "Try again, perhaps at another provider.",
            "The payment could not be processed."),
        DeclineReason(
            "retry_later", .soft, day, "Try again later.", "The bank asks to try again later."),
        DeclineReason(
            "reenter_transaction", .soft, minutes5, "Try again.", "The bank asks to try again."),
        DeclineReason(
            "provider_configuration", .soft, .onceCorrected,
            "The account at the provider does not allow this: have it changed.",
            "The shop cannot accept this payment right now."),
        DeclineReason(
            "token_gone", .hard, .never, "The provider does not keep the method any more: ask for it anew.",
            "The payment method is not known any more: enter it again."),
        DeclineReason(
            "provider_credentials", .soft, .onceCorrected,
            "The provider refuses our credentials or our account: have that seen to.",
            "The shop cannot accept this payment right now."),
        DeclineReason(
            "hold_released", .soft, day, "The money was held and let go before it was taken: see why nobody took it.",
            "The payment was not taken in time."),
        DeclineReason(
            "too_many_attempts", .soft, day, "The network's count of attempts is used up: wait.",
            "The payment was tried too often."),
    ]

    /// It looks like fraud.
    static let fraud: [DeclineReason] = [
        DeclineReason(
            "blocked_by_risk", .fraud, .never, "Look at the assessment before anything else.",
            "The payment was blocked by the risk rules."),
        DeclineReason(
            "review_declined", .fraud, .never,
            "A person refused it: do not try again with the same card; do not tell the payer why."),
        DeclineReason("fraudulent", .fraud, .never, "Do not try again; do not tell the payer why."),
        DeclineReason("security_violation", .fraud, .never, "Do not try again; the payer can ask the bank."),
    ]

    /// The customer has to do something.
    static let action: [DeclineReason] = [
        DeclineReason(
            "authentication_required", .action, .onceCorrected, "Bring the customer back to authenticate.",
            "The bank wants the customer to authenticate."),
        DeclineReason(
            "authentication_failed", .action, .onceCorrected, "Let the customer try again, or use another method.",
            "The customer did not authenticate."),
        DeclineReason(
            "action_expired", .action, .onceCorrected, "Let the customer start again, or use another method.",
            "The payment was not finished in time."),
        DeclineReason(
            "other_data_required", .action, .onceCorrected,
            "The network wants other data first: have the card entered again, and see what the provider's account may send.",
            "The card has to be entered again, or another one used."),
        DeclineReason(
            "incorrect_cvc", .action, .onceCorrected, "Ask for the security code again.",
            "The security code is not right."),
        DeclineReason(
            "incorrect_expiry", .action, .onceCorrected, "Ask for the expiry date again.",
            "The expiry date is not right."),
        DeclineReason(
            "incorrect_address", .action, .onceCorrected, "Ask for the billing address again.",
            "The billing address is not the one the bank knows."),
        DeclineReason(
            "incorrect_pin", .action, .onceCorrected, "Ask for the PIN, or another method.", "The PIN is not right."),
        DeclineReason(
            "pin_required", .action, .onceCorrected, "The card needs a PIN: use another method online.",
            "The card needs a PIN for this payment."),
        DeclineReason(
            "pin_try_exceeded", .action, .onceCorrected, "The payer has to free the card at the bank.",
            "The PIN was wrong too often."),
        DeclineReason(
            "card_not_activated", .action, .onceCorrected, "The payer has to activate the card.",
            "The card is not activated yet."),
        DeclineReason(
            "blocked_by_cardholder", .action, .onceCorrected, "The payer has to lift a block in the bank's app.",
            "A block that the cardholder set stops this payment."),
        DeclineReason(
            "call_issuer", .action, .onceCorrected, "The payer has to call the bank.",
            "The bank wants to speak to the cardholder."),
        DeclineReason(
            "customer_declined", .action, .onceCorrected, "The payer canceled: offer the payment again.",
            "The payment was canceled by the payer."),
        DeclineReason(
            "approval_needed", .action, .onceCorrected, "The payer has to approve, or to choose another source.",
            "The payer has to approve the payment again."),
        DeclineReason(
            "quote_expired", .action, .onceCorrected, "Nothing arrived in time: let the payer start again.",
            "The price was no longer valid before the payment arrived."),
        DeclineReason(
            "underpaid", .action, .onceCorrected,
            "Less than the price arrived in time, and goes back or is held: let the payer start again.",
            "Less than the price arrived in time."),
        DeclineReason(
            "paid_late", .action, .onceCorrected,
            "The money arrived too late, and goes back or is held: let it count, or let the payer start again.",
            "The payment arrived too late."),
    ]
}
