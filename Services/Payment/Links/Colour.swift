import Glibc

/// A colour of the screen, sRGB.
package struct Colour: Sendable, Hashable {
    package let red: UInt8
    package let green: UInt8
    package let blue: UInt8

    static let white = Colour(red: 255, green: 255, blue: 255)
    static let black = Colour(red: 0, green: 0, blue: 0)

    init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// Reads `#rrggbb`, in any case.
    package init?(_ text: String) {
        guard text.utf8.count == 7, text.utf8.first == UInt8(ascii: "#"), text.dropFirst().allSatisfy(\.isHexDigit),
            let value = UInt32(text.dropFirst(), radix: 16)
        else { return nil }
        self.init(red: UInt8(value >> 16), green: UInt8(value >> 8 & 255), blue: UInt8(value & 255))
    }

    /// `#rrggbb` in lower case.
    package var hex: String {
        "#" + [red, green, blue].map(\.hexDigits).joined()
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2, definition of relative luminance).
    var luminance: Double {
        func linear(_ part: UInt8) -> Double {
            let share = Double(part) / 255
            return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// The contrast ratio of two colours, 1 to 21 (WCAG 2.2, definition of contrast ratio).
    package func contrast(with other: Colour) -> Double {
        let (high, low) = (max(luminance, other.luminance), min(luminance, other.luminance))
        return (high + 0.05) / (low + 0.05)
    }

    /// A step of the way to another colour; 0 is this one, 100 the other.
    func mixed(with other: Colour, percent: Int) -> Colour {
        func part(_ from: UInt8, _ to: UInt8) -> UInt8 {
            UInt8((Int(from) * (100 - percent) + Int(to) * percent + 50) / 100)
        }
        return Colour(
            red: part(red, other.red), green: part(green, other.green), blue: part(blue, other.blue))
    }

    /// Black or white, whichever is easier to read on this colour. One of them always has a ratio of 4.5 or more.
    var readable: Colour {
        contrast(with: .white) >= BrandPalette.textContrast ? .white : .black
    }

    /// The nearest colour on the way to `end` that has the contrast with a background.
    func brought(to end: Colour, until ratio: Double, on background: Colour) -> Colour {
        for percent in stride(from: 0, through: 100, by: 4) {
            let step: Colour = mixed(with: end, percent: percent)
            if step.contrast(with: background) >= ratio { return step }
        }
        return end
    }
}

extension UInt8 {
    /// Two digits of base 16.
    var hexDigits: String {
        let text = String(self, radix: 16)
        return text.count == 1 ? "0" + text : text
    }
}
