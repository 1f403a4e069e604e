import PaymentDomain
import Testing

@Suite("Reading refusals") struct DeclineReadingTests {
    @Test(
        "network codes",
        arguments: [
            ("51", "insufficient_funds", Decline.Class.soft), ("05", "do_not_honor", .soft),
            ("54", "expired_card", .hard), ("41", "lost_card", .hard), ("43", "stolen_card", .hard),
            ("04", "pickup_card", .hard), ("07", "pickup_card", .hard), ("14", "incorrect_number", .hard),
            ("46", "account_closed", .hard), ("57", "transaction_not_allowed", .hard), ("59", "fraudulent", .fraud),
            ("34", "fraudulent", .fraud), ("63", "security_violation", .fraud), ("61", "limit_exceeded", .soft),
            ("65", "frequency_exceeded", .soft), ("91", "issuer_not_available", .soft),
            ("96", "processing_error", .soft), ("1A", "authentication_required", .action),
            ("N7", "incorrect_cvc", .action), ("9G", "blocked_by_cardholder", .action),
            ("R0", "stop_payment_order", .hard), ("R1", "revocation_of_authorization", .hard),
            ("R3", "revocation_of_all_authorizations", .hard), ("78", "card_not_activated", .action),
            ("99", "unknown", .unknown), ("", "unknown", .unknown), ("1a", "unknown", .unknown),
            ("00", "unknown", .unknown), ("5１", "unknown", .unknown),
        ])
    func network(code: String, reason: String, declineClass: Decline.Class) {
        let reading = DeclineReading(network: code)
        #expect(reading.decline.code == reason)
        #expect(reading.decline.reason.declineClass == declineClass)
        #expect(reading.retry == reading.decline.reason.retry)
    }

    @Test("every code of Visa's category 1 that is mapped is hard") func categoryOne() {
        for code in RetryBudget.visa.finalCodes {
            #expect(DeclineReading(network: code).decline.declineClass == .hard, "\(code)")
            #expect(DeclineReading(network: code).retry == .never, "\(code)")
        }
    }

    @Test(
        "advice codes beside insufficient funds",
        arguments: [
            ("01", RetryRule.never), ("02", .after(.seconds(259_200))), ("03", .never), ("04", .onceCorrected),
            ("05", .onceCorrected), ("21", .never), ("22", .onceCorrected), ("24", .after(.seconds(259_200))),
            ("25", .after(.seconds(259_200))), ("26", .after(.seconds(259_200))), ("27", .after(.seconds(345_600))),
            ("28", .after(.seconds(518_400))), ("29", .after(.seconds(691_200))), ("30", .after(.seconds(864_000))),
            ("40", .never), ("41", .never), ("42", .never), ("43", .after(.seconds(259_200))),
        ])
    func advice(code: String, expected: RetryRule) throws {
        let advice = try #require(MerchantAdviceCode(rawValue: code))
        let reading = DeclineReading(network: "51", advice: advice)
        let declineClass: Decline.Class =
            switch expected {
            case .never: .hard
            case .onceCorrected: .action
            case .after: .soft
            }
        #expect((reading.decline == .insufficientFunds) == (declineClass == .soft))
        #expect(reading.decline.declineClass == declineClass)
        #expect(reading.retry == expected)
    }

