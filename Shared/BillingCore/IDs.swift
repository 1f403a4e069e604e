/// Identifies a customer (`cus_…`, or the caller's own text).
public struct CustomerID: TypedID {
    /// `cus`.
    public static let prefix = "cus"
    /// Callers may choose their own.
    public static let acceptsForeignText = true
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a plan (`plan_…`, or the caller's own text).
public struct PlanID: TypedID {
    /// `plan`.
    public static let prefix = "plan"
    /// Callers may choose their own.
    public static let acceptsForeignText = true
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a subscription (`sub_…`).
public struct SubscriptionID: TypedID {
    /// `sub`.
    public static let prefix = "sub"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies one billing of a subscription (`bil_…`).
public struct BillingID: TypedID {
    /// `bil`.
    public static let prefix = "bil"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies an invoice (`inv_…`).
public struct InvoiceID: TypedID {
    /// `inv`.
    public static let prefix = "inv"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a payment (`pay_…`).
public struct PaymentID: TypedID {
    /// `pay`.
    public static let prefix = "pay"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a payment method (`pm_…`).
public struct PaymentMethodID: TypedID {
    /// `pm`.
    public static let prefix = "pm"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a refund (`re_…`).
public struct RefundID: TypedID {
    /// `re`.
    public static let prefix = "re"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a fraud assessment (`fra_…`).
public struct AssessmentID: TypedID {
    /// `fra`.
    public static let prefix = "fra"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a dispute (`dp_…`).
public struct DisputeID: TypedID {
    /// `dp`.
    public static let prefix = "dp"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies what is said to a dispute (`dpr_…`).
public struct DisputeResponseID: TypedID {
    /// `dpr`.
    public static let prefix = "dpr"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies an event (`evt_…`).
public struct EventID: TypedID {
    /// `evt`.
    public static let prefix = "evt"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies a journal entry of the ledger (`je_…`).
public struct JournalEntryID: TypedID {
    /// `je`.
    public static let prefix = "je"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies an API key (`key_…`).
public struct APIKeyID: TypedID {
    /// `key`.
    public static let prefix = "key"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies one attempt at a payment (`att_…`).
public struct AttemptID: TypedID {
    /// `att`.
    public static let prefix = "att"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies one capture of an authorized payment (`cap_…`).
public struct CaptureID: TypedID {
    /// `cap`.
    public static let prefix = "cap"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies an instalment plan (`ipl_…`).
public struct InstalmentPlanID: TypedID {
    /// `ipl`.
    public static let prefix = "ipl"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}

/// Identifies what a payment pays of an instalment plan: an instalment or a settlement (`ins_…`).
public struct InstalmentID: TypedID {
    /// `ins`.
    public static let prefix = "ins"
    /// The whole text.
    public let rawValue: String
    /// Takes over text that is known to be such an id.
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
}
