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
        /// Whether the cardholder has put the merchant on the issuer's list.
        var isTrusting = false
        var asked: [JSONValue] = []
    }

    private let book = Mutex(Book())
    /// Of its card range.
    private let methodURL: String?

    init(methodURL: String? = nil) { self.methodURL = methodURL }

    func answer(_ status: String?) { book.withLock { $0.status = status } }

    func trust() { book.withLock { $0.isTrusting = true } }

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
            return ok([
                "messageType": "PRes", "messageVersion": "2.2.0", "threeDSServerTransID": id,
                "dsTransID": .string(Self.directory), "serialNum": "1",
                "cardRangeData": [range],
            ])
        }
        let (status, isTrusting): (String?, Bool) = book.withLock { book in
            book.asked.append(message)
            return (book.status, book.isTrusting)
        }
        guard let status else { throw .timedOut }
        var members: [JSONMember] = [
            ("messageType", "ARes"), ("messageVersion", "2.2.0"), ("acsTransID", Self.acs),
            ("dsTransID", Self.directory), ("acsReferenceNumber", "ACS"), ("acsOperatorID", "OP"),
            ("dsReferenceNumber", "DS"), ("transStatus", status),
        ].map { JSONMember(name: $0.0, value: .string($0.1)) }
        members.append(JSONMember(name: "threeDSServerTransID", value: id))
        if isTrusting { members.append(JSONMember(name: "whiteListStatus", value: "Y")) }
        for (name, text) in Self.more(status) { members.append(JSONMember(name: name, value: .string(text))) }
        return ok(.object(members))
    }

    private var range: JSONValue {
        let members: [(String, String?)] = [
            ("startRange", "4000000000000000"), ("endRange", "4000009999999999"), ("actionInd", "A"),
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

    /// An RReq for the last AReq.
    func result(_ status: String, directory: String = directory) -> [UInt8] {
        var members: [JSONMember] = [
            ("messageType", "RReq"), ("messageVersion", "2.2.0"), ("acsTransID", Self.acs), ("dsTransID", directory),
            ("messageCategory", "01"), ("transStatus", status), ("interactionCounter", "01"),
            ("authenticationMethod", "02"), ("authenticationType", "02"),
        ].map { JSONMember(name: $0.0, value: .string($0.1)) }
        members.append(JSONMember(name: "threeDSServerTransID", value: asked.last?["threeDSServerTransID"] ?? .null))
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
