public import BillingCore

/// What routing knows of a payment.
public struct RoutingRequest: Sendable, Hashable {
    /// Volume splits and exploration draw by it, so a payment always gets the same draw.
    public let paymentID: PaymentID
    /// How much is asked for.
    public let amount: Money
    /// The kind of method: `card`, `sepa_debit`.
    public let method: String
    /// ISO 3166 alpha-2 code of the customer, or of the card's issuer where known.
    public let country: String?
    /// The card's brand, by the names of ``CardNumber/brand``.
    public let brand: String?
    /// The card's first six to eight digits.
    public let bin: BINRange?
    /// The groups the customer belongs to.
    public let groups: Set<String>
    /// Whether the customer is absent.
    public let offSession: Bool

    /// Gathers the facts.
    public init(
        paymentID: PaymentID, amount: Money, method: String, country: String? = nil, brand: String? = nil,
        bin: BINRange? = nil, groups: Set<String> = [], offSession: Bool = false
    ) {
        self.paymentID = paymentID
        self.amount = amount
        self.method = method
        self.country = country
        self.brand = brand
        self.bin = bin
        self.groups = groups
        self.offSession = offSession
    }

    /// The segment whose successes are compared.
    public var segment: RoutingSegment {
        RoutingSegment(method: method, brand: brand, country: country, currency: amount.currency)
    }
}

/// Payments that tend to succeed or fail alike.
public struct RoutingSegment: Sendable, Hashable {
    /// `card`.
    public let method: String
    /// `visa`; `nil` for methods without a brand.
    public let brand: String?
    /// `DE`; `nil` where not known.
    public let country: String?
    /// The currency charged.
    public let currency: Currency

    /// Makes a segment.
    public init(method: String, brand: String?, country: String?, currency: Currency) {
        self.method = method
        self.brand = brand
        self.country = country
        self.currency = currency
    }
}

/// Leading digits of card numbers: those between two numbers of eight digits, both included.
public struct BINRange: Sendable, Hashable, CustomStringConvertible {
    /// The lowest number.
    public let low: UInt32
    /// The highest number.
    public let high: UInt32

    /// Reads a prefix (`411111`: every number that begins so) or a range (`400000-403999`, both ends of one length), of
    /// one to eight digits; `nil` for other text and for a range that runs backwards.
    public init?(_ text: String) {
        let parts: [Substring] = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first, let last = parts.last, parts.count <= 2,
            first.utf8.count == last.utf8.count, let low = Self.padded(first, with: "0"),
            let high = Self.padded(last, with: "9"), low <= high
        else { return nil }
        self.low = low
        self.high = high
    }

    /// Whether every number of the other is in this one: six digits are not known to be in a range of eight.
    public func contains(_ other: BINRange) -> Bool { low <= other.low && other.high <= high }

    /// Both numbers: `40000000-40399999`.
    public var description: String { "\(Self.eight(low))-\(Self.eight(high))" }

    private static func eight(_ number: UInt32) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
    }

    private static func padded(_ digits: Substring, with filler: String) -> UInt32? {
        guard (1...8).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt32(digits + String(repeating: filler, count: 8 - digits.utf8.count))
    }
}
