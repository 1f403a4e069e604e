import BillingCore
import JSON
import PaymentThreeDS
import TestKit
import Testing

@Suite("What is asked") struct RequestTests {
    private func request(
        _ terms: AuthenticationTerms, _ browser: CardholderBrowser? = browser, _ cardholder: Cardholder = cardholder
    ) throws -> JSONValue {
        var authentication = Authentication(terms: terms, range: plainRange)
        return try parseJSON(authentication.ask(as: profile, cardholder, browser: browser, at: start))
    }

    @Test(
        "an amount goes out in ISO minor units with its number and exponent",
        arguments: [
            ("EUR", 1_099, "1099", "978", "2"), ("JPY", 500, "500", "392", "0"), ("KWD", 1_234, "1234", "414", "3"),
            ("ISK", 700, "700", "352", "0"), ("MGA", 700, "700", "969", "2"), ("ALL", 1, "1", "008", "2"),
            ("AUD", 1, "1", "036", "2"), ("UYW", 5, "5", "927", "4"), ("HUF", 90_000, "90000", "348", "2"),
            ("USD", Int64.max, "9223372036854775807", "840", "2"),
        ] as [(String, Int64, String, String, String)])
    func amounts(code: String, minor: Int64, amount: String, number: String, exponent: String) throws {
        let currency = try #require(Currency(code))
        let message = try request(try terms(amount: Money(minor: minor, currency: currency)))
        #expect(message["purchaseAmount"] == .string(amount))
        #expect(message["purchaseCurrency"] == .string(number))
        #expect(message["purchaseExponent"] == .string(exponent))
        #expect(message["purchaseDate"] == "20261118110640")
    }

    @Test("every currency has a number of three digits, and no two the same") func numbers() {
        let numbers: [String] = Currency.all.map(\.numericCode)
        #expect(numbers.count == Currency.all.count)
        #expect(Set(numbers).count == numbers.count)
        #expect(numbers.allSatisfy { $0.utf8.count == 3 && $0.utf8.allSatisfy { (48...57).contains($0) } })
    }

    @Test("a browser's payment has the elements of channel 02, and no others") func browserPayment() throws {
        let message = try request(try terms(preference: .mandated))
        #expect(message["deviceChannel"] == "02" && message["messageCategory"] == "01")
        #expect(message["threeDSCompInd"] == "U" && message["threeDSRequestorChallengeInd"] == "04")
        #expect(message["browserJavascriptEnabled"] == true && message["browserColorDepth"] == "24")
        #expect(message["threeRIInd"] == nil && message["threeDSRequestorDecReqInd"] == nil)
        #expect(message["dsTransID"] == nil && message["recurringExpiry"] == nil)
    }

    @Test("a merchant's request has no browser and says why it asks") func merchant() throws {
        let expiry = try #require(CivilDate(year: 2_027, month: 12, day: 31))
        let recurrence = AuthenticationTerms.Recurrence(lastDay: expiry, everyDays: 28)
        let message = try request(
            try terms(channel: .merchant(.recurring), purpose: .recurring(recurrence), decoupledMinutes: 60), nil)
        #expect(message["deviceChannel"] == "03" && message["threeRIInd"] == "01")
        #expect(message["notificationURL"] == nil && message["threeDSCompInd"] == nil)
        #expect(message.objectValue?.contains { $0.name.hasPrefix("browser") } == false)
        #expect(message["recurringExpiry"] == "20271231" && message["recurringFrequency"] == "28")
        #expect(message["threeDSRequestorDecReqInd"] == "Y" && message["threeDSRequestorDecMaxTime"] == "00060")
    }

    @Test("adding a card moves no money and says so") func addCard() throws {
        let message = try request(try terms(purpose: .addCard, amount: nil))
        #expect(message["messageCategory"] == "02" && message["threeDSRequestorAuthenticationInd"] == "04")
        #expect(message["purchaseAmount"] == nil && message["purchaseDate"] == nil)
    }

    @Test("what a browser tells is brought into the protocol's form") func browserForm() throws {
        let odd = CardholderBrowser.Script(
            language: "zh-Hans-CN", javaEnabled: true, colorDepth: 30, screenHeight: 1, screenWidth: 2,
            timeZoneMinutes: 345)
        let message = try request(
            try terms(),
            CardholderBrowser(
                acceptHeader: String(repeating: "a", count: 5_000), userAgent: "x", address: "2001:db8::1", script: odd)
        )
        #expect(message["browserLanguage"] == "zh-Hans" && message["browserColorDepth"] == "24")
        #expect(message["browserAcceptHeader"]?.stringValue?.utf8.count == 2_048)
        #expect(message["browserTZ"] == "345" && message["browserJavaEnabled"] == true)
        let silent = try request(
            try terms(), CardholderBrowser(acceptHeader: "*/*", userAgent: "x", address: nil, script: nil))
        #expect(silent["browserJavascriptEnabled"] == false && silent["browserTZ"] == nil)
    }

