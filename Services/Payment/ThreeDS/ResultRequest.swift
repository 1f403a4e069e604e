import JSON

/// `RReq`: the issuer's last word on a challenge or a decoupled authentication. It comes through the directory server,
/// never through the browser, and is the only message that decides.
package struct ResultRequest: Sendable, Equatable {
    /// The authentication it is about: look it up by this id, then ``Authentication/apply(_:at:)``.
    package let id: TransactionID
    let version: MessageVersion
    let acsTransaction: TransactionID
    let directoryTransaction: TransactionID
    let category: String
    let status: TransactionStatus
    let reason: String?
    let cancellation: ChallengeCancellation?
    let interactions: String?
    let method: String?
    /// Checked against the scheme once the authentication is known.
    let indicator: String?
    let value: AuthenticationValue?
    /// Whether the merchant is on the cardholder's list of trusted beneficiaries (`whiteListStatus`, 2.2.0).
    let isTrusted: Bool?

    /// Reads an RReq.
    /// - Throws: The `Erro` to answer with; the status of the HTTP answer is 200 all the same.
    package init(_ bytes: [UInt8]) throws(ErrorMessage) {
        let message = try MessageReader(bytes, expected: ["RReq"])
        try message.refuseCriticalExtensions()
        guard let id = message.transaction else { throw message.fault(.missing, "threeDSServerTransID") }
        self.id = id
        version = message.version
        acsTransaction = try message.value("acsTransID", TransactionID.init)
        directoryTransaction = try message.value("dsTransID", TransactionID.init)
        category = try message.digits("messageCategory", 2...2)
        let status: TransactionStatus = try message.value("transStatus") {
            TransactionStatus(rawValue: $0).flatMap { $0.isFinal ? $0 : nil }
        }
        self.status = status
        reason = try message.optionalValue("transStatusReason") { isReason($0) ? $0 : nil }
        cancellation = try message.optionalValue("challengeCancel", ChallengeCancellation.init(rawValue:))
        // The directory server keeps the method to itself, decoupled authentications count no cycles, only apps are rendered,
        // and where nobody was authenticated there is no type: none of them has to be there.
        interactions = try message.optionalDigits("interactionCounter", 2...2)
        method = try message.optionalDigits("authenticationMethod", 2...2)
        _ = try message.optionalDigits("authenticationType", 2...2)
        try Self.checkRendering(message)
        isTrusted = message.isTrusted
        let isTwoDigits: (String) -> String? = { isReason($0) ? $0 : nil }
        if status.carriesProof {
            value = try message.value("authenticationValue", AuthenticationValue.init)
            indicator = try message.value("eci", isTwoDigits)
        } else {
            value = nil
            indicator = try message.optionalValue("eci", isTwoDigits)
        }
        // Passed and given up at the same time is neither.
        guard cancellation == nil || !status.carriesProof else {
            throw message.fault(.contradiction, "challengeCancel")
        }
    }

    private static func checkRendering(_ message: MessageReader) throws(ErrorMessage) {
        guard message.has("acsRenderingType") else { return }
        let rendering = try message.element("acsRenderingType")
        for name in ["acsInterface", "acsUiTemplate"] {
            guard let code = rendering[name]?.stringValue, isReason(code) else {
                throw message.fault(.malformed, "acsRenderingType")
            }
        }
    }

    func fault(_ code: ErrorMessage.Code, _ name: String) -> ErrorMessage {
        ErrorMessage(code, detail: name, about: "RReq", version: version, transaction: id)
    }

    /// The answer for an authentication that nobody here knows.
    package var unknown: ErrorMessage { fault(.unknownTransaction, "threeDSServerTransID") }

    /// The answer while the ARes is still on its way, and with it the ids to check against: it is to be sent again.
    package var early: ErrorMessage { fault(.transientFailure, "messageType") }
}

/// What an RReq is answered with, and whether anything came of it.
package struct ResultAnswer: Sendable, Equatable {
    /// `RRes` or `Erro`.
    package let message: [UInt8]
    /// Whether this very RReq has decided: book the effect in the same transaction. `false` for a repetition.
    package let isDecision: Bool
    /// Why it was refused; `nil` for an RRes.
    package let error: ErrorMessage?

    init(accepting request: ResultRequest, challengeBegun: Bool, isDecision: Bool) {
        var json = JSONWriter()
        json.beginObject()
        json.member("messageType", "RRes")
        json.member("messageVersion", request.version.rawValue)
        json.member("threeDSServerTransID", request.id.description)
        json.member("acsTransID", request.acsTransaction.description)
        json.member("dsTransID", request.directoryTransaction.description)
        json.member("resultsStatus", challengeBegun ? "01" : "02")
        json.endObject()
        message = json.bytes
        self.isDecision = isDecision
        error = nil
    }

    init(refusing error: ErrorMessage) {
        message = error.serialized
        isDecision = false
        self.error = error
    }
}
