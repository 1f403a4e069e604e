import BillingCore

/// `ARes`: the issuer's first word.
struct AuthenticationResponse: Sendable, Equatable {
    /// Where and how the cardholder is challenged.
    struct Challenge: Sendable, Equatable {
        let url: String
        /// The issuer's law wants it, whatever the merchant prefers.
        let isMandated: Bool
    }

    let status: TransactionStatus
    let indicator: String?
    let value: AuthenticationValue?
    let reason: String?
    /// `nil` only in a refusal that did not name them.
    let acsTransaction: TransactionID?
    let directoryTransaction: TransactionID?
    let challenge: Challenge?
    /// The issuer's words for the cardholder.
    let cardholderInfo: String?
    /// Whether the merchant is on the cardholder's list of trusted beneficiaries (`whiteListStatus`, 2.2.0).
    let isTrusted: Bool?
}

/// What came back for an AReq.
enum AuthenticationAnswer: Sendable, Equatable {
    case response(AuthenticationResponse)
    case error(ErrorMessage)

    /// Reads the answer to the request that was sent.
    /// - Throws: The `Erro` that the directory server gets: a wrong id is 301, a contradiction to what was asked 305.
    init(_ bytes: [UInt8], to id: TransactionID, _ terms: AuthenticationTerms) throws(ErrorMessage) {
        let message = try MessageReader(bytes, expected: ["ARes", "Erro"])
        if message.type == "Erro" {
            guard message.transaction == nil || message.transaction == id else {
                throw message.fault(.unknownTransaction, "threeDSServerTransID")
            }
            self = .error(try ErrorMessage(reading: message))
            return
        }
        guard message.transaction == id else { throw message.fault(.unknownTransaction, "threeDSServerTransID") }
        let status: TransactionStatus = try message.value("transStatus", TransactionStatus.init(rawValue:))
        if status == .notAuthenticated || status == .rejected {
            self = .response(AuthenticationResponse(refusing: message, status))
        } else {
            self = .response(try AuthenticationResponse(message, status, terms))
        }
    }
}

extension AuthenticationResponse {
    /// A refusal stands whatever else is wrong with the message: a broken "no" must not become "could not be asked".
    init(refusing message: MessageReader, _ status: TransactionStatus) {
        self.status = status
        indicator = message.lenient("eci") { $0.utf8.count == 2 ? $0 : nil }
        value = nil
        reason = message.lenient("transStatusReason") { isReason($0) ? $0 : nil }
        acsTransaction = message.lenient("acsTransID", TransactionID.init)
        directoryTransaction = message.lenient("dsTransID", TransactionID.init)
        challenge = nil
        cardholderInfo = message.lenient("cardholderInfo") { $0.utf8.count <= 128 ? $0 : nil }
        isTrusted = nil
    }

    init(_ message: MessageReader, _ status: TransactionStatus, _ terms: AuthenticationTerms) throws(ErrorMessage) {
        guard message.version == terms.version else { throw message.fault(.contradiction, "messageVersion") }
        try message.refuseCriticalExtensions()
        try Self.check(status, terms, message)
        self.status = status
        acsTransaction = try message.value("acsTransID", TransactionID.init)
        directoryTransaction = try message.value("dsTransID", TransactionID.init)
        _ = try message.text("acsReferenceNumber", 1...32)
        // Some directory servers give no such ids.
        _ = try message.optionalText("acsOperatorID", 1...32)
        _ = try message.text("dsReferenceNumber", 1...32)
        (indicator, value) = try message.proof(status, terms.scheme)
        if status == .unavailable {
            reason = try message.value("transStatusReason") { isReason($0) ? $0 : nil }
        } else {
            reason = try message.optionalValue("transStatusReason") { isReason($0) ? $0 : nil }
        }
        cardholderInfo = try message.optionalText("cardholderInfo", 1...128)
        isTrusted = message.isTrusted
        if status == .decoupled {
            guard try message.text("acsDecConInd", 1...1) == "Y" else {
                throw message.fault(.malformed, "acsDecConInd")
            }
        }
        challenge = status == .challenge ? try Self.challenge(message) : nil
    }

    /// Refuses an answer to a question that was not asked.
    private static func check(
        _ status: TransactionStatus, _ terms: AuthenticationTerms, _ message: MessageReader
    ) throws(ErrorMessage) {
        let fits: Bool =
            switch status {
            case .challenge: terms.channel == .browser
            case .decoupled: terms.decoupledMinutes != nil
            case .informational: terms.preference.mayBeAcknowledged
            default: true
            }
        guard fits, status.mayAnswer(terms.version) else { throw message.fault(.contradiction, "transStatus") }
    }

    private static func challenge(_ message: MessageReader) throws(ErrorMessage) -> Challenge {
        let mandated: String = try message.value("acsChallengeMandated") { $0 == "Y" || $0 == "N" ? $0 : nil }
        let type = try message.digits("authenticationType", 2...2)
        guard type != "00" else { throw message.fault(.malformed, "authenticationType") }
        let url: String = try message.value("acsURL") { WebAddress($0, max: 2_048)?.text }
        return Challenge(url: url, isMandated: mandated == "Y")
    }
}

extension MessageReader {
    /// Whether the cardholder has the merchant on the issuer's list: only `Y` says so. `nil` where nothing is said.
    var isTrusted: Bool? { lenient("whiteListStatus") { $0 == "Y" } }

    /// The ECI and the authentication value: both with a proof, none without one.
    func proof(
        _ status: TransactionStatus, _ scheme: CardScheme
    ) throws(ErrorMessage) -> (indicator: String?, value: AuthenticationValue?) {
        guard status.carriesProof else {
            return (try optionalValue("eci") { scheme.knows($0) ? $0 : nil }, nil)
        }
        let value: AuthenticationValue = try value("authenticationValue", AuthenticationValue.init)
        return (try self.value("eci") { scheme.knows($0) ? $0 : nil }, value)
    }
}

/// `transStatusReason`: two digits.
func isReason(_ text: String) -> Bool { text.utf8.count == 2 && text.utf8.allSatisfy { $0 &- 0x30 < 10 } }