    @Test(
        "elements that another party would refuse are not sent",
        arguments: [
            ("acctNumber", Cardholder(number: "400000000000")), ("acctNumber", Cardholder(number: "4000-0000-0000-02")),
            ("acctNumber", Cardholder(number: "40000000000000000000")),
            ("cardExpiryDate", Cardholder(number: "4000000000000002", expiry: "3413")),
            ("cardExpiryDate", Cardholder(number: "4000000000000002", expiry: "12/34")),
            ("cardholderName", Cardholder(number: "4000000000000002", name: "x")),
            ("cardholderName", Cardholder(number: "4000000000000002", name: "a\nb")),
            ("email", Cardholder(number: "4000000000000002", email: "nobody")),
            ("billAddrCountry", Cardholder(number: "4000000000000002", billing: .init(state: "BE"))),
            ("billAddrCountry", Cardholder(number: "4000000000000002", billing: .init(country: "DE"))),
            ("billAddrPostCode", Cardholder(number: "4000000000000002", billing: .init(postCode: ""))),
            ("billAddrLine3", Cardholder(number: "4000000000000002", billing: .init(lines: ["a", "b", "c", "d"]))),
        ])
    func invalid(name: String, cardholder: Cardholder) throws {
        #expect(throws: AuthenticationFault.invalidField(name)) { try request(try terms(), browser, cardholder) }
    }

    @Test("terms that the version or the purpose rules out are refused") func invalidTerms() {
        #expect(throws: InvalidField.self) { try terms(amount: eur(0)) }
        #expect(throws: InvalidField.self) { try terms(amount: eur(-5)) }
        #expect(throws: InvalidField.self) { try terms(amount: nil) }
        #expect(throws: InvalidField.self) { try terms(decoupledMinutes: 0) }
        #expect(throws: InvalidField.self) { try terms(decoupledMinutes: 10_081) }
        #expect(throws: InvalidField.self) { try terms(version: .v210, decoupledMinutes: 5) }
        #expect(throws: InvalidField.self) { try terms(version: .v210, channel: .merchant(.recurring)) }
        for preference in ChallengePreference.allCases where preference.rawValue > "04" {
            #expect(throws: InvalidField.self) { try terms(version: .v210, preference: preference) }
        }
    }

    @Test("in 2.1.0 a browser without scripts cannot be described, and the element of 2.2.0 is left out")
    func oldVersion() throws {
        let message = try request(try terms(version: .v210))
        #expect(message["messageVersion"] == "2.1.0" && message["browserJavascriptEnabled"] == nil)
        #expect(throws: AuthenticationFault.invalidField("browserJavascriptEnabled")) {
            try request(
                try terms(version: .v210),
                CardholderBrowser(acceptHeader: "*/*", userAgent: "x", address: nil, script: nil))
        }
    }

    @Test("the public example of a CReq reads as its JSON, and ours says the same") func challengeRequest() throws {
        // Fiserv's public documentation.
        let example = """
            ewogICAgInRocmVlRFNTZXJ2ZXJUcmFuc0lEIjoiMTIzNDEyMzQtMTIzNC0xMjM0LTEyMzQtMTIzNDEyMzQxMjM0IiwKICAgICJhY3NUc\
            mFuc0lEIjoiNDMyMTQzMjEtNDMyMS00MzIxLTQzMjEtNDMyMTQzMjE0MzIxIiwKICAgICJjaGFsbGVuZ2VXaW5kb3dTaXplIjoiMDUiL\
            AogICAgIm1lc3NhZ2VUeXBlIjoiQ1JlcSIsCiAgICAibWVzc2FnZVZlcnNpb24iOiIyLjIuMCIKfQ
            """
        let expected = try parseJSON(try #require(Base64.url.decode(example)))
        let id = try #require(TransactionID("12341234-1234-1234-1234-123412341234"))
        var authentication = Authentication(id: id, terms: try terms(), range: plainRange)
        _ = try authentication.ask(as: profile, cardholder, browser: browser, at: start)
        _ = try authentication.receive(
            response(authentication, "C", [("acsTransID", "43214321-4321-4321-4321-432143214321")]), at: start)
        let form = try authentication.beginChallenge(window: .fullPage, session: "pay_1", at: start)
        let field = try #require(form.fields.first { $0.name == "creq" })
        let ours = try parseJSON(try #require(Base64.url.decode(field.value)))
        for member in expected.objectValue ?? [] { #expect(ours[member.name] == member.value) }
        #expect(ours.objectValue?.count == expected.objectValue?.count)
        #expect(form.address == "https://acs.example/challenge")
        #expect(form.fields.first { $0.name == "threeDSSessionData" }?.value == Base64.url.encode("pay_1".utf8))
    }

    @Test("ids are lower-case UUIDs of version 4, read exactly") func ids() {
        for _ in 0..<200 {
            let text = TransactionID.new().description
            #expect(TransactionID(text)?.description == text)
            #expect(Array(text)[14] == "4" && "89ab".contains(Array(text)[19]))
            #expect(TransactionID(text.uppercased()) == nil || text.uppercased() == text)
            #expect(TransactionID(text + "0") == nil && TransactionID(String(text.dropLast())) == nil)
        }
        for text in ["", "12341234123412341234123412341234", String(repeating: "-", count: 36), "{\(otherID)}"] {
            #expect(TransactionID(text) == nil)
        }
    }

    @Test("nothing prints a card, a cryptogram or a cardholder's name") func printing() throws {
        let value = try #require(AuthenticationValue(cavv))
        var dumped = ""
        dump([(cardholder, value)], to: &dumped)
        for text in ["\(cardholder)", "\(value)", String(reflecting: cardholder), "\([value])", dumped] {
            #expect(!text.contains("4000000000000002") && !text.contains("Test Er") && !text.contains(cavv))
        }
    }
}
