public import BillingCore
public import JSON

/// A customer exists from now on.
public struct CustomerCreatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "customer.created.v1"
    /// Where it is published.
    public static let topic = Topic.customers

    /// The customer.
    public let customerID: CustomerID
    /// Mail address.
    public let email: String
    /// The name.
    public let name: String
    /// ISO 3166-1 alpha-2.
    public let country: String
    /// IANA zone in which the customer's billing day is counted.
    public let timeZone: String

    /// The whole fact.
    public init(customerID: CustomerID, email: String, name: String, country: String, timeZone: String) {
        self.customerID = customerID
        self.email = email
        self.name = name
        self.country = country
        self.timeZone = timeZone
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        customerID = f.id("customer_id", as: CustomerID.self)
        email = f.string("email", doc: "Mail address")
        name = f.string("name", doc: "Name")
        country = f.string("country", doc: "ISO 3166-1 alpha-2")
        timeZone = f.string("time_zone", doc: "IANA time zone")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("customer_id", customerID.rawValue)
        o.field("email", email)
        o.field("name", name)
        o.field("country", country)
        o.field("time_zone", timeZone)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(customerID: .sample, email: "ada@example.com", name: "Ada", country: "DE", timeZone: "Europe/Berlin")
    }
}

/// A customer's contact data changed; the whole new state is carried.
public struct CustomerUpdatedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "customer.updated.v1"
    /// Where it is published.
    public static let topic = Topic.customers

    /// The customer.
    public let customerID: CustomerID
    /// Mail address.
    public let email: String
    /// The name.
    public let name: String

    /// The whole fact.
    public init(customerID: CustomerID, email: String, name: String) {
        self.customerID = customerID
        self.email = email
        self.name = name
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        customerID = f.id("customer_id", as: CustomerID.self)
        email = f.string("email", doc: "Mail address")
        name = f.string("name", doc: "Name")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("customer_id", customerID.rawValue)
        o.field("email", email)
        o.field("name", name)
    }

    /// An example for documents.
    public static var sample: Self { Self(customerID: .sample, email: "ada@example.com", name: "Ada") }
}
