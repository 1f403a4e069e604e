import PaymentDomain
import TestKit
import Testing

@Suite("Bank account numbers") struct IBANTests {
    /// Examples of the registry's countries.
    private static let good = [
        "DE89 3704 0044 0532 0130 00", "gb29nwbk60161331926819", "NL91ABNA0417164300", "FR1420041010050500013M02606",
        "NO9386011117947", "MT84MALT011000012345MTLCAST001S", "ES9121000418450200051332", "AT611904300234573201",
    ]

    private static func fault(_ text: String) -> IBAN.Fault? {
        do throws(IBAN.Fault) {
            _ = try IBAN(text)
            return nil
        } catch { return error }
    }

    @Test("examples of the registry are read, in any case and with spaces, and country and last digits are printed")
    func read() throws {
        for text in Self.good { #expect(Self.fault(text) == nil, "\(text)") }
        let iban = try IBAN("de89 3704 0044 0532 0130 00")
        #expect(iban.text == "DE89370400440532013000")
        #expect(iban.country == "DE" && iban.last4 == "3000")
        #expect("\(iban)" == "DE •••• 3000" && !String(reflecting: iban).contains("3704"))
    }

    @Test("any one digit that is wrong, and any two neighbours that are swapped, are found") func checked() throws {
        let digits: [Character] = Array("DE89370400440532013000")
        for place in 2..<digits.count {
            for digit in "0123456789" where digit != digits[place] {
                var wrong: [Character] = digits
                wrong[place] = digit
                #expect(Self.fault(String(wrong)) == .invalid)
            }
            guard place + 1 < digits.count, digits[place] != digits[place + 1] else { continue }
            var swapped: [Character] = digits
            swapped.swapAt(place, place + 1)
            #expect(Self.fault(String(swapped)) == .invalid)
        }
    }

    @Test("another length than the country's, other characters and other countries are none") func refused() {
        let texts = [
            "", "DE", "DE8937040044053201300", "DE893704004405320130000", "DE89-3704-0044-0532-0130-00",
            "DÉ89370400440532013000", "8937040044053201300000", String(repeating: "1", count: 65),
        ]
        for text in texts { #expect(Self.fault(text) == .invalid, "\(text)") }
        #expect(Self.fault("BR1500000000000010932840814P2") == .country)
    }
}
