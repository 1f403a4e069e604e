import BillingCore
package import JSON
import PaymentRecords

/// `POST /v1/payment_links`.
package struct CreateLinkInput: JSONInput {
    /// What is paid.
    enum Subject: Equatable {
        case amount(Money, of: CustomerID)
        /// An open invoice: its amount, by its customer.
        case invoice(InvoiceID)
    }

    let subject: Subject
    let description: String?
    let methods: [LinkMethod]
    let brand: LinkBrand
    let language: String?
    let successURL: String?
    let cancelURL: String?
    let expiresAt: Instant?
    let maxUses: Int?
    /// `nil`: what the subject calls for.
    let keepMethod: LinkKeeping?
    let metadataJSON: String

    package init(_ f: inout InputFields) {
        subject = Self.subject(&f)
        description = f.optionalString(
            "description", min: 1, max: 500,
            doc: "What is paid for, as the customer reads it; of an invoice its number when left out")
        methods = f.customList(
            "methods", element: JSONSchema.enumeration(LinkMethod.self), count: 1...LinkMethod.allCases.count,
            required: false,
            doc: "Ways to pay that are allowed, in their order; left out: all but instalments, which need card",
            parse: Self.method)
        if Set(methods).count < methods.count {
            f.refuse("methods", code: "duplicate_value", message: "must name each way to pay once")
        }
        brand = f.optionalObject("brand", as: BrandInput.self, doc: "How the page looks")?.brand ?? .none
        language =
            f.optionalEnumeration("language", of: PageLanguage.self, doc: "auto, or left out: the browser's")?
            .code
        successURL = f.optionalURL("success_url", doc: "Where the page leads after the payment")
        cancelURL = f.optionalURL("cancel_url", doc: "Where the page leads who does not want to pay")
        expiresAt = f.optionalInstant("expires_at", doc: "After this nothing new can be paid")
        let uses: Int64? = f.optionalInt(
            "max_uses", range: 0...1_000_000, doc: "How often it may be paid: 1 when left out, 0 sets no limit")
        maxUses = uses == 0 ? nil : Int(uses ?? 1)
        keepMethod = f.optionalEnumeration(
            "keep_method", of: LinkKeeping.self,
            doc:
                "Whether the page has its customer agree to later charges of a card or an account: never, as they like, or by "
                + "paying. Left out: never; of a subscription's invoice always, or offered where there is a default method"
        )
        metadataJSON = Metadata.encode(f.metadata())
        guard case .invoice = subject, !f.isDescribing else { return }
        if uses != nil, uses != 1 {
            f.refuse("max_uses", code: "conflicting_fields", message: "an invoice is paid once")
        }
        if methods.contains(.instalments) {
            f.refuse("methods", code: "conflicting_fields", message: "an invoice is paid at once")
        }
    }

    private static func subject(_ f: inout InputFields) -> Subject {
        let amount: Int64? = f.optionalInt(
            "amount", range: 1...InputFields.largestAmount,
            doc: "Minor units of the currency: 999 is 9.99 USD and 999 JPY; needed without invoice_id")
        let currency: Currency? = f.optionalCurrency("currency", doc: "ISO 4217 code; needed without invoice_id")
        let customer: CustomerID? = f.optionalID(
            "customer_id", as: CustomerID.self,
            doc: "Who pays; the payment and the card are theirs; needed without invoice_id")
        let invoice: InvoiceID? = f.optionalID(
            "invoice_id", as: InvoiceID.self,
            doc: "An open invoice to be paid, in the place of amount, currency and customer_id, which are its own")
        for (name, isGiven) in [
            ("amount", amount != nil), ("currency", currency != nil), ("customer_id", customer != nil),
        ] where !f.isDescribing && !f.isFaulty(name) && isGiven == (invoice != nil || f.isFaulty("invoice_id")) {
            if isGiven {
                f.refuse(name, code: "conflicting_fields", message: "invoice_id stands in its place")
            } else {
                f.refuse(name, code: FaultCode.required, message: "is required")
            }
        }
        guard let invoice else {
            return .amount(Money(minor: amount ?? 1, currency: currency ?? .usd), of: customer ?? .sample)
        }
        return .invoice(invoice)
    }

    private static func method(_ value: JSONValue) -> Result<LinkMethod, Fault> {
        guard let text: String = value.stringValue else {
            return .failure(Fault(code: FaultCode.invalidType, message: "must be a string"))
        }
        guard let method = LinkMethod(rawValue: text) else {
            let all: String = LinkMethod.allCases.map(\.rawValue).joined(separator: ", ")
            return .failure(Fault(code: FaultCode.unknownValue, message: "must be one of: \(all)"))
        }
        return .success(method)
    }
}

/// Languages the page speaks; each has a file of its texts.
package enum PageLanguage: String, Sendable, CaseIterable {
    case auto, en, de, fr, es, it, pt, nl, pl, sv, ja, zh, ar

    /// `nil`: the browser's.
    var code: String? { self == .auto ? nil : rawValue }

    /// Whether it is written from right to left.
    static func isRightToLeft(_ code: String) -> Bool { code == ar.rawValue }
}

/// How the page looks.
struct BrandInput: JSONInput {
    let brand: LinkBrand

    init(_ f: inout InputFields) {
        brand = LinkBrand(
            name: f.optionalString(
                "name", min: 1, max: 80, doc: "Who asks for the money, as the customer knows them; needed with logo_url"
            ),
            logoURL: f.optionalURL("logo_url", loopback: false, doc: "An image, https only; the name stands beside it"),
            accent: f.optionalColour(
                "accent_color", doc: "#rrggbb; buttons and links, made darker or lighter where it could not be read"),
            background: f.optionalColour("background_color", doc: "#rrggbb; behind the summary"))
        // A logo alone says nothing to whoever does not see it.
        if brand.logoURL != nil, brand.name == nil, !f.isFaulty("name") {
            f.refuse("name", code: FaultCode.required, message: "is required with logo_url")
        }
    }
}

extension InputFields {
    mutating func optionalColour(_ name: String, doc: String) -> Colour? {
        optional(name, schema: JSONSchema.string(pattern: "^#[0-9A-Fa-f]{6}$"), doc: doc) { value in
            guard let colour = value.stringValue.flatMap(Colour.init(_:)) else {
                return .failure(Fault(code: "invalid_color", message: "must be a colour such as #1f5fbf"))
            }
            return .success(colour)
        }
    }

    /// Reads an address a browser may be sent to.
    /// - Parameter loopback: Whether `http` to this machine passes too; ``CreateLink`` refuses it outside the sandbox.
    mutating func optionalURL(_ name: String, loopback: Bool = true, doc: String) -> String? {
        optional(name, schema: JSONSchema.string(max: WebAddress.maxLength, format: "uri"), doc: doc) { value in
            guard let address = value.stringValue.flatMap({ WebAddress($0) }), loopback || !address.isLoopback else {
                return .failure(Fault(code: "invalid_url", message: "must be an https address"))
            }
            return .success(address.text)
        }
    }
}
