import PaymentDomain
import Testing

@Suite("Card numbers") struct CardNumberTests {
    @Test(
        "numbers of every length and brand with a right check digit",
        arguments: [
            ("4242424242424242", "visa"), ("4000056655665556", "visa"), ("4222222222222", "visa"),
            ("5555555555554444", "mastercard"), ("2223003122003222", "mastercard"), ("378282246310005", "amex"),
            ("371449635398431", "amex"), ("6011111111111117", "discover"), ("6011000990139424", "discover"),
            ("3056930009020004", "diners"), ("36227206271667", "diners"), ("3566002020360505", "jcb"),
            ("6200000000000005", "unionpay"), ("6205500000000000004", "unionpay"), ("000000000000", "unknown"),
            ("4242 4242 4242 4242", "visa"), (" 4 2 4 2 4242 4242 4242 ", "visa"),
        ])
    func valid(text: String, brand: String) throws {
        let number = try #require(CardNumber(text))
        #expect(number.brand == brand)
        #expect(number.digits == text.filter { $0 != " " })
        #expect(number.last4 == String(text.filter { $0 != " " }.suffix(4)))
    }

    @Test(
        "what is not a card number is refused",
        arguments: [
            "", " ", "4242424242424241", "42424242424", "00000000000", "42424242424242424242", "4242-4242-4242-4242",
            "4242424242424242x", "+4242424242424242", "4242\t4242\t4242\t4242", "4242424242424242\n", "4242.4242e8",
            "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "４２４２４２４２４２４２４２４２", "4242424242424242\u{0}", "4\u{301}242424242424242",
            "4242\u{a0}4242\u{a0}4242\u{a0}4242", "'; DROP TABLE cards; --", "🂡🂡🂡🂡🂡🂡🂡🂡🂡🂡🂡🂡",
            String(repeating: "4", count: 100_000), String(repeating: " ", count: 100_000),
        ])
    func invalid(text: String) {
        #expect(CardNumber(text) == nil)
    }

    @Test("changing any one digit, or swapping two unequal neighbours other than 0 and 9, is found out")
    func checkDigit() {
        let digits: [Character] = Array("4111111111234567".dropLast())
        for last in "0123456789" {
            guard let number = CardNumber(String(digits) + String(last)) else { continue }
            let whole: [Character] = Array(number.digits)
            for (index, digit) in whole.enumerated() {
                for other in "0123456789" where other != digit {
                    var changed = whole
                    changed[index] = other
                    #expect(CardNumber(String(changed)) == nil)
                }
            }
            for index in 0..<(whole.count - 1) where whole[index] != whole[index + 1] {
                guard Set([whole[index], whole[index + 1]]) != ["0", "9"] else { continue }
                var swapped = whole
                swapped.swapAt(index, index + 1)
                #expect(CardNumber(String(swapped)) == nil)
            }
            return
        }
        Issue.record("one of ten check digits is right")
    }

    @Test("however it is printed, a number shows its last four digits and no others") func printing() throws {
        let number = try #require(CardNumber("4000002500003155"))
        var dumped = ""
        dump(number, to: &dumped)
        var dumpedInside = ""
        dump([("card", number)], to: &dumpedInside)
        let texts: [String] = [
            "\(number)", String(describing: number), String(reflecting: number), "\([number])",
            "\(Optional(number) as Any)",
            "\((1, number))", dumped, dumpedInside, number.description,
        ]
        for text in texts {
            #expect(!text.contains("4000002500003155"), "\(text.count) characters show the number")
            #expect(!text.contains("0000250000"), "\(text.count) characters show its middle")
        }
        #expect(number.description == "•••• 3155")
    }
}
