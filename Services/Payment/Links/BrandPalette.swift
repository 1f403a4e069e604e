/// The colours of a page, derived from the brand's so that everything stays readable whatever the brand chose (WCAG 2.2 AA:
/// 4.5 to 1 for text, which is more than the 3 to 1 that edges of controls need).
package struct BrandPalette: Sendable, Equatable {
    static let textContrast: Double = 4.5

    /// Colours for one scheme.
    package struct Scheme: Sendable, Equatable {
        /// Behind the form.
        package let surface: Colour
        /// Text on the surface.
        package let ink: Colour
        /// The pay button.
        package let accent: Colour
        /// Text on the pay button.
        package let onAccent: Colour
        /// Links, focus rings and edges on the surface.
        package let accentText: Colour
        /// Behind the summary.
        package let panel: Colour
        /// Text and focus rings on the summary.
        package let onPanel: Colour
    }

    package let light: Scheme
    package let dark: Scheme

    /// - Parameters:
    ///   - accent: The brand's colour; a quiet blue without one.
    ///   - background: The colour behind the summary; a quiet grey without one.
    package init(accent: Colour?, background: Colour?) {
        let accent: Colour = accent ?? Self.quietAccent
        light = Scheme(
            accent: accent, panel: background ?? Colour(red: 0xF3, green: 0xF5, blue: 0xF7), surface: .white,
            ink: Colour(red: 0x1B, green: 0x1F, blue: 0x24), end: .black)
        let night = Colour(red: 0x14, green: 0x17, blue: 0x1B)
        dark = Scheme(
            accent: accent,
            panel: background.map(Self.darkened) ?? Colour(red: 0x1C, green: 0x21, blue: 0x27), surface: night,
            ink: Colour(red: 0xEC, green: 0xEF, blue: 0xF2), end: .white)
    }

    private static let quietAccent = Colour(red: 0x1F, green: 0x5F, blue: 0xBF)
    /// A summary brighter than this dazzles at night.
    private static let nightLuminance: Double = 0.02

    private static func darkened(_ colour: Colour) -> Colour {
        for percent in stride(from: 0, to: 100, by: 5) {
            let step: Colour = colour.mixed(with: .black, percent: percent)
            if step.luminance <= nightLuminance { return step }
        }
        return .black
    }

    /// The style sheet that sets the colours.
    package var css: String {
        """
        :root {
        \(light.properties)
        }
        @media (prefers-color-scheme: dark) {
        :root {
        \(dark.properties)
        }
        }

        """
    }
}

extension BrandPalette.Scheme {
    init(accent: Colour, panel: Colour, surface: Colour, ink: Colour, end: Colour) {
        self.surface = surface
        self.ink = ink
        // A button as dark as the page would not be seen.
        let button: Colour = accent.brought(to: end, until: 3, on: surface)
        self.accent = button
        onAccent = button.readable
        accentText = accent.brought(to: end, until: BrandPalette.textContrast, on: surface)
        self.panel = panel
        onPanel = panel.readable
    }

    /// Every pair of colours that text, or the ring around what has the focus, and its background have.
    package var pairs: [(text: Colour, background: Colour)] {
        [(ink, surface), (onAccent, accent), (accentText, surface), (onPanel, panel)]
    }

    fileprivate var properties: String {
        [
            ("surface", surface), ("ink", ink), ("accent", accent), ("on-accent", onAccent),
            ("accent-text", accentText), ("panel", panel), ("on-panel", onPanel),
        ].map { "  --\($0.0): \($0.1.hex);" }.joined(separator: "\n")
    }
}
