import BillingCore
import HTTPKit
package import JSON
import PaymentRecords

/// A payment link as callers see it.
package struct LinkResource: JSONOutput {
    let standing: LinkStanding
    let status: LinkStatus
    let payments: [PaymentID]
    let url: String

    init(_ standing: LinkStanding, payments: [PaymentID], at now: Instant, base: String) {
        self.standing = standing
        self.payments = payments
        status = standing.status(at: now)
        url = "\(base)/pay/\(standing.link.code.text)"
    }

    package func write(to o: inout ObjectWriter) {
        let link: LinkRecord = standing.link
        o.field("object", "payment_link")
        o.field("id", link.id)
        o.field("url", url, doc: "The page the customer pays on")
        o.field("code", link.code.shown, doc: "For a person to type at /pay, for devices without a keyboard")
        o.field("qr_path", "/v1/payment_links/\(link.id.rawValue)/qr", doc: "The page's address as a QR image")
        o.field("status", status)
        o.field("customer_id", link.customerID)
        o.money("amount", link.amount, doc: "Minor units")
        o.field("invoice_id", link.invoiceID, doc: "The invoice that it pays")
        o.field("description", link.description)
        o.field("methods", link.methods, doc: "Ways to pay that are allowed")
        o.field("brand", BrandResource(brand: link.brand))
        o.field("language", link.language ?? PageLanguage.auto.rawValue)
        o.field("success_url", link.successURL)
        o.field("cancel_url", link.cancelURL)
        o.field("max_uses", link.maxUses, doc: "null sets no limit")
        o.field(
            "keep_method", link.keepMethod,
            doc:
                "Whether its page has the customer agree to later charges: never, as they like (offered), by paying (always)"
        )
        o.field("payment_ids", payments.map(\.rawValue), doc: "Its payments, newest first, 20 at most")
        o.field("metadata", Metadata.decode(link.metadata))
        o.field("expires_at", link.expiresAt)
        o.field("deactivated_at", link.deactivatedAt)
        o.field("created_at", link.createdAt)
    }

    /// How many payments it names.
    package static let maxPayments = 20

    package static var sample: Self {
        let link = LinkRecord(
            id: .sample, code: LinkCode(unchecked: "H7KM3QXP"), customerID: .sample,
            amount: Money(minor: 4_900, currency: .usd), description: "Headset, black", methods: [.card],
            brand: LinkBrand(
                name: "Northwind", logoURL: "https://shop.example/logo.svg", accent: Colour("#0a7d55"),
                background: Colour("#f2efe9")), language: nil, successURL: "https://shop.example/thanks",
            cancelURL: nil, maxUses: 1, metadata: "{}", expiresAt: .sample, deactivatedAt: nil, createdAt: .sample)
        return Self(
            LinkStanding(link: link, uses: 0), payments: [], at: Instant(seconds: 0), base: "https://pay.example")
    }
}

/// What a page shows of the brand.
struct BrandResource: JSONOutput {
    let brand: LinkBrand

    func write(to o: inout ObjectWriter) {
        o.field("name", brand.name)
        o.field("logo_url", brand.logoURL)
        o.field("accent_color", brand.accent?.hex)
        o.field("background_color", brand.background?.hex)
    }

    static var sample: Self { Self(brand: LinkResource.sample.standing.link.brand) }
}
