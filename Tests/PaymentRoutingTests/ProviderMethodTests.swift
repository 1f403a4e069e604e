import JSON
import PaymentContract
import PaymentRouting
import Testing

@Suite("What is shown of providers' methods") struct ProviderMethodTests {
    @Test("all that a payment is held against is shown: currencies, countries, amounts, who pays, where it begins")
    func whole() throws {
        let lender = ProviderCapabilities.Method(
            type: "affirm", currencies: ["CAD", "USD"], countries: ["CA", "US"],
            currencyOf: ["US": "USD", "CA": "CAD"], amounts: ["USD": 5_000...3_000_000, "CAD": 6_000...2_000_000],
            payer: [.country, .postalCode], separateCapture: true, partialCapture: false, multipleCapture: false,
            partialRefund: true, offSession: false, tokenOnly: true)
        let shown: JSONValue = try parseJSON(encode(ProviderMethodResource(lender)))
        let expected: [String: JSONValue] = [
            "currency_of_country": ["CA": "CAD", "US": "USD"],
            "amounts": [
                ["currency": "CAD", "minimum": 6_000, "maximum": 2_000_000],
                ["currency": "USD", "minimum": 5_000, "maximum": 3_000_000],
            ],
            "payer": ["country", "postal_code"],
        ]
        for (name, value) in expected { #expect(shown[name] == value, "\(name)") }
        #expect(shown["token_only"] == true && shown["off_session"] == false)
        #expect(shown["partial_capture"] == false && shown["partial_refund"] == true)
    }

    @Test("a method without limits says so") func none() throws {
        let card = ProviderCapabilities.Method(
            type: "card", separateCapture: true, partialCapture: true, multipleCapture: true, partialRefund: true,
            offSession: true)
        let shown: JSONValue = try parseJSON(encode(ProviderMethodResource(card)))
        #expect(shown["currency_of_country"]?.objectValue?.isEmpty == true)
        for name in ["amounts", "payer"] { #expect(shown[name]?.arrayValue?.isEmpty == true, "\(name)") }
        #expect(shown["token_only"] == false)
    }
}
