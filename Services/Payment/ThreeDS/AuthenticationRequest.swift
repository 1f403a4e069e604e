import BillingCore

/// `AReq`: asks the issuer, through the directory server, who the cardholder is.
struct AuthenticationRequest {
    let id: TransactionID
    let terms: AuthenticationTerms
    let profile: RequestorProfile
    let cardholder: Cardholder
    /// The browser and what became of the method URL; `nil` exactly where the merchant asks alone.
    let browser: (CardholderBrowser, MethodCompletion)?

    /// The message.
    /// - Throws: ``InvalidField`` for an element that does not have the protocol's form.
    func serialized() throws(InvalidField) -> [UInt8] {
        var fields = FieldWriter()
        try fields.text("messageType", "AReq", 4...4)
        fields.code("messageVersion", terms.version)
        try fields.text("threeDSServerTransID", id.description, 36...36)
        try profile.write(to: &fields)
        try fields.text("threeDSRequestorAuthenticationInd", terms.purpose.code, 2...2)
        fields.code("threeDSRequestorChallengeInd", terms.preference)
        try fields.text("messageCategory", terms.category, 2...2)
        if let minutes = terms.decoupledMinutes {
            try fields.text("threeDSRequestorDecReqInd", "Y", 1...1)
            let digits = String(minutes)
            try fields.digits(
                "threeDSRequestorDecMaxTime", String(repeating: "0", count: 5 - digits.utf8.count) + digits, 5...5)
        }
        try channel(to: &fields)
        try cardholder.write(to: &fields)
        try purchase(to: &fields)
        try recurrence(to: &fields)
        return fields.finished()
    }

    private func channel(to fields: inout FieldWriter) throws(InvalidField) {
        switch (terms.channel, browser) {
        case (.browser, .some(let (browser, completion))):
            try fields.text("deviceChannel", "02", 2...2)
            fields.code("threeDSCompInd", completion)
            try fields.address("notificationURL", profile.notificationURL, max: 256)
            try browser.write(to: &fields, version: terms.version)
        case (.merchant(let reason), nil):
            try fields.text("deviceChannel", "03", 2...2)
            fields.code("threeRIInd", reason)
        case (.browser, nil): throw InvalidField("browserUserAgent")
        case (.merchant, .some): throw InvalidField("deviceChannel")
        }
    }

    /// The amount in minor units as ISO 4217 has them, whatever a provider counts in.
    private func purchase(to fields: inout FieldWriter) throws(InvalidField) {
        guard let purchase = terms.purchase else { return }
        let currency: Currency = purchase.amount.currency
        try fields.digits("purchaseAmount", String(purchase.amount.minor), 1...48)
        try fields.digits("purchaseCurrency", currency.numericCode, 3...3)
        try fields.number("purchaseExponent", currency.exponent, 0...9)
        let time: String = purchase.at.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" && $0 != "T" }
        try fields.digits("purchaseDate", time, 14...14)
        // Goods or services, the one kind that is sold here.
        try fields.text("transType", "01", 2...2)
    }

    private func recurrence(to fields: inout FieldWriter) throws(InvalidField) {
        let recurrence: AuthenticationTerms.Recurrence
        switch terms.purpose {
        case .payment, .addCard, .maintainCard, .verifyCardholder, .billingAgreement: return
        case .recurring(let given): recurrence = given
        case .instalments(let count, let given):
            try fields.number("purchaseInstalData", count, 2...999)
            recurrence = given
        }
        let day: String = recurrence.lastDay.description.filter { $0 != "-" }
        try fields.digits("recurringExpiry", day, 8...8)
        try fields.number("recurringFrequency", recurrence.everyDays, 1...9_999)
    }
}
