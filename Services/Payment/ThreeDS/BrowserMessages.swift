import BillingCore
import JSON

/// A form that the customer's browser posts on its own. Address and values need no escaping.
package struct BrowserForm: Sendable, Equatable {
    /// Where it is posted.
    package let address: String
    /// Its fields, in order.
    package let fields: [Field]

    package init(address: String, fields: [Field]) {
        self.address = address
        self.fields = fields
    }

    /// One hidden field.
    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }
}

/// `CRes`: the browser comes back from the challenge. It passed through the customer's hands and proves nothing.
package struct ChallengeResponse: Sendable, Equatable {
    /// The authentication it names: look it up by this id, then ``Authentication/cardholderReturned(_:session:at:)``.
    package let id: TransactionID
    let version: MessageVersion
    let acsTransaction: TransactionID

    /// Reads the form field `cres`.
    /// - Throws: What is wrong with it; nobody is told but the log.
    package init(_ field: String) throws(ErrorMessage) {
        let message = try MessageReader(browserField(field, of: "CRes"), expected: ["CRes"])
        guard let id = message.transaction else { throw message.fault(.missing, "threeDSServerTransID") }
        self.id = id
        version = message.version
        acsTransaction = try message.value("acsTransID", TransactionID.init)
        // Read for its form only: the status that counts is the RReq's.
        let _: TransactionStatus = try message.value("transStatus") {
            TransactionStatus(rawValue: $0).flatMap { $0.isFinal ? $0 : nil }
        }
    }
}

/// The bytes of a field that a browser carried: base 64 (URL alphabet) of at most 16 KiB.
/// Padding is taken, as some issuers send it against the rule.
func browserField(_ field: String, of type: String) throws(ErrorMessage) -> [UInt8] {
    guard field.utf8.count <= 16_384 else { throw ErrorMessage(.invalidMessage, detail: "too_large", about: type) }
    var text: Substring = field[...]
    for _ in 0..<2 where text.last == "=" { text.removeLast() }
    guard let bytes = Base64.url.decode(text) else { throw ErrorMessage(.decryption, detail: "base64url", about: type) }
    return bytes
}

extension BrowserForm {
    /// `CReq` to the issuer's page.
    static func challenge(
        _ challenge: Authentication.Challenge, id: TransactionID, version: MessageVersion, window: ChallengeWindow
    ) -> BrowserForm {
        var json = JSONWriter()
        json.beginObject()
        json.member("messageType", "CReq")
        json.member("messageVersion", version.rawValue)
        json.member("threeDSServerTransID", id.description)
        json.member("acsTransID", challenge.acsTransaction.description)
        json.member("challengeWindowSize", window.rawValue)
        json.endObject()
        var fields = [Field(name: "creq", value: Base64.url.encode(json.bytes))]
        if let session = challenge.session {
            fields.append(Field(name: "threeDSSessionData", value: sessionField(session)))
        }
        return BrowserForm(address: challenge.url, fields: fields)
    }

    /// Our note as the form carries it.
    static func sessionField(_ session: String) -> String { Base64.url.encode(session.utf8) }

    /// The hidden frame in which the issuer's script looks at the browser.
    static func method(_ url: String, id: TransactionID, notificationURL: String) -> BrowserForm {
        var json = JSONWriter()
        json.beginObject()
        json.member("threeDSServerTransID", id.description)
        json.member("threeDSMethodNotificationURL", notificationURL)
        json.endObject()
        return BrowserForm(
            address: url, fields: [Field(name: "threeDSMethodData", value: Base64.url.encode(json.bytes))])
    }
}

/// What the issuer's script posts back: the form field `threeDSMethodData`.
package struct MethodNotification: Sendable, Equatable {
    /// The authentication it names: `AuthenticationPages.methodReported` notes it by this id.
    package let id: TransactionID

    /// Reads the field.
    /// - Throws: What is wrong with it; nobody is told but the log.
    package init(_ field: String) throws(ErrorMessage) {
        let bytes = try browserField(field, of: "3DS Method")
        let value: JSONValue
        do {
            value = try parseJSON(bytes, limits: JSONLimits(maxBytes: 16_384, maxDepth: 4))
        } catch {
            throw ErrorMessage(.invalidMessage, detail: error.code.rawValue, about: nil)
        }
        guard let id = value["threeDSServerTransID"]?.stringValue.flatMap(TransactionID.init) else {
            throw ErrorMessage(.malformed, detail: "threeDSServerTransID", about: nil)
        }
        self.id = id
    }
}
