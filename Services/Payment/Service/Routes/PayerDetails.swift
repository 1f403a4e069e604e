import HTTPKit
import JSON
import PaymentContract

extension ChargePayer {
    /// Checks that a provider can be told what it must know of who pays.
    /// - Parameter path: Where the payer stands in the request.
    /// - Throws: ``Problem`` that names each detail that is not there, and an e-mail address that is none.
    static func require(_ details: [PayerDetail], of payer: ChargePayer?, at path: String) throws(Problem) {
        var faults: [Fault] = details.filter { payer?[$0] == nil }.map { detail in
            Fault(
                param: "\(path).\(detail.rawValue)", code: FaultCode.required,
                message: "is needed by the provider of this method")
        }
        if let email: String = payer?.email, !isMailbox(email) {
            faults.append(
                Fault(param: "\(path).email", code: "invalid_email", message: "must be an e-mail address"))
        }
        guard faults.isEmpty else { throw Problem.invalid(faults) }
    }

    /// Whether text has the form of a mailbox: whether it is one, only a message to it can tell.
    static func isMailbox(_ text: String) -> Bool {
        let parts: [Substring] = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[1].contains(".") && !parts[1].hasPrefix(".")
            && !parts[1].hasSuffix(".") && !text.contains(where: \.isWhitespace)
    }

    /// One detail; `nil` where it is not known.
    private subscript(detail: PayerDetail) -> String? {
        switch detail {
        case .name: name
        case .email: email
        case .country: country
        case .line1: line1
        case .city: city
        case .postalCode: postalCode
        }
    }
}
