import BillingCore
import JSON
import PaymentAuthentication
import PaymentContract
import PaymentThreeDS
import Synchronization

/// A directory server that answers as it is told to, and remembers what it was asked.
final class DirectoryDouble: ProviderTransport {
    static let acs = "43163cd0-c849-4924-82c1-7bec32b94881"
    static let directory = "1cf815e5-cc85-436f-8e13-9f5e5aea731f"
    static let cavv = "mK225wGt2bLnnLB0UlRky0oHLnU="

    private struct Book {
        /// The `transStatus` of the next answer; `nil`: no answer comes.
        var status: String? = "C"
        /// The issuer's `whiteListStatus`; `nil` where it does not say.
        var trust: String?
        var asked: [JSONValue] = []
        /// The serial numbers of the PReqs; `nil` in one for all ranges.
        var prepared: [String?] = []
        /// Whether it has begun anew, with one more range, and knows no serial number of before.
        var hasBegunAnew = false
        /// Whether PReqs get no answer.
        var hidesRanges = false
    }

    private let book = Mutex(Book())
    /// Of its card range.
    private let methodURL: String?

    init(methodURL: String? = nil) { self.methodURL = methodURL }

    func answer(_ status: String?) { book.withLock { $0.status = status } }

    /// Whether the cardholder has the merchant on the issuer's list, as it is told from now on.
    func trust(_ status: String? = "Y") { book.withLock { $0.trust = status } }

    /// Knows one more range from now on, and no serial number of before.
    func beginAnew() { book.withLock { $0.hasBegunAnew = true } }

    /// Tells of its ranges from now on, or does not.
    func hideRanges(_ hides: Bool = true) { book.withLock { $0.hidesRanges = hides } }

    /// The serial numbers that it was asked with.
    var prepared: [String?] { book.withLock { $0.prepared } }

    /// The AReqs.
    var asked: [JSONValue] { book.withLock { $0.asked } }

    var server: ThreeDSServer { server(.strict) }

    func server(_ policy: UnauthenticatedPolicy) -> ThreeDSServer {
        ThreeDSServer(
            url: "https://directory.test",
            profile: RequestorProfile(
                serverReference: "TEST", resultURL: "https://pay.test/v1/three_d_secure/results",
                notificationURL: "https://pay.test/v1/three_d_secure/return", requestorID: "r1", requestorName: "Shop",
                requestorURL: "https://shop.test", acquirerBIN: "868491", acquirerMerchantID: "m1",
                merchantCategory: "5734", merchantCountry: "276", merchantName: "Shop"), policy: policy, transport: self
        )
    }

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let message: JSONValue
        do { message = try parseJSON(request.body) } catch { throw .timedOut }
        let id: JSONValue = message["threeDSServerTransID"] ?? .null
        if request.url.hasSuffix("/preq") {
            if book.withLock({ $0.hidesRanges }) { throw .timedOut }
            return ranges(since: message["serialNum"]?.stringValue, id)
        }
        let (status, trust): (String?, String?) = book.withLock { book in
            book.asked.append(message)
            return (book.status, book.trust)
        }
        guard let status else { throw .timedOut }
        var members: [JSONMember] = [
            ("messageType", "ARes"), ("messageVersion", "2.2.0"), ("acsTransID", Self.acs),
            ("dsTransID", Self.directory), ("acsReferenceNumber", "ACS"), ("acsOperatorID", "OP"),
            ("dsReferenceNumber", "DS"), ("transStatus", status),
        ].map { JSONMember(name: $0.0, value: .string($0.1)) }
        members.append(JSONMember(name: "threeDSServerTransID", value: id))
        if let trust { members.append(JSONMember(name: "whiteListStatus", value: .string(trust))) }
        for (name, text) in Self.more(status) { members.append(JSONMember(name: name, value: .string(text))) }
        return ok(.object(members))
    }

    private func ranges(since serial: String?, _ id: JSONValue) -> ProviderHTTPAnswer {
        let hasBegunAnew: Bool = book.withLock { book in
            book.prepared.append(serial)
            return book.hasBegunAnew
        }
        guard serial == nil || !hasBegunAnew else {
            return ok([
                "messageType": "Erro", "messageVersion": "2.2.0", "threeDSServerTransID": id, "errorCode": "307",
                "errorComponent": "D", "errorDescription": "unknown", "errorDetail": "serialNum",
                "errorMessageType": "PReq",
            ])
        }
        return ok([
            "messageType": "PRes", "messageVersion": "2.2.0", "threeDSServerTransID": id,
            "dsTransID": .string(Self.directory), "serialNum": hasBegunAnew ? "9" : "1",
            "cardRangeData": hasBegunAnew ? [range("400000"), range("520000")] : [range("400000")],
        ])
    }

    private func range(_ digits: String) -> JSONValue {
        let members: [(String, String?)] = [
            ("startRange", "\(digits)0000000000"), ("endRange", "\(digits)9999999999"), ("actionInd", "A"),
            ("acsStartProtocolVersion", "2.1.0"), ("acsEndProtocolVersion", "2.2.0"), ("threeDSMethodURL", methodURL),
        ]
        return .object(members.compactMap { name, text in text.map { JSONMember(name: name, value: .string($0)) } })
    }

    private static func more(_ status: String) -> [(String, String)] {
        switch status {
        case "Y": [("authenticationValue", cavv), ("eci", "05")]
        case "A": [("authenticationValue", cavv), ("eci", "06")]
        case "C":
            [
                ("acsURL", "https://acs.test/challenge?a=1&b=%22"), ("acsChallengeMandated", "N"),
                ("authenticationType", "02"),
            ]
        default: [("transStatusReason", "01")]
        }
    }

    /// An RReq for the last AReq, or the authentication of an id.
    func result(_ status: String, directory: String = directory, of id: String? = nil) -> [UInt8] {
        var members: [JSONMember] = [
            ("messageType", "RReq"), ("messageVersion", "2.2.0"), ("acsTransID", Self.acs), ("dsTransID", directory),
            ("messageCategory", "01"), ("transStatus", status), ("interactionCounter", "01"),
            ("authenticationMethod", "02"), ("authenticationType", "02"),
        ].map { JSONMember(name: $0.0, value: .string($0.1)) }
        let asked: JSONValue = id.map { .string($0) } ?? asked.last?["threeDSServerTransID"] ?? .null
        members.append(JSONMember(name: "threeDSServerTransID", value: asked))
        if let trust: String = book.withLock({ $0.trust }) {
            members.append(JSONMember(name: "whiteListStatus", value: .string(trust)))
        }
        members.append(JSONMember(name: "acsRenderingType", value: ["acsInterface": "02", "acsUiTemplate": "05"]))
        for (name, text) in Self.more(status) { members.append(JSONMember(name: name, value: .string(text))) }
        return JSONValue.object(members).serialized
    }

    /// What a browser brings back: the field `cres`.
    func returned(_ status: String) -> String {
        let json: JSONValue = [
            "messageType": "CRes", "messageVersion": "2.2.0", "acsTransID": .string(Self.acs),
            "threeDSServerTransID": asked.last?["threeDSServerTransID"] ?? .null, "transStatus": .string(status),
        ]
        return Base64.url.encode(json.serialized)
    }

    private func ok(_ json: JSONValue) -> ProviderHTTPAnswer {
        ProviderHTTPAnswer(status: 200, headers: [], body: json.serialized)
    }
}
