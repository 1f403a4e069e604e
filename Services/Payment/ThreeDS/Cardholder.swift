/// The card and who holds it, for one message. It is never stored, and prints as nothing.
package struct Cardholder: Sendable, CustomStringConvertible, CustomReflectable {
    /// A postal address as the issuer may know it. What is not known is `nil`.
    package struct Address: Sendable {
        package let lines: [String]
        package let city: String?
        package let postCode: String?
        /// The part of an ISO 3166-2 code after the hyphen.
        package let state: String?
        /// ISO 3166-1 numeric, three digits.
        package let country: String?

        package init(
            lines: [String] = [], city: String? = nil, postCode: String? = nil, state: String? = nil,
            country: String? = nil
        ) {
            self.lines = lines
            self.city = city
            self.postCode = postCode
            self.state = state
            self.country = country
        }
    }

    /// 13 to 19 digits.
    package let number: String
    /// Four digits, year then month: `2712`.
    package let expiry: String?
    package let name: String?
    package let email: String?
    package let billing: Address?

    package init(
        number: String, expiry: String? = nil, name: String? = nil, email: String? = nil, billing: Address? = nil
    ) {
        self.number = number
        self.expiry = expiry
        self.name = name
        self.email = email
        self.billing = billing
    }

    /// Shows nothing.
    package var description: String { "<redacted>" }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }

    func write(to fields: inout FieldWriter) throws(InvalidField) {
        try fields.digits("acctNumber", number, 13...19)
        if let expiry {
            guard let month = Int(expiry.suffix(2)), (1...12).contains(month) else {
                throw InvalidField("cardExpiryDate")
            }
            try fields.digits("cardExpiryDate", expiry, 4...4)
        }
        try fields.text("cardholderName", name, 2...45)
        if let email {
            guard email.contains("@") else { throw InvalidField("email") }
            try fields.text("email", email, 3...254)
        }
        guard let billing else { return }
        guard billing.lines.count <= 3 else { throw InvalidField("billAddrLine3") }
        for (index, line) in billing.lines.enumerated() {
            try fields.text("billAddrLine\(index + 1)", line, 1...50)
        }
        try fields.text("billAddrCity", billing.city, 1...50)
        try fields.text("billAddrPostCode", billing.postCode, 1...16)
        // A state means nothing without its country.
        guard billing.state == nil || billing.country != nil else { throw InvalidField("billAddrCountry") }
        try fields.text("billAddrState", billing.state, 1...3)
        try fields.digits("billAddrCountry", billing.country, 3...3)
    }
}

/// The customer's browser, as its request and its script tell. What is too long for the protocol is cut as it says.
package struct CardholderBrowser: Sendable, Equatable {
    /// What only a script can tell.
    package struct Script: Sendable, Equatable {
        package let language: String
        package let javaEnabled: Bool
        /// Bits per pixel; the next lower depth that the protocol knows is sent.
        package let colorDepth: Int
        package let screenHeight: Int
        package let screenWidth: Int
        /// UTC minus local time in minutes, as `Date.getTimezoneOffset` gives it: −60 in Berlin's winter.
        package let timeZoneMinutes: Int

        package init(
            language: String, javaEnabled: Bool, colorDepth: Int, screenHeight: Int, screenWidth: Int,
            timeZoneMinutes: Int
        ) {
            self.language = language
            self.javaEnabled = javaEnabled
            self.colorDepth = colorDepth
            self.screenHeight = screenHeight
            self.screenWidth = screenWidth
            self.timeZoneMinutes = timeZoneMinutes
        }
    }

    package let acceptHeader: String
    package let userAgent: String
    /// IPv4 or IPv6, where the country's law lets it be passed on.
    package let address: String?
    /// `nil` where scripts are switched off (2.2.0 only).
    package let script: Script?

    package init(acceptHeader: String, userAgent: String, address: String?, script: Script?) {
        self.acceptHeader = acceptHeader
        self.userAgent = userAgent
        self.address = address
        self.script = script
    }

    func write(to fields: inout FieldWriter, version: MessageVersion) throws(InvalidField) {
        try fields.text("browserAcceptHeader", String(acceptHeader.unicodeScalars.prefix(2_048)), 1...2_048)
        try fields.text("browserUserAgent", String(userAgent.unicodeScalars.prefix(2_048)), 1...2_048)
        if let address {
            guard address.utf8.allSatisfy(Self.isAddressByte) else { throw InvalidField("browserIP") }
            try fields.text("browserIP", address, 2...45)
        }
        guard script != nil || version >= .v220 else { throw InvalidField("browserJavascriptEnabled") }
        if version >= .v220 { fields.flag("browserJavascriptEnabled", script != nil) }
        guard let script else { return }
        fields.flag("browserJavaEnabled", script.javaEnabled)
        try fields.text("browserLanguage", Self.shortened(script.language), 1...8)
        let depths: [Int] = [48, 32, 24, 16, 15, 8, 4, 1]
        guard let depth = depths.first(where: { $0 <= script.colorDepth }) else {
            throw InvalidField("browserColorDepth")
        }
        try fields.number("browserColorDepth", depth, 1...48)
        try fields.number("browserScreenHeight", script.screenHeight, 0...999_999)
        try fields.number("browserScreenWidth", script.screenWidth, 0...999_999)
        try fields.number("browserTZ", script.timeZoneMinutes, -9_999...9_999)
    }

    /// A language tag (BCP 47) without the subtags that no longer fit eight characters.
    private static func shortened(_ tag: String) -> String {
        var kept: Substring = tag[...]
        while kept.utf8.count > 8, let hyphen = kept.lastIndex(of: "-") { kept = kept[..<hyphen] }
        return String(kept)
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
