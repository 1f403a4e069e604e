package import BillingCore
package import Postgres

/// Identifies a payment link (`plink_…`).
package struct PaymentLinkID: TypedID {
    /// `plink`.
    package static let prefix = "plink"
    /// The whole text.
    package let rawValue: String
    /// Takes over text that is known to be such an id.
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
}

extension PaymentLinkID: PostgresCodable {}

/// Where a link stands.
package enum LinkStatus: String, Sendable, CaseIterable {
    /// It can be paid.
    case active
    /// It was paid as often as it may be.
    case completed
    /// Its time is over.
    case expired
    /// It was switched off.
    case deactivated
}

/// Ways to pay that a link can allow, in the order in which a page offers them where the link names none: what is quickest
/// first, then what is paid at once, then what is paid later. What a page offers also depends on what the service can do.
package enum LinkMethod: String, Sendable, CaseIterable {
    case applePay = "apple_pay"
    case googlePay = "google_pay"
    case card
    case paypal
    case ideal
    case sepaDebit = "sepa_debit"
    case klarna
    case afterpayClearpay = "afterpay_clearpay"
    case affirm
    case crypto
    /// Own instalments, charged to a card: credit, which a link has to name.
    case instalments

    /// What a link allows that names nothing.
    package static let byDefault: [LinkMethod] = allCases.filter { $0 != .instalments }
}

/// Whether a link's page has its customer agree to later charges of what they pay with.
package enum LinkKeeping: String, Sendable, CaseIterable {
    /// Nothing is asked.
    case never
    /// As they like.
    case offered
    /// By paying.
    case always
}

/// What a page shows of the brand.
package struct LinkBrand: Sendable, Equatable {
    package let name: String?
    package let logoURL: String?
    package let accent: Colour?
    package let background: Colour?

    package init(name: String?, logoURL: String?, accent: Colour?, background: Colour?) {
        self.name = name
        self.logoURL = logoURL
        self.accent = accent
        self.background = background
    }

    package static let none = LinkBrand(name: nil, logoURL: nil, accent: nil, background: nil)
}

/// A payment link as stored.
package struct LinkRecord: PostgresRecord, Sendable {
    package let id: PaymentLinkID
    package let code: LinkCode
    package let customerID: CustomerID
    package let amount: Money
    /// The invoice that it pays. Its payment is the invoice's, which every visit shares.
    package let invoiceID: InvoiceID?
    package let description: String?
    package let methods: [LinkMethod]
    package let brand: LinkBrand
    /// `nil`: the browser's.
    package let language: String?
    package let successURL: String?
    package let cancelURL: String?
    /// How often it may be paid; `nil` sets no limit.
    package let maxUses: Int?
    package let keepMethod: LinkKeeping
    package let metadata: String
    package let expiresAt: Instant?
    package let deactivatedAt: Instant?
    package let createdAt: Instant

    /// The columns in the order ``init(row:)`` reads them.
    package static let columns: SQL = """
        id, code, customer_id, amount, currency, invoice_id, description, methods, brand_name, logo_url, accent_color, \
        background_color, language, success_url, cancel_url, max_uses, keep_method, metadata::text, expires_at, deactivated_at, \
        created_at
        """

    package init(
        id: PaymentLinkID, code: LinkCode, customerID: CustomerID, amount: Money, invoiceID: InvoiceID? = nil,
        description: String?,
        methods: [LinkMethod], brand: LinkBrand, language: String?, successURL: String?, cancelURL: String?,
        maxUses: Int?, keepMethod: LinkKeeping = .never, metadata: String, expiresAt: Instant?, deactivatedAt: Instant?,
        createdAt: Instant
    ) {
        self.id = id
        self.code = code
        self.customerID = customerID
        self.amount = amount
        self.invoiceID = invoiceID
        self.description = description
        self.methods = methods
        self.brand = brand
        self.language = language
        self.successURL = successURL
        self.cancelURL = cancelURL
        self.maxUses = maxUses
        self.keepMethod = keepMethod
        self.metadata = metadata
        self.expiresAt = expiresAt
        self.deactivatedAt = deactivatedAt
        self.createdAt = createdAt
    }

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        let code: String = try row.next()
        self.code = LinkCode(unchecked: code)
        customerID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        invoiceID = try row.next()
        description = try row.next()
        let words: [String] = try row.next()
        methods = words.compactMap(LinkMethod.init(rawValue:))
        let (name, logo): (String?, String?) = (try row.next(), try row.next())
        let (accent, background): (String?, String?) = (try row.next(), try row.next())
        brand = LinkBrand(
            name: name, logoURL: logo, accent: accent.flatMap(Colour.init(_:)),
            background: background.flatMap(Colour.init(_:)))
        language = try row.next()
        successURL = try row.next()
        cancelURL = try row.next()
        maxUses = try row.next()
        keepMethod = try row.nextCase()
        metadata = try row.next()
        expiresAt = try row.next()
        deactivatedAt = try row.next()
        createdAt = try row.next()
    }

    /// The link's state.
    /// - Parameter uses: How many of its payments went through.
    package func status(uses: Int, at now: Instant) -> LinkStatus {
        if let maxUses, uses >= maxUses { return .completed }
        if deactivatedAt != nil { return .deactivated }
        if let expiresAt, expiresAt <= now { return .expired }
        return .active
    }

    /// Which use of the link a page's session belongs to: all visitors of a link for one payment share that payment.
    package func slot(of session: LinkSession) -> String { maxUses == 1 ? Self.sharedSlot : session.text }

    /// The slot of a link for one payment.
    static let sharedSlot = "only"
}

/// What a page calls its visit: chosen by the page, kept in its tab, the same after a reload.
package struct LinkSession: Sendable, Hashable {
    package let text: String

    package static let rule = "has 22 to 64 letters, digits, hyphens and underscores"

    /// 22 to 64 of `A-Z a-z 0-9 _ -`: long enough that nobody meets another's by chance.
    package init?(_ text: String) {
        let isWellFormed: Bool = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45
                || byte == 95
        }
        guard (22...64).contains(text.utf8.count), isWellFormed else { return nil }
        self.text = text
    }

    private init(unchecked text: String) { self.text = text }

    /// An example for documents.
    package static let sample = LinkSession(unchecked: "kQ3vT0sXw9pLr2mZb7Yc-J8d")
}
