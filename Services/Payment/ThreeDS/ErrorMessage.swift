import JSON

/// `Erro`: one party tells another that a message was no good.
package struct ErrorMessage: Error, Sendable, Equatable {
    /// `errorCode`.
    package enum Code: String, Sendable, CaseIterable {
        case invalidMessage = "101"
        case unsupportedVersion = "102"
        case tooManyMessages = "103"
        case missing = "201"
        case unknownCriticalExtension = "202"
        case malformed = "203"
        case duplicate = "204"
        case unknownTransaction = "301"
        case decryption = "302"
        case accessDenied = "303"
        case invalidCountryOrCurrency = "304"
        case contradiction = "305"
        case invalidMerchantCategory = "306"
        case invalidSerialNumber = "307"
        case timedOut = "402"
        case transientFailure = "403"
        case permanentFailure = "404"
        case connectionFailure = "405"

        /// `errorDescription`, in our words.
        var text: String {
            switch self {
            case .invalidMessage: "The message is not one that is expected here"
            case .unsupportedVersion: "The message version is not supported"
            case .tooManyMessages: "Too many messages"
            case .missing: "A required element is missing"
            case .unknownCriticalExtension: "A critical message extension is not recognised"
            case .malformed: "The format of an element is not valid"
            case .duplicate: "An element occurs twice"
            case .unknownTransaction: "The transaction is not known"
            case .decryption: "Data could not be decrypted"
            case .accessDenied: "Access is denied"
            case .invalidCountryOrCurrency: "An ISO code is not valid"
            case .contradiction: "The data does not fit the transaction"
            case .invalidMerchantCategory: "The merchant category is not valid"
            case .invalidSerialNumber: "The serial number is not valid"
            case .timedOut: "The transaction has timed out"
            case .transientFailure: "The system has failed for now"
            case .permanentFailure: "The system has failed"
            case .connectionFailure: "A system could not be reached"
            }
        }
    }

    /// `errorComponent`: who found the fault.
    package enum Component: String, Sendable, CaseIterable {
        case sdk = "C"
        case server = "S"
        case directoryServer = "D"
        case accessControlServer = "A"
    }

    package let code: Code
    package let component: Component
    /// The elements at fault, separated by commas; never their contents.
    package let detail: String
    /// The type of the message that was no good; `nil` where it could not be read.
    package let about: String?
    package let version: MessageVersion
    /// The transaction, where the faulty message named one.
    package let transaction: TransactionID?

    package init(
        _ code: Code, detail: String, about: String?, component: Component = .server,
        version: MessageVersion = .v220, transaction: TransactionID? = nil
    ) {
        self.code = code
        self.component = component
        self.detail = detail
        self.about = about
        self.version = version
        self.transaction = transaction
    }

    /// The message as it is sent.
    package var serialized: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("messageType", "Erro")
        json.member("messageVersion", version.rawValue)
        json.member("threeDSServerTransID", transaction?.description)
        json.member("errorCode", code.rawValue)
        json.member("errorComponent", component.rawValue)
        json.member("errorDescription", code.text)
        json.member("errorDetail", String(detail.prefix(2_048)))
        json.member("errorMessageType", about)
        json.endObject()
        return json.bytes
    }
}

extension ErrorMessage {
    /// Reads an `Erro`; the texts in it are kept short and are for people only.
    init(reading message: MessageReader) throws(ErrorMessage) {
        let code: Code = try message.value("errorCode", Code.init(rawValue:))
        let component: Component = try message.value("errorComponent", Component.init(rawValue:))
        let detail = try message.text("errorDetail", 0...2_048)
        self.init(
            code, detail: detail,
            about: message.has("errorMessageType") ? try message.text("errorMessageType", 1...4) : nil,
            component: component, version: message.version, transaction: message.transaction)
    }
}

extension JSONWriter {
    /// Writes a member whose value is a string; nothing where there is no value.
    mutating func member(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        string(value)
    }
}
