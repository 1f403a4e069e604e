extension StringProtocol {
    /// The text for an element's content or a quoted attribute of HTML, XML and SVG: markup in it is shown, not obeyed.
    ///
    /// By scalars: a sign that joins what follows it (U+0600) would hide a `<` inside one `Character`.
    public var markupEscaped: String {
        unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }
}
