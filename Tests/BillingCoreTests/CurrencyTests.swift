import BillingCore
import Testing

@Suite("Currencies") struct CurrencyTests {
    @Test("there are the 157 active money codes of ISO 4217, by number of decimals") func counts() {
        #expect(Currency.all.count == 157)
        let counts = Dictionary(grouping: Currency.all, by: \.exponent).mapValues(\.count)
        #expect(counts == [0: 16, 2: 133, 3: 7, 4: 1])
    }

    @Test(
        "a code finds its currency",
        arguments: [
            ("EUR", 2, "Euro"), ("USD", 2, "US Dollar"), ("GBP", 2, "Pound Sterling"), ("JPY", 0, "Yen"),
            ("KWD", 3, "Kuwaiti Dinar"), ("BHD", 3, "Bahraini Dinar"), ("ISK", 0, "Iceland Krona"),
            ("UYW", 4, "Unidad Previsional"),
            ("HUF", 2, "Forint"), ("TOP", 2, "Pa\u{2019}anga"), ("AED", 2, "UAE Dirham"), ("ZWG", 2, "Zimbabwe Gold"),
        ])
    func lookup(code: String, exponent: Int, name: String) throws {
        let currency = try #require(Currency(code))
        #expect(currency.code == code && currency.exponent == exponent && currency.name == name)
    }

    @Test(
        "other text finds none",
        arguments: [
            "", "US", "USDX", "usd", "Usd", " USD", "XAU", "XXX", "XTS", "XDR", "CHE", "USN", "BOV", "CLF", "AAA",
            "ZZZ",
            "DEM", "HRK", "\u{212A}WD", "€", "US\u{0}", "UЅD",
        ])
    func unknown(code: String) {
        #expect(Currency(code) == nil)
    }

    @Test("codes lead back to the same currency, in order") func roundTrip() {
        for currency in Currency.all {
            #expect(Currency(currency.code) == currency)
            #expect(currency.description == currency.code && !currency.name.isEmpty)
        }
        #expect(Currency.all == Currency.all.sorted())
        #expect(Currency.all.map(\.code) == Currency.all.map(\.code).sorted())
        #expect([Currency.eur, .gbp, .jpy, .usd].map(\.code) == ["EUR", "GBP", "JPY", "USD"])
        #expect(MemoryLayout<Currency>.size == 1 && MemoryLayout<Money>.stride == 16)
    }
}