    @Test("a code is Mastercard's word on its own cards; on others only what is an end everywhere counts")
    func brands() {
        for advice in MerchantAdviceCode.allCases {
            for brand in ["mastercard", "maestro"] {
                #expect(MerchantAdviceCode(advice.rawValue, brand: brand) == advice)
            }
            let isEnd: Bool = ["03", "21"].contains(advice.rawValue)
            for brand in ["visa", "amex", "discover", "unknown", "card", nil] {
                #expect(MerchantAdviceCode(advice.rawValue, brand: brand) == (isEnd ? advice : nil))
            }
        }
        for code in ["31", "", "3", "003", "０３"] { #expect(MerchantAdviceCode(code, brand: "mastercard") == nil) }
    }

    @Test(
        "PayPal's advice is Mastercard's on its cards, and an order to stop on Visa's",
        arguments: [
            ("mastercard", "02", "insufficient_funds", Decline.Class.soft),
            ("mastercard", "03", "do_not_try_again", .hard),
            ("mastercard", "04", "other_data_required", .action), ("mastercard", "22", "other_data_required", .action),
            ("mastercard", "21", "revocation_of_authorization", .hard), ("visa", "02", "stop_payment_order", .hard),
            ("visa", "03", "revocation_of_authorization", .hard),
            ("visa", "21", "revocation_of_all_authorizations", .hard), ("visa", "04", "insufficient_funds", .soft),
            ("amex", "02", "insufficient_funds", .soft), ("amex", "03", "do_not_try_again", .hard),
            (nil, "02", "insufficient_funds", .soft), (nil, "04", "insufficient_funds", .soft),
            (nil, "03", "do_not_try_again", .hard),
        ] as [(String?, String, String, Decline.Class)])
    func paypalAdvice(brand: String?, code: String, expected: String, declineClass: Decline.Class) {
        let read = DeclineReading(paypal: nil, processorCode: "5120", adviceCode: code, brand: brand)
        #expect(read.decline.code == expected && read.decline.declineClass == declineClass)
        let stolen = DeclineReading(paypal: nil, processorCode: "9520", adviceCode: code, brand: brand)
        #expect(stolen.decline.code == "stolen_card")
    }

    @Test("what asks for other data waits for the customer; what is no more than a merchant's own fault does not")
    func otherData() {
        for advice in [MerchantAdviceCode.tokenRequirements, .negotiatedValue, .productCode] {
            #expect(DeclineReading(network: "05", advice: advice).decline == .otherDataRequired)
            #expect(DeclineReading(Decline(code: "processing_error"), advice: advice).decline == .otherDataRequired)
        }
        let confirmed = DeclineReading(stripe: "generic_decline", adviceCode: "confirm_card_data")
        #expect(confirmed.decline == .otherDataRequired && confirmed.retry == .onceCorrected)
        #expect(
            DeclineReading(stripe: "incorrect_cvc", adviceCode: "confirm_card_data").decline.code == "incorrect_cvc")
        #expect(DeclineReading(stripe: "expired_card", adviceCode: "confirm_card_data").decline == .expiredCard)
        // A card that may be had anew beside a decline for security is one whose holder is in doubt.
        #expect(DeclineReading(network: "83", advice: .newAccountInformation).decline == .otherDataRequired)
        let settings = DeclineReading(Decline(code: "provider_configuration"))
        #expect(settings.decline.declineClass == .soft && settings.retry == .onceCorrected)
    }

