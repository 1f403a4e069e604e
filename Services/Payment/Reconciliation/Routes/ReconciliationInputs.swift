package import JSON
import PaymentDomain

/// `POST /v1/reconciliations/imports`.
package struct ImportSettlementsInput: JSONInput {
    /// The longest file a request carries; longer ones are for the command.
    static let longestFile = 900_000

    let provider: String
    let file: String

    package init(_ f: inout InputFields) {
        provider = f.required(
            "provider", schema: JSONSchema.string(pattern: "^[a-z][a-z0-9_]{0,31}$"), placeholder: "provider",
            doc: "Its name in account names"
        ) { value in
            guard let text: String = value.stringValue else {
                return .failure(Fault(code: FaultCode.invalidType, message: "must be a string"))
            }
            guard ProviderName.isOne(text) else {
                return .failure(
                    Fault(code: "invalid_provider", message: "must be 1 to 32 of a-z, 0-9 and _, a letter first"))
            }
            return .success(text)
        }
        file = f.string(
            "file", min: 1, max: Self.longestFile, doc: "Comma-separated values with a line of column names")
    }
}

/// How providers are called.
enum ProviderName {
    /// Whether a text can be a provider's name.
    static func isOne(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...32).contains(bytes.count), let first = bytes.first else { return false }
        guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}

/// `POST /v1/reconciliations/cases/{id}/choose`.
package struct ChooseCandidateInput: JSONInput {
    let choice: ChooseCandidate.Choice
    let note: String

    package init(_ f: inout InputFields) {
        let entry: String? = f.optionalString("entry_id", min: 1, max: 64, doc: "One of the case's candidates")
        let isNone: Bool = f.bool("none", default: false, doc: "In its place: the line is none of them")
        note = f.string("note", min: 1, max: 1_000, doc: "Why, for people")
        choice = entry.map { .entry($0) } ?? .none
        guard !f.isDescribing else { return }
        if entry == nil, !isNone { f.refuse("entry_id", code: FaultCode.required, message: "is needed, or none") }
        if entry != nil, isNone {
            f.refuse("none", code: "conflicting_fields", message: "stands in the place of entry_id")
        }
    }
}

/// `POST /v1/reconciliations/cases/{id}/resolve`.
package struct ResolveCaseInput: JSONInput {
    let action: ReconciliationCaseState.Step
    let note: String

    package init(_ f: inout InputFields) {
        action = f.enumeration(
            "action", of: ReconciliationCaseState.Step.self,
            doc: "explain: the cause is known; resolve: it is settled; write_off: book the difference away")
        note = f.string("note", min: 1, max: 1_000, doc: "Why, for people")
    }
}
