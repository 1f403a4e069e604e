import PaymentLinks
import TestKit
import Testing

@Suite("Colours of a payment page") struct PaletteTests {
    @Test("whatever a brand chooses, every text can be read: 4.5 to 1 in both schemes") func readable() {
        var random = Seeded()
        for _ in 0..<2_000 {
            let (accent, background) = (Self.colour(&random), Self.colour(&random))
            let palette = BrandPalette(accent: accent, background: background)
            for (text, behind) in palette.light.pairs + palette.dark.pairs {
                #expect(text.contrast(with: behind) >= 4.5, "\(accent.hex) on \(background.hex)")
            }
        }
    }

    private static func colour(_ random: inout some RandomNumberGenerator) -> Colour {
        let text: String = (0..<6).map { _ in String(Int.random(in: 0..<16, using: &random), radix: 16) }.joined()
        guard let colour = Colour("#\(text)") else { preconditionFailure("six digits are a colour") }
        return colour
    }

    @Test("a colour that can be read is kept as it is") func kept() throws {
        let green: Colour = try #require(Colour("#0a7d55"))
        let palette = BrandPalette(accent: green, background: nil)
        #expect(palette.light.accent == green)
        #expect(palette.light.accentText == green)
        #expect(palette.light.onAccent.hex == "#ffffff")
    }

    @Test(
        "the contrast of known pairs is the one WCAG gives",
        arguments: [
            ("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0),
        ])
    func contrast(one: String, other: String, ratio: Double) throws {
        let found: Double = try #require(Colour(one)).contrast(with: try #require(Colour(other)))
        #expect(abs(found - ratio) < 0.01)
    }

    @Test("what is no colour is refused", arguments: ["", "#fff", "#12345g", "red", "#1234567", "#12 456", "url(x)"])
    func refused(text: String) { #expect(Colour(text) == nil) }
}