    @Test("a soft refusal that is never to be repeated is a hard one, by the advice's reason; others keep theirs")
    func never() {
        func code(_ code: String, _ advice: MerchantAdviceCode) -> String {
            DeclineReading(Decline(code: code), advice: advice).decline.code
        }
        #expect(code("insufficient_funds", .doNotTryAgain) == "do_not_try_again")
        #expect(code("insufficient_funds", .paymentCancellation) == "revocation_of_authorization")
        #expect(code("nobody_knows", .sanctions) == "do_not_try_again")
        #expect(code("insufficient_funds", .tokenRequirements) == "other_data_required")
        for kept in ["stolen_card", "fraudulent", "authentication_required", "incorrect_cvc"] {
            #expect(code(kept, .doNotTryAgain) == kept)
            #expect(code(kept, .tokenRequirements) == kept)
        }
        let word = DeclineReading(
            stripe: "insufficient_funds", adviceCode: "do_not_try_again", networkAdvice: .afterHour)
        #expect(word.decline.code == "do_not_try_again" && word.retry == .never)
        #expect(
            DeclineReading(stripe: "generic_decline", networkAdvice: .paymentCancellation).decline.code
                == "revocation_of_authorization")
    }

    @Test("the advice explains a code that says nothing") func adviceExplains() {
        #expect(DeclineReading(network: "05", advice: .paymentCancellation).decline.declineClass == .hard)
        #expect(DeclineReading(network: "79", advice: .newAccountInformation).decline.declineClass == .hard)
        #expect(DeclineReading(network: "79", advice: .afterTwoDays).decline == .insufficientFunds)
        #expect(DeclineReading(network: "05", advice: .multiUseNumber).decline == .doNotHonor)
        #expect(DeclineReading(network: "zz", advice: .multiUseNumber).decline == .unknown)
        #expect(DeclineReading(network: "41", advice: .afterHour).decline.code == "lost_card")
        #expect(MerchantAdviceCode(rawValue: "31") == nil)
    }

    @Test("65 asks for authentication from Mastercard, when there was none", arguments: [true, false])
    func softDecline(authenticated: Bool) {
        func code(_ network: String, _ brand: String) -> String {
            DeclineReading(network: network, brand: brand, authenticated: authenticated).decline.code
        }
        for brand in ["mastercard", "maestro"] {
            #expect(code("65", brand) == (authenticated ? "frequency_exceeded" : "authentication_required"))
        }
        for brand in ["visa", "amex", "unknown"] { #expect(code("65", brand) == "frequency_exceeded") }
        for brand in ["mastercard", "visa", "unknown"] { #expect(code("1A", brand) == "authentication_required") }
    }

    /// Every decline code on docs.stripe.com/declines/codes.
    private static let published: [String] = [
        "authentication_required", "authentication_not_handled", "approve_with_id", "call_issuer",
        "card_not_supported", "card_velocity_exceeded", "currency_not_supported", "do_not_honor", "do_not_try_again",
        "duplicate_transaction", "expired_card", "fraudulent", "generic_decline", "incorrect_address",
        "incorrect_cvc", "incorrect_number", "incorrect_pin", "incorrect_zip", "insufficient_funds",
        "invalid_account", "invalid_amount", "invalid_cvc", "invalid_expiry_month", "invalid_expiry_year",
        "invalid_number", "invalid_pin", "issuer_not_available", "lost_card", "merchant_blacklist",
        "mobile_device_authentication_required", "new_account_information_available", "no_action_taken",
        "not_permitted", "offline_pin_required", "online_or_offline_pin_required", "pickup_card",
        "pin_try_exceeded", "processing_error", "reenter_transaction", "restricted_card",
        "revocation_of_all_authorizations", "revocation_of_authorization", "security_violation",
        "service_not_allowed", "stolen_card", "stop_payment_order", "testmode_decline", "transaction_not_allowed",
        "try_again_later", "withdrawal_count_limit_exceeded",
    ]

    @Test("every published decline code of Stripe is mapped") func stripePublished() {
        for code in Self.published { #expect(DeclineReading(stripe: code).decline != .unknown, "\(code)") }
        #expect(DeclineReading(stripe: "stolen_card").decline.declineClass == .hard)
        #expect(DeclineReading(stripe: "merchant_blacklist").decline.declineClass == .fraud)
        #expect(DeclineReading(stripe: "invented_tomorrow").decline == .unknown)
    }

    @Test(
        "Stripe's error codes that end a payment are read; a silent one leaves the word to the network",
        arguments: [
            ("payment_intent_payment_attempt_failed", "generic_decline", Decline.Class.soft),
            ("payment_intent_payment_attempt_expired", "action_expired", .action),
            ("setup_attempt_failed", "generic_decline", .soft),
            ("setup_intent_setup_attempt_expired", "action_expired", .action),
            ("india_recurring_payment_mandate_canceled", "mandate_invalid", .hard),
            ("payment_method_bank_account_blocked", "restricted_card", .hard),
            ("payment_intent_action_required", "authentication_required", .action),
            ("incorrect_postal_code", "incorrect_address", .action), ("card_error", "generic_decline", .soft),
            ("charge_expired_for_capture", "hold_released", .soft),
            ("payment_intent_unexpected_state", "unknown", .unknown), ("api_error", "unknown", .unknown),
        ])
    func stripeErrors(code: String, reason: String, declineClass: Decline.Class) {
        let reading = DeclineReading(stripe: code)
        #expect(reading.decline.code == reason && reading.decline.reason.declineClass == declineClass)
        #expect(StripeDeclines.silent.contains(code) == (declineClass == .unknown))
        let beside = DeclineReading(stripe: code, networkCode: "51").decline
        #expect((beside == .insufficientFunds) == ["generic_decline", "unknown"].contains(reason))
    }

    @Test("Stripe's network code speaks where its own code does not, and nowhere else") func stripeNetwork() {
        #expect(DeclineReading(stripe: "generic_decline", networkCode: "46").decline.code == "account_closed")
        #expect(DeclineReading(stripe: "invented", networkCode: "51").decline == .insufficientFunds)
        #expect(DeclineReading(stripe: "generic_decline", networkCode: "zz").decline == .genericDecline)
        #expect(DeclineReading(stripe: "expired_card", networkCode: "51").decline == .expiredCard)
    }

    @Test("Stripe's advice and the network's are kept to, the stricter one") func stripeAdvice() {
        #expect(DeclineReading(stripe: "do_not_honor", adviceCode: "do_not_try_again").retry == .never)
        #expect(DeclineReading(stripe: "do_not_honor", adviceCode: "confirm_card_data").retry == .onceCorrected)
        #expect(
            DeclineReading(stripe: "do_not_honor", adviceCode: "try_again_later").retry == .after(.seconds(86_400)))
        #expect(
            DeclineReading(stripe: "do_not_honor", adviceCode: "try_again_later", networkAdvice: .afterTenDays).retry
                == .after(.seconds(864_000)))
        #expect(DeclineReading(stripe: "do_not_honor", adviceCode: "new_advice").retry == .after(.seconds(86_400)))
    }

    @Test(
        "PayPal's processor codes and issues",
        arguments: [
            (nil, "5120", "insufficient_funds"), ("INSTRUMENT_DECLINED", "9500", "fraudulent"),
            ("INSTRUMENT_DECLINED", nil, "generic_decline"), ("INSTRUMENT_DECLINED", "????", "generic_decline"),
            ("DECLINED_BY_RISK_FRAUD_FILTERS", nil, "blocked_by_risk"), ("DECLINED", nil, "generic_decline"),
            ("PAYER_ACTION_REQUIRED", nil, "authentication_required"), (nil, "5650", "authentication_required"),
            (nil, "5400", "expired_card"), (nil, "9520", "stolen_card"), (nil, "PPRN", "do_not_try_again"),
            (nil, "00N7", "incorrect_cvc"), (nil, "0000", "unknown"), (nil, "7600", "unknown"), (nil, nil, "unknown"),
            ("DECLINED", "PPAR", "generic_decline"), (nil, "PCNR", "approval_needed"), (nil, "PPS3", "hold_released"),
            (nil, "PPS6", "processing_error"), (nil, "PPUE", "provider_configuration"),
            ("VOIDED", nil, "hold_released"), ("AUTHORIZATION_EXPIRED", nil, "hold_released"),
            ("PREVIOUS_TRANSACTION_REFERENCE_HAS_CHARGEBACK", nil, "mandate_invalid"),
            ("ORDER_ALREADY_CAPTURED", nil, "unknown"), ("instrument_declined", nil, "unknown"),
        ] as [(String?, String?, String)])
    func paypal(issue: String?, processorCode: String?, expected: String) {
        #expect(DeclineReading(paypal: issue, processorCode: processorCode).decline.code == expected)
    }

    /// Every processor response code in PayPal's OpenAPI document of Orders v2.
    private static let processorCodes: String = """
        0000 00N7 0100 0390 0500 0580 0800 0880 0890 0960 0R00 1000 10BR 1300 1310 1312 1317 1320
        1330 1335 1340 1350 1352 1360 1370 1380 1382 1384 1390 1393 5100 5110 5120 5130 5135 5140
        5150 5160 5170 5180 5190 5200 5210 5400 5500 5650 5700 5710 5800 5900 5910 5920 5930 5950
        6300 7600 7700 7710 7800 7900 8000 8010 8020 8030 8100 8110 8220 9100 9500 9510 9520 9530
        9540 9600 PCNR PCVV PP06 PPRN PPAD PPAB PPAE PPAG PPAI PPAR PPAU PPAV PPAX PPBG PPC2 PPCE
        PPCO PPCR PPCT PPCU PPD3 PPDC PPDI PPDV PPDT PPEF PPEL PPER PPEX PPFE PPFI PPFR PPFV PPGR
        PPH1 PPIF PPII PPIM PPIT PPLR PPLS PPMB PPMC PPMD PPNC PPNL PPNM PPNT PPPH PPPI PPPM PPQC
        PPRE PPRF PPRR PPS0 PPS1 PPS2 PPS3 PPS4 PPS5 PPS6 PPSC PPSD PPSE PPTE PPTF PPTI PPTR PPTT
        PPTV PPUA PPUC PPUE PPUI PPUP PPUR PPVC PPVE PPVT
        """

    @Test("every processor response code that PayPal publishes is mapped, or known to tell nothing")
    func paypalPublished() {
        let published: [String] = Self.processorCodes.split(whereSeparator: \.isWhitespace).map(String.init)
        #expect(published.count == 154)
        for code in published {
            let isSilent: Bool = PayPalDeclines.silent.contains(code)
            #expect((DeclineReading(paypal: nil, processorCode: code).decline == .unknown) == isSilent, "\(code)")
            let declined = DeclineReading(paypal: "DECLINED", processorCode: code)
            #expect((declined.decline == .genericDecline) || !isSilent, "\(code)")
        }
        #expect(Set(PayPalDeclines.processorCodes.keys).union(PayPalDeclines.silent) == Set(published))
    }
}
