import BillingCore
package import JSON

/// What `POST /v1/customers` takes.
package struct NewCustomerInput: JSONInput {
    let id: CustomerID?
    let email: String
    let name: String
    let country: String
    let currency: Currency?
    let timeZone: TimeZoneID
    let metadata: [String: String]

    package init(_ f: inout InputFields) {
        id = f.optionalID("id", as: CustomerID.self, doc: "An id of your own; made up when left out")
        email = f.string("email", min: 3, max: 254, doc: "Mail address")
        name = f.string("name", min: 1, max: 200, doc: "Full name")
        country = f.string("country", min: 2, max: 2, doc: "Country, ISO 3166-1 alpha-2")
        currency = f.optionalCurrency("currency", doc: "Preferred currency, ISO 4217")
        let zone: String =
            f.optionalString("time_zone", max: 64, doc: "IANA time zone of the billing day; UTC by default") ?? "UTC"
        metadata = f.metadata()
        timeZone = TimeZoneID(zone) ?? .utc
        if TimeZoneID(zone) == nil {
            f.refuse("time_zone", code: "unknown_time_zone", message: "is not an IANA time zone such as Europe/Berlin")
        }
        EmailAddress.check(email, &f)
        if country.utf8.count == 2, !CountryCode.isAssigned(country) {
            f.refuse("country", code: "unknown_country", message: "is not an ISO 3166-1 alpha-2 code in capitals")
        }
    }
}

/// What `PATCH /v1/customers/{id}` takes; what is left out stays.
package struct CustomerChangeInput: JSONInput {
    let email: String?
    let name: String?
    let metadata: [String: String]?

    package init(_ f: inout InputFields) {
        email = f.optionalString("email", min: 3, max: 254, doc: "Mail address")
        name = f.optionalString("name", min: 1, max: 200, doc: "Full name")
        metadata = f.optionalStringMap("metadata", doc: "Keys to set; an empty value removes a key")
        if let email { EmailAddress.check(email, &f) }
    }
}

/// The shape of a mail address; whether it exists is for mail to find out.
enum EmailAddress {
    static func check(_ text: String, _ f: inout InputFields) {
        guard text.utf8.count >= 3, !isPlausible(text) else { return }
        f.refuse("email", code: "invalid_email", message: "is not a mail address such as ada@example.com")
    }

    static func isPlausible(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, let local = parts.first, let host = parts.last, (1...64).contains(local.count) else {
            return false
        }
        let labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.count >= 2, labels.allSatisfy({ (1...63).contains($0.count) }) else { return false }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != 0x2C && $0 != 0x3C && $0 != 0x3E }
    }
}
